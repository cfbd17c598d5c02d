"""Loader ``images``: an HDF5 file of encoded pictures, and the table that names them.

Datasets: ``values``, one picture in each row as variable-length bytes; the layout also names the column ``image`` of
the table. Transparent pictures are laid on the ``background`` of the layout. Options: ``images``. Joins: ``metadata``,
whose row i belongs to picture i.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from laion_fmri.catalog.models import Artifact, Column
from laion_fmri.catalog.words import listed
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request
from laion_fmri.loaders.attributes import column_coords, without_grid
from laion_fmri.loaders.delimited import read_table
from laion_fmri.loaders.hdf5 import Array, Stored, read_bytes, stored_bytes
from laion_fmri.loaders.names import require_names
from laion_fmri.loaders.pictures import Colour, decode, displayed

_CHANNELS = ("red", "green", "blue")
_MOST_BYTES = 2**31  # that are read without being asked for
_BLOCK_BYTES = 2**24  # that are decoded at once, about


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes."""
    return ("metadata",)


def read(request: Request) -> xr.DataArray:
    """Read pictures; no others than the chosen ones are decoded.

    Parameters
    ----------
    request : Request
        One file.

    Returns
    -------
    DataArray, shape (image, y, x, channel)
        uint8: red, green and blue as displayed, where transparent pictures lie on the background that the catalog
        names. All pictures in the order of the file, or those that `images` names, in the order given and as often as
        given. Their names are the coordinate of the first dimension; all other columns of the table are beside them.

    Raises
    ------
    DataFormatError
        If a file is damaged, the table has not one row for each picture, or the pictures differ in size.
    SelectionError
        If there is no picture of a name, or nothing is chosen of more than 2 GiB.
    """
    pictures, table = _chosen(request)
    if request.options.get("images") is None:
        pictures.require_few(str(pictures.source.path), "choose images=, or use to_dask()")
    return _labelled(request, pictures, table, pictures.read())


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, of any size, in chunks of a few pictures that are decoded when they are computed."""
    import dask
    import dask.array as da

    pictures, table = _chosen(request)
    lazy = [
        da.from_delayed(dask.delayed(block).read(), (len(block.rows), *block.shape), np.uint8)
        for block in pictures.blocks()
    ]
    return _labelled(request, pictures, table, da.concatenate(lazy))


@dataclass(frozen=True)
class Pictures:
    """Some pictures of a file, all of one size.

    Attributes
    ----------
    source : Stored
        The encoded pictures.
    rows : array of int
        Where they are.
    names : array of str
        What they are called.
    shape : tuple of int
        Height, width and number of channels.
    background : tuple of int or None
        Colour behind transparent ones.
    """

    source: Stored
    rows: Array
    names: Array
    shape: tuple[int, int, int]
    background: Colour | None

    @property
    def _bytes_each(self) -> int:
        return int(np.prod(self.shape))

    def require_few(self, what: str, hint: str) -> None:
        """Raise SelectionError unless they take up to 2 GiB."""
        size = len(self.rows) * self._bytes_each
        if size > _MOST_BYTES:
            raise SelectionError(f"{what}: {len(self.rows)} images take {size / 2**30:.1f} GiB; {hint}")

    def blocks(self) -> list[Pictures]:
        """Return parts of about 16 MiB, in their order."""
        step = max(1, _BLOCK_BYTES // self._bytes_each)
        parts = [slice(start, start + step) for start in range(0, len(self.rows), step)]
        return [replace(self, rows=self.rows[part], names=self.names[part]) for part in parts]

    def read(self) -> Array:
        """Return the pictures as displayed: uint8, (image, y, x, channel). One that stands twice is decoded once."""
        values = np.empty((len(self.rows), *self.shape), np.uint8)
        _, first, place = np.unique(self.rows, return_index=True, return_inverse=True)
        for number, row in enumerate(first):
            (encoded,) = read_bytes(self.source, [self.rows[row]])
            values[place == number] = self._one(encoded, self.names[row])
        return values

    def _one(self, encoded: bytes, name: str) -> Array:
        what = picture_text(self.source, name)
        pixels = np.asarray(displayed(decode(encoded, what), self.background, what))
        if pixels.shape != self.shape:
            raise DataFormatError(
                f"{what} has {_size_text(pixels.shape)} pixels and another one {_size_text(self.shape)}; choose images "
                "of one size"
            )
        return pixels


def picture_text(source: Stored, name: str) -> str:
    """Return how messages call a picture."""
    return f"{source.path}, image {name},"


def _size_text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _chosen(request: Request) -> tuple[Pictures, pd.DataFrame]:
    if len(request.files) > 1:
        several = listed(file.path.name for file in request.files)
        raise SelectionError(f"files of images are read one at a time; choose one of {several}")
    (file,) = request.files
    layout, join = request.artifact.layout, request.artifact.joins["metadata"]
    source = stored_bytes(file.path, layout, "values")
    shared = {name: value for name, value in file.entities.items() if name in join.entities}
    (found,) = request.find("metadata", shared)
    column = layout.datasets.get("image", "image")
    table = image_table(source, found.path, join.layout.columns, column)

    wanted = request.options.get("images")
    if wanted is not None:
        require_names("images", wanted, set(table[column]), source.path)
        table = table.loc[pd.Index(table[column]).get_indexer(pd.Index(wanted))]
    pictures = pictures_of(source, table.index.to_numpy(), table[column].to_numpy(str), layout.background)
    return pictures, table.drop(columns=column)


def pictures_of(source: Stored, rows: Array, names: Array, background: Colour | None) -> Pictures:
    """Return some pictures of a file; of the first one the size is looked up."""
    if not len(rows):
        raise DataFormatError(f"{source.path} holds no image; download it again")
    (first,) = read_bytes(source, rows[:1])
    width, height = decode(first, picture_text(source, names[0])).size
    return Pictures(source, rows, names, (height, width, len(_CHANNELS)), background)


def image_table(source: Stored, path: Path, columns: Mapping[str, Column], name: str) -> pd.DataFrame:
    """Read the table of a file of pictures.

    Parameters
    ----------
    source : Stored
        The encoded pictures.
    path : Path
        The table.
    columns : mapping of str to Column
        The columns that it must have.
    name : str
        The column with the names of the pictures.

    Returns
    -------
    DataFrame
        Row i belongs to picture i.

    Raises
    ------
    DataFormatError
        If it has not one row for each picture, or names one twice.
    """
    table = named_table(path, columns, name)
    if len(table) != source.shape[0]:
        raise DataFormatError(
            f"{path} does not fit {source.path}: {len(table)} rows for {source.shape[0]} images; the table has one row "
            "for each image, in their order. Download both files again"
        )
    return table


def named_table(path: Path, columns: Mapping[str, Column], name: str) -> pd.DataFrame:
    """Read a table in which each row has a name of its own; see `image_table`."""
    return read_table(path, {name: Column(dtype="str", description="Name of the image."), **columns}, [name])


def _labelled(request: Request, pictures: Pictures, table: pd.DataFrame, data: Any) -> xr.DataArray:
    dims, entities = request.artifact.layout.dims, request.files[0].entities
    coords = column_coords(table, dims[0], (*dims, *entities))
    coords |= {dims[0]: (dims[0], pictures.names), dims[-1]: (dims[-1], np.array(_CHANNELS))}
    return without_grid(request, data, dims, {**entities, **coords})
