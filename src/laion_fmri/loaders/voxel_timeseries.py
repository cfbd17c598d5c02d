"""Loader ``voxel_timeseries``: 4-D files, one volume for each moment, as a (time, voxel) array.

Options: ``mask_source`` and, where the entry has them, ``roi`` and ``mask``. Joins: the masks that ``mask_source``
chooses from, ``rois``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from laion_fmri.catalog.models import Artifact
from laion_fmri.loaders import Request, lazy
from laion_fmri.loaders.labels import labelled
from laion_fmri.loaders.matrix import Matrix
from laion_fmri.loaders.nifti import Header, read_header, require_same_grid
from laion_fmri.loaders.parts import Volumes
from laion_fmri.loaders.series import NiftiSeries
from laion_fmri.loaders.timeline import time_coords
from laion_fmri.loaders.voxels import joins_of_axis, owner_of, voxel_axes, voxel_coords


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading with these options takes."""
    return joins_of_axis(artifact, options)


def read(request: Request) -> xr.DataArray:
    """Read series at the voxels of the brain mask.

    Each file is decoded once, volume by volume; beside the answer one volume is held in memory.

    Parameters
    ----------
    request : Request
        One or more 4-D files.

    Returns
    -------
    DataArray, shape (time, voxel)
        Files come one after the other. `time` is in seconds from the first volume of the same file, NaN where its
        header does not say how far apart volumes are; each entity of the files (``run``, ``ses``, ``subject``) is a
        coordinate on it. Voxels come in the C order of the brain mask, with coordinates i, j, k, x, y, z (mm) and
        their subject; with `roi` also region: the labels of the query that the voxel is in, or of a mapping its names,
        joined by ``+``. Several subjects: their voxels one after the other; series of one in voxels of another are
        NaN.

    Raises
    ------
    DataFormatError
        If a file is damaged, or lies on another grid than the brain mask.
    SelectionError
        If `roi` is unknown or has no voxel in the brain mask.
    """
    return _labelled(request, Matrix.read)


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, one chunk for each file."""
    return _labelled(request, lambda matrix: lazy.to_dask(request, matrix, _planned))


def _labelled(request: Request, fetch: Callable[[Matrix], Any]) -> xr.DataArray:
    time, voxel = request.artifact.layout.dims
    matrix, headers = _planned(request)
    coords = {**voxel_coords(matrix.axes, voxel), **time_coords(request.files, headers, time)}
    return labelled(request, fetch(matrix), (time, voxel), coords, [axis.header for axis in matrix.axes])


def _planned(request: Request) -> tuple[Matrix, list[Header]]:
    """Return where the values come from, and the headers of the files."""
    axes = voxel_axes(request)
    headers = [read_header(file.path) for file in request.files]
    parts = {}
    for row, (file, header) in enumerate(zip(request.files, headers, strict=True)):
        owner = owner_of(request, file)
        require_same_grid(header, axes[owner].header)
        parts[row, list(axes).index(owner)] = Volumes(NiftiSeries(header), np.arange(header.volumes))
    heights = [header.volumes for header in headers]
    return Matrix(heights, list(axes.values()), parts, np.dtype(request.artifact.layout.dtype)), headers
