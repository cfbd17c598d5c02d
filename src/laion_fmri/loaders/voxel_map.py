"""Loader ``voxel_map``: 3-D maps as values on the voxel axis of a brain mask.

Options: ``mask_source`` and, where the entry has it, ``roi``. Joins: the masks that ``mask_source`` chooses
from, ``rois``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from laion_fmri.catalog.models import Artifact
from laion_fmri.loaders import Request, lazy
from laion_fmri.loaders.labels import labelled, varying
from laion_fmri.loaders.matrix import Matrix
from laion_fmri.loaders.nifti import read_header
from laion_fmri.loaders.parts import Volumes
from laion_fmri.loaders.series import NiftiSeries
from laion_fmri.loaders.voxels import joins_of_axis, owner_of, require_map, voxel_axes, voxel_coords


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading with these options takes."""
    return joins_of_axis(artifact, options)


def read(request: Request) -> xr.DataArray:
    """Read maps at the voxels of the brain mask.

    Parameters
    ----------
    request : Request
        One or more 3-D files.

    Returns
    -------
    DataArray, shape (voxel,) or (entity, voxel)
        The leading dimension is the first of the layout (ROIs: ``label``, localizers: ``contrast``), with the
        other entities as coordinates on it; or else the entity in which the files differ (``ses``, ``desc``), and
        entities that all files share are scalar coordinates. Voxels have coordinates i, j, k, x, y, z (mm) and their
        subject; with `roi` also region: the labels of the query that the voxel is in, or of a mapping its names,
        joined by ``+``. Several subjects: their voxels one after the other, NaN or False where a subject has no
        such map. As bool, a value is True where it is neither 0 nor NaN.

    Raises
    ------
    DataFormatError
        If a file is damaged, or lies on another grid than the brain mask.
    SelectionError
        If the files differ in several entities, or `roi` is unknown or has no voxel in the brain mask.
    """
    return _labelled(request, Matrix.read)


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, each map read when it is computed."""
    return _labelled(request, lambda matrix: lazy.to_dask(request, matrix, _planned))


def _labelled(request: Request, fetch: Callable[[Matrix], Any]) -> xr.DataArray:
    layout = request.artifact.layout
    *named, voxel = layout.dims
    matrix, (names, rows) = _planned(request)

    leading = named[0] if named else varying(request.files, names)
    coords: dict[str, Any] = voxel_coords(matrix.axes, voxel)
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        on_leading = bool(named) or name == leading
        coords[name] = (leading, np.array(values)) if on_leading else values[0]
    headers = [axis.header for axis in matrix.axes]
    if leading:
        return labelled(request, fetch(matrix), (leading, voxel), coords, headers)
    return labelled(request, fetch(matrix)[0], (voxel,), coords, headers)


def _planned(request: Request) -> tuple[Matrix, tuple[list[str], list[tuple[str, ...]]]]:
    """Return where the values come from; and the entities that tell rows apart, with their values in each row."""
    axes = voxel_axes(request)
    owners = [owner_of(request, file) for file in request.files]
    names = [name for name in request.files[0].entities if name not in dict(owners[0])]
    keys = [tuple(file.entities[name] for name in names) for file in request.files]
    rows = list(dict.fromkeys(keys))
    parts = {}
    for file, owner, key in zip(request.files, owners, keys, strict=True):
        header = read_header(file.path)
        require_map(header, axes[owner])
        parts[rows.index(key), list(axes).index(owner)] = Volumes(NiftiSeries(header), np.array([0]))
    dtype = np.dtype(request.artifact.layout.dtype)
    return Matrix([1] * len(rows), list(axes.values()), parts, dtype), (names, rows)
