"""LAION-fMRI: catalog, downloader and loader."""
