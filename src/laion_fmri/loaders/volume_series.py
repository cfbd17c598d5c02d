"""Loader ``volume_series``: 4-D NIfTI files as they are, on their grid. No options, no joins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from laion_fmri.catalog.models import Artifact
from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import Request, lazy
from laion_fmri.loaders.labels import labelled
from laion_fmri.loaders.matrix import Matrix
from laion_fmri.loaders.nifti import Header, read_header, same_grid
from laion_fmri.loaders.parts import Volumes
from laion_fmri.loaders.series import NiftiSeries
from laion_fmri.loaders.timeline import time_coords
from laion_fmri.loaders.voxels import grid_axis


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> xr.DataArray:
    """Read series of volumes.

    Each file is decoded once, volume by volume; beside the answer one volume is held in memory.

    Parameters
    ----------
    request : Request
        One or more 4-D files of one grid.

    Returns
    -------
    DataArray, shape (time, i, j, k)
        Files come one after the other. `time` is in seconds from the first volume of the same file, NaN where its
        header does not say how far apart volumes are; each entity of the files (``run``, ``echo``) is a coordinate on
        it, so that ``data[data.echo == "1"]`` is the series of one of several files.

    Raises
    ------
    DataFormatError
        If a file is damaged, or the files lie on different grids.
    """
    return _labelled(request, Matrix.read)


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, one chunk for each file."""
    return _labelled(request, lambda matrix: lazy.to_dask(request, matrix, _planned))


def _labelled(request: Request, fetch: Callable[[Matrix], Any]) -> xr.DataArray:
    layout = request.artifact.layout
    matrix, headers = _planned(request)
    data = fetch(matrix)
    data = data.reshape(len(data), *headers[0].grid)
    return labelled(request, data, layout.dims, time_coords(request.files, headers, layout.dims[0]), headers)


def _planned(request: Request) -> tuple[Matrix, list[Header]]:
    """Return where the values come from, and the headers of the files."""
    headers = [read_header(file.path) for file in request.files]
    first = headers[0]
    for header in headers:
        _require_one_grid(first, header)
    parts = {(row, 0): Volumes(NiftiSeries(header), np.arange(header.volumes)) for row, header in enumerate(headers)}
    heights = [header.volumes for header in headers]
    return Matrix(heights, [grid_axis(first)], parts, np.dtype(request.artifact.layout.dtype)), headers


def _require_one_grid(first: Header, header: Header) -> None:
    if not same_grid(header, first):
        raise DataFormatError(
            f"{first.path} has {first.grid_text()}, {header.path} has {header.grid_text()}; "
            "series of different grids cannot be stacked, read them one at a time"
        )
