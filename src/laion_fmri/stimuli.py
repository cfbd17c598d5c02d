"""The stimulus images and what belongs to them, looked up by image name. Nothing here uses the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from laion_fmri.by_name import Reader
from laion_fmri.captions import Captions
from laion_fmri.catalog import load_catalog
from laion_fmri.embeddings import Embeddings, load_embeddings
from laion_fmri.images import Images
from laion_fmri.segmentations import Segmentations

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image


def load_stimuli(data_dir: str | Path | None = None) -> Stimuli:
    """Return the stimulus images and what belongs to them.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where the files are; the configured data directory where left out.

    Raises
    ------
    StimuliNotDownloadedError
        A FileNotFoundError, if the images or their table are not here; the message has the command that fetches them.

    Examples
    --------
    >>> with load_stimuli() as stimuli:
    ...     name = stimuli.images.names()[0]
    ...     stimuli.images[name] == stimuli.images[0]
    True
    """
    return Stimuli(data_dir)


class Stimuli(Reader):
    """The stimulus images and what belongs to them.

    Everything is read on first use. Tables and embeddings are kept in memory until `close`, or the end of a ``with``
    block.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where the files are; the configured data directory where left out.

    Attributes
    ----------
    images : Images
        The images themselves.
    """

    def __init__(self, data_dir: str | Path | None = None) -> None:
        super().__init__()
        self._data_dir = data_dir
        self.images = Images(data_dir)

    @property
    def metadata(self) -> pd.DataFrame:
        """What is known of the images: row i belongs to ``images[i]``."""
        return self.images.metadata

    @property
    def embeddings(self) -> Embeddings:
        """Embeddings of the models that are here; DataNotDownloadedError where none is."""
        embeddings: Embeddings = self._kept("embeddings", lambda: load_embeddings(data_dir=self._data_dir))
        return embeddings

    @property
    def segmentations(self) -> Segmentations:
        """Segmentation masks; DataNotDownloadedError where they are not here."""
        segmentations: Segmentations = self._kept("segmentations", lambda: Segmentations(self._data_dir))
        return segmentations

    @property
    def captions(self) -> Captions:
        """Captions; DataNotDownloadedError where they are not here."""
        captions: Captions = self._kept("captions", lambda: Captions(self._data_dir))
        return captions

    def close(self) -> None:
        """Drop what is kept in memory."""
        for reader in (self.images, *self._read.values()):
            reader.close()
        super().close()


def as_displayed_rgb(image: Image.Image) -> Image.Image:
    """Return an image as it was shown: RGB, a transparent one on the background of the experiment.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode, such as ``load_stimuli().images.get(0, as_displayed=False)``.

    Examples
    --------
    >>> from PIL import Image
    >>> as_displayed_rgb(Image.new("RGBA", (1, 1), (255, 0, 0, 0))).getpixel((0, 0))
    (128, 128, 128)
    """
    from laion_fmri.loaders.pictures import displayed

    return displayed(image, load_catalog().artifact("stimuli").layout.background, "the image")
