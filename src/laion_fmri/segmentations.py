"""Segmentation masks of the images, looked up by image name and noun."""

from __future__ import annotations

from operator import index
from pathlib import Path
from typing import TYPE_CHECKING

from laion_fmri.by_name import TableReader, require_known
from laion_fmri.local import artifact_source

if TYPE_CHECKING:
    import pandas as pd

    from laion_fmri.loaders.hdf5 import Array


class Segmentations(TableReader):
    """Segmentation masks by image name, noun and instance.

    ``segmentations[mask_row]`` is one mask by its place in the stack. The table is read on first use and kept until
    `close`, or the end of a ``with`` block; of the masks, only those asked for are read, and none is kept.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where the files are; the configured data directory where left out.

    Raises
    ------
    DataNotDownloadedError
        If the masks or their table are not here; the message has the command that fetches them.

    Examples
    --------
    >>> segmentations = Segmentations()
    >>> name = segmentations.images()[0]
    >>> noun = segmentations.nouns(name, localized_only=False)[0]
    >>> segmentations.get(name, noun).ndim
    2
    """

    def __init__(self, data_dir: str | Path | None = None) -> None:
        self._source = artifact_source("segmentations", data_dir)
        (self._file,) = self._source.present()
        artifact_source("segmentation_table", data_dir).present()
        self._layout = self._source.artifact.layout
        self._mask_row, image, self._noun = (self._layout.datasets[role] for role in ("row", "image", "noun"))
        super().__init__(image, [self._noun, "instance_id"])

    @property
    def metadata(self) -> pd.DataFrame:
        """What each mask shows: one row per mask, in the order of the stack."""
        table: pd.DataFrame = self._kept("table", self._table)
        return table

    def _table(self) -> pd.DataFrame:
        stack = self._source.to_dask()
        frame: pd.DataFrame = stack.coords.to_dataset().reset_coords().to_dataframe()
        return frame.rename_axis(None)

    def has_image(self, name: str) -> bool:
        """Tell whether an image has masks."""
        return name in self._places()

    def for_image(self, name: str) -> pd.DataFrame:
        """Return the rows of an image, sorted by noun and instance; no row for an image without masks."""
        return self._rows(name)

    def nouns(self, name: str, localized_only: bool = True) -> list[str]:
        """Return what the masks of an image show, each noun once, sorted; nothing for an image without masks.

        Parameters
        ----------
        name : str
            File name of the image.
        localized_only : bool
            Only nouns with a mask that has a box and does not cover the whole image.
        """
        rows = self.for_image(name)
        if localized_only:
            rows = rows[rows["localized"] != 0]
        return sorted(set(rows[self._noun]))

    def get(self, name: str, noun: str, instance: int | None = None) -> Array:
        """Return one mask of an image.

        Parameters
        ----------
        name : str
            File name of the image.
        noun : str
            What the mask shows, letter for letter.
        instance : int, optional
            Number of the instance, as in the table, where numbers are left out; the one with the highest score where
            left out.

        Returns
        -------
        array of the catalog's dtype, shape (y, x)

        Raises
        ------
        UnknownNameError
            A KeyError, if there is no such image, noun or instance; it names the nearest, or those that are there.
        """
        require_known("image with masks", name, self._places())
        rows = self.for_image(name)
        require_known(f"mask in {name} of", noun, sorted(set(rows[self._noun])))
        rows = rows[rows[self._noun] == noun]
        if instance is None:
            rows = rows.sort_values("score", ascending=False, kind="stable")
        else:
            require_known(f"mask in {name} of {noun}, instance", instance, rows["instance_id"].tolist())
            rows = rows[rows["instance_id"] == instance]
        return self[int(rows[self._mask_row].iloc[0])]

    def __getitem__(self, mask_row: int) -> Array:
        import numpy as np

        from laion_fmri.loaders.hdf5 import read_rows, stored

        stack = stored(self._file.path, self._layout, "values", len(self._layout.dims))
        row = index(mask_row)
        if not 0 <= row < stack.shape[0]:
            raise IndexError(f"{self._file.path} has no mask {row}; its {stack.shape[0]} masks count from 0")
        mask: Array = read_rows(stack, np.array([row]), np.dtype(self._layout.dtype))[0]
        return mask
