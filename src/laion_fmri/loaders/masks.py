"""Loader ``masks``: an HDF5 file with a stack of masks, and the table that says what each of them shows.

Datasets: ``values``; the layout also names the columns ``row``, ``image`` and ``noun`` of the table.
Options: ``images``, ``nouns``. Joins: ``metadata``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from laion_fmri.catalog.layout import Column
from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import listed
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request
from laion_fmri.loaders.attributes import column_coords, without_grid
from laion_fmri.loaders.hdf5 import Array, Stored, lazy_rows, read_rows, stored
from laion_fmri.loaders.joined import read_joined
from laion_fmri.loaders.names import require_names

_ROLES = {"images": "image", "nouns": "noun"}  # role of the column that an option chooses by
_MOST_BYTES = 2**31  # that are read without being asked for


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes."""
    return ("metadata",)


def read(request: Request) -> xr.DataArray:
    """Read masks; no others than the chosen ones are read.

    Parameters
    ----------
    request : Request
        One file.

    Returns
    -------
    DataArray, shape (mask, y, x)
        Of the dtype of the catalog entry; as bool, True where the stored number is not 0. The masks of the `images` and
        `nouns` chosen, each once and in the order of the stack, with all columns of the table as coordinates. A choice
        of images and nouns that never meet gives no mask.

    Raises
    ------
    DataFormatError
        If a file is damaged, or the table has not one row for each mask.
    SelectionError
        If no mask is of an image or a noun, or nothing is chosen of a stack of more than 2 GiB.
    """
    source, table = _chosen(request)
    size = len(table) * source.row_bytes
    if size > _MOST_BYTES and not any(option is not None for option in request.options.values()):
        raise SelectionError(
            f"all {len(table)} masks of {source.path} take {size / 2**30:.1f} GiB; choose images= or nouns=, "
            "or use to_dask()"
        )
    return _labelled(request, table, read_rows(source, _numbers(request, table), _dtype(request)))


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, of any size, in chunks of a few masks that are read when they are computed."""
    source, table = _chosen(request)
    return _labelled(request, table, lazy_rows(source, _numbers(request, table), _dtype(request)))


def _dtype(request: Request) -> np.dtype[Any]:
    return np.dtype(request.artifact.layout.dtype)


def _column(request: Request, role: str) -> str:
    return request.artifact.layout.datasets.get(role, role)


def _numbers(request: Request, table: pd.DataFrame) -> Array:
    return table[_column(request, "row")].to_numpy()


def _chosen(request: Request) -> tuple[Stored, pd.DataFrame]:
    if len(request.files) > 1:
        names = listed(file.path.name for file in request.files)
        raise SelectionError(f"stacks of masks are read one at a time; choose one of {names}")
    (file,) = request.files
    layout = request.artifact.layout
    source = stored(file.path, layout, "values", len(layout.dims))
    table = _table(request, source)
    kept = np.ones(len(table), bool)
    for option, role in _ROLES.items():
        wanted = request.options.get(option)
        if wanted is not None:
            cells = table[_column(request, role)]
            require_names(option, wanted, set(cells), file.path)
            kept &= cells.isin(list(wanted)).to_numpy()
    return source, table[kept]


def _table(request: Request, source: Stored) -> pd.DataFrame:
    """Return the table in the order of the stack."""
    join, row = request.artifact.joins["metadata"], _column(request, "row")
    entities = request.files[0].entities
    (found,) = request.find("metadata", {name: entities[name] for name in entities if name in join.entities})
    columns = {row: Column(dtype="int64", description="Number of the mask.")}
    columns |= {
        _column(request, role): Column(dtype="str", description="What masks are chosen by.")
        for option, role in _ROLES.items()
        if option in request.options
    }
    table = read_joined(request, join, found, columns)
    problem = _problem(table[row].to_numpy(), source.shape[0])
    if problem:
        raise DataFormatError(
            f"{found.path} does not fit {source.path}: column {row}, {problem}; a table of masks has one row for each "
            "mask. Download both files again"
        )
    return table.sort_values(row)


def _problem(numbers: Array, count: int) -> str | None:
    outside = np.flatnonzero((numbers < 0) | (numbers >= count))
    if len(outside):
        return f"row {outside[0]} is {numbers[outside[0]]}, outside the {count} masks"
    uses = np.bincount(numbers, minlength=count)
    if (uses > 1).any():
        rows = np.flatnonzero(numbers == np.argmax(uses > 1))
        return f"rows {rows[0]} and {rows[1]} are both {numbers[rows[0]]}"
    return f"mask {np.argmin(uses)} has no row" if not uses.all() else None


def _labelled(request: Request, table: pd.DataFrame, data: Any) -> xr.DataArray:
    dims, entities = request.artifact.layout.dims, request.files[0].entities
    coords = column_coords(table, dims[0], (*dims, *entities))
    return without_grid(request, data, dims, {**entities, **coords})
