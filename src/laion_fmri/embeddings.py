"""Embeddings of the images by vision models, looked up by model and image name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from laion_fmri.by_name import Reader, require_known
from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.entities import ALL
from laion_fmri.local import artifact_source

if TYPE_CHECKING:
    import xarray as xr

    from laion_fmri.loaders.hdf5 import Array
    from laion_fmri.source import Source

AVAILABLE_MODELS: tuple[str, ...] = load_catalog().artifact("embeddings").entities["model"].known


def load_embeddings(models: str | Iterable[str] = ALL, data_dir: str | Path | None = None) -> Embeddings:
    """Return the embeddings of images by vision models.

    Parameters
    ----------
    models : str or list of str
        One or more of `AVAILABLE_MODELS`, or ``"all"`` for those that are downloaded.
    data_dir : str or Path, optional
        Where the files are; the configured data directory where left out.

    Raises
    ------
    SelectionError
        If there is no such model.
    DataNotDownloadedError
        If a model that is named is not downloaded, or none is; the message has the command that fetches it.

    Examples
    --------
    >>> with load_embeddings("CLIP") as embeddings:
    ...     name = embeddings.image_ids[0]
    ...     embeddings.get("CLIP", [name, name]).dtype.name
    'float16'
    """
    source = artifact_source("embeddings", data_dir)(model=models)
    if isinstance(models, str) and models == ALL:
        here = [file.entities["model"] for file in source.files() if file.size is not None]
        source = source(model=here) if here else source
    return Embeddings(source)


class Embeddings(Reader):
    """Embeddings by model and image name.

    ``embeddings[model]`` is the whole matrix, a DataArray (image, feature) with the names of the images as
    coordinate. It is read on first use and kept until `close`, or the end of a ``with`` block.

    Parameters
    ----------
    source : Source
        The embeddings of the catalog with models chosen, all of which are here.

    Attributes
    ----------
    models : tuple of str
        The models.
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self.models = tuple(file.entities["model"] for file in source.present())

    def __getitem__(self, model: str) -> xr.DataArray:
        require_known("model of embeddings", model, self.models)
        matrix: xr.DataArray = self._kept(model, lambda: self._source(model=model).read())
        return matrix

    @property
    def image_ids(self) -> Array:
        """Names of the images, str array of shape (image,), in the order of the rows of the first model."""
        return self[self.models[0]]["image"].to_numpy()

    def get(self, model: str, names: str | Iterable[str]) -> Array:
        """Return the embeddings of images.

        Parameters
        ----------
        model : str
            One of `models`.
        names : str or list of str
            File names of images, in any order, with or without repeats.

        Returns
        -------
        float16 array, shape (n_features,), or (n_images, n_features) for a list
            A copy; row i belongs to name i.

        Raises
        ------
        UnknownNameError
            A KeyError, if there is no such model or image, naming the nearest.
        """
        matrix = self[model]
        index = matrix.indexes["image"]
        one = isinstance(names, str) or not isinstance(names, Iterable)
        wanted = [names] if one else list(names)
        rows = index.get_indexer(wanted)
        for name, row in zip(wanted, rows, strict=True):
            if row < 0:
                require_known("image with embeddings", name, index)
        found: Array = matrix.to_numpy()[rows]
        return found[0] if one else found
