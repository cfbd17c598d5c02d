"""Loader ``matrix``: HDF5 files with one named row of numbers for each image.

Datasets: ``values``, ``image`` (the names of the rows) and, where the layout names it, ``valid``.
Options: ``images``. No joins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from laion_fmri.catalog.models import Artifact, Layout
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.attributes import without_grid
from laion_fmri.loaders.cells import wrong_name
from laion_fmri.loaders.hdf5 import Array, Stored, lazy_rows, read_rows, read_text, stored
from laion_fmri.loaders.labels import varying
from laion_fmri.loaders.names import require_names

_VALID = "valid"


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> xr.DataArray:
    """Read rows of matrices; of the values, no other rows are read.

    Parameters
    ----------
    request : Request
        One or more files.

    Returns
    -------
    DataArray, shape (image, feature) or (entity, image, feature)
        Of the dtype of the file. The first dimension of the layout has the names of the rows as its coordinate: all
        rows in the order of the file, or those that `images` names, in the order given and as often as given. ``valid``
        is a bool coordinate where the file has it. Several files, which must have the same rows and columns, are
        stacked along the entity in which they differ; the entities that they share are scalar coordinates.

    Raises
    ------
    DataFormatError
        If a file is damaged, or names a row twice.
    SelectionError
        If there is no row of a name, the files differ in several entities, or they cannot be stacked.
    """
    return _labelled(request, read_rows, np.stack)


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, in chunks of rows that are read when they are computed."""
    import dask.array as da

    return _labelled(request, lazy_rows, da.stack)


@dataclass(frozen=True, eq=False)
class _Matrix:
    """A file: its values, the names of its rows and, where it says so, which of them are valid."""

    values: Stored
    names: Array
    valid: Array | None


def _labelled(
    request: Request, fetch: Callable[[Stored, Array, np.dtype[Any]], Any], stack: Callable[[Sequence[Any]], Any]
) -> xr.DataArray:
    files, (row, feature) = request.files, request.artifact.layout.dims
    leading = varying(files, files[0].entities)
    matrices = [_matrix(request, file) for file in files]
    first = matrices[0]
    _require_alike(matrices)
    rows = _rows(request.options.get("images"), first)

    data = [fetch(matrix.values, rows, matrix.values.dtype) for matrix in matrices]
    coords: dict[str, Any] = {**files[0].entities, row: (row, first.names[rows])}
    valid = [matrix.valid[rows] for matrix in matrices if matrix.valid is not None]
    if leading:
        coords[leading] = (leading, np.array([file.entities[leading] for file in files]))
        if valid:
            coords[_VALID] = ((leading, row), np.stack(valid))
        return without_grid(request, stack(data), (leading, row, feature), coords)
    if valid:
        coords[_VALID] = (row, valid[0])
    return without_grid(request, data[0], (row, feature), coords)


def _matrix(request: Request, file: LocalFile) -> _Matrix:
    layout = request.artifact.layout
    values = stored(file.path, layout, "values", 2)
    names = stored(file.path, layout, "image", 1)
    valid = stored(file.path, layout, _VALID, 1) if _VALID in layout.datasets else None
    for other in filter(None, (names, valid)):
        if other.shape[0] != values.shape[0]:
            raise DataFormatError(
                f"{file.path}: dataset {values.name} has {values.shape[0]} rows, {other.name} has {other.shape[0]}; "
                "download it again"
            )
    marks = None if valid is None else read_rows(valid, np.arange(valid.shape[0]), np.dtype(bool))
    return _Matrix(values, _names(names, layout), marks)


def _names(source: Stored, layout: Layout) -> Array:
    """Return the names of the rows; each stands once."""
    names = read_text(source)
    wrong = wrong_name(names.tolist(), layout.names) if layout.names else None
    if wrong:
        row, why = wrong
        raise DataFormatError(f"{source.path}, dataset {source.name}, row {row}: {why}. Download the file again")
    found, first, counts = np.unique(names, return_index=True, return_counts=True)
    if len(found) < len(names):
        twice = names[first[counts > 1].min()]
        rows = np.flatnonzero(names == twice)
        raise DataFormatError(
            f"{source.path}, dataset {source.name} names {twice} in rows {rows[0]} and {rows[1]}; download it again"
        )
    return names


def _require_alike(matrices: Sequence[_Matrix]) -> None:
    first = matrices[0]
    for matrix in matrices[1:]:
        one, other = first.values, matrix.values
        if (one.shape, one.dtype) != (other.shape, other.dtype):
            why = f"{one.path} has {one.dtype} {one.shape}, {other.path} has {other.dtype} {other.shape}"
        elif not np.array_equal(first.names, matrix.names):
            row = np.flatnonzero(first.names != matrix.names)[0]
            why = f"row {row} is {first.names[row]} in {one.path} and {matrix.names[row]} in {other.path}"
        else:
            continue
        raise SelectionError(f"matrices that are not alike cannot be stacked: {why}; read them one at a time")


def _rows(images: Sequence[str] | None, matrix: _Matrix) -> Array:
    if images is None:
        return np.arange(len(matrix.names))
    row_of = {str(name): row for row, name in enumerate(matrix.names)}
    require_names("images", images, row_of, matrix.values.path)
    return np.array([row_of[image] for image in images], dtype=np.int64)
