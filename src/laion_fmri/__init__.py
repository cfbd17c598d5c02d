"""LAION-fMRI: one catalog, its downloads and its loaders.

Importing the package imports the standard library only; every name below is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Captions": "captions",
    "DataDirNotSetError": "errors",
    "DataNotDownloadedError": "errors",
    "DataNotFoundError": "errors",
    "Embeddings": "embeddings",
    "Group": "group",
    "LicenseNotAcceptedError": "errors",
    "NoMatchingDataError": "errors",
    "Segmentations": "segmentations",
    "Stimuli": "stimuli",
    "StimuliNotDownloadedError": "errors",
    "Subject": "subject",
    "SubjectNotFoundError": "errors",
    "as_displayed_rgb": "stimuli",
    "dataset_initialize": "config",
    "describe": "discovery",
    "download_captions": "download",
    "download_embeddings": "download",
    "download_segmentations": "download",
    "download_stimuli": "download",
    "get_data_dir": "config",
    "get_rois": "discovery",
    "get_subjects": "discovery",
    "image_names_table": "image_names",
    "load_embeddings": "embeddings",
    "load_stimuli": "stimuli",
    "load_subject": "subject",
    "load_subjects": "group",
    "lock": "lockfile",
    "open_catalog": "intake_driver",
    "parse_image_name": "image_names",
    "repair": "verification",
    "request_stimulus_access": "download",
    "resolve_subject_id": "selection",
    "set_data_dir": "config",
    "verify": "verification",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib import metadata

        try:
            return metadata.version("laion-fmri")
        except metadata.PackageNotFoundError:
            return "0+unknown"
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
