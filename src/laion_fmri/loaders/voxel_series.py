"""Loader ``voxel_series``: 4-D files, one volume for each trial, as a (trial, voxel) array.

Options: ``mask_source``, ``roi``, ``stimuli``, ``nc_threshold``. Joins: ``trials``, the masks that
``mask_source`` chooses from, ``rois``, ``noise_ceiling``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from laion_fmri.catalog.models import Artifact
from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import Request
from laion_fmri.loaders.labels import labelled
from laion_fmri.loaders.matrix import Matrix, Part
from laion_fmri.loaders.nifti import read_header, require_same_grid
from laion_fmri.loaders.table import stack
from laion_fmri.loaders.trials import matching, read_trials
from laion_fmri.loaders.voxels import Axis, Owner, joins_of_axis, owner_of, voxel_axes, voxel_coords


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading with these options takes."""
    ceiling = ["noise_ceiling"] if options.get("nc_threshold") is not None else []
    return ("trials", *joins_of_axis(artifact, options), *ceiling)


def read(request: Request) -> xr.DataArray:
    """Read the responses of voxels in trials.

    Each file is decoded once, volume by volume, and not further than the last wanted trial; beside the answer
    one or two volumes are held in memory.

    Parameters
    ----------
    request : Request
        One or more 4-D files.

    Returns
    -------
    DataArray, shape (trial, voxel)
        Of the dtype of the catalog entry. Trials come in the order of the files, with all columns of the
        trial table and the subject as coordinates. Voxels come in the C order of the brain mask, with
        coordinates i, j, k, x, y, z (mm) and the subject; with `roi` also region: the labels of the query that the
        voxel is in, or of a mapping its names, joined by ``+``. Several subjects: their voxels one after the
        other; trials of one in voxels of another are NaN.

    Raises
    ------
    DataFormatError
        If a file is damaged, files lie on different grids, or a trial table does not fit its volumes.
    SelectionError
        If `roi` is unknown or has no voxel in the brain mask.
    """
    return _labelled(request, Matrix.read)


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, one chunk for each file; of the 4-D files only headers are read at once."""
    return _labelled(request, Matrix.to_dask)


def _labelled(request: Request, fetch: Callable[[Matrix], Any]) -> xr.DataArray:
    layout, options = request.artifact.layout, request.options
    trial, voxel = layout.dims
    axes = _reaching(request, voxel_axes(request))
    stimuli = options.get("stimuli")
    pattern = None if stimuli is None else request.artifact.options["stimuli"].choices[stimuli]

    tables, parts = [], {}
    for row, file in enumerate(request.files):
        owner = owner_of(request, file)
        header = read_header(file.path)
        require_same_grid(header, axes[owner].header)
        table = read_trials(request, file, header, owner)
        volumes = matching(table, pattern)
        tables.append(table.iloc[volumes].assign(**dict(owner)))
        parts[row, list(axes).index(owner)] = Part(header, volumes)
    matrix = Matrix([len(table) for table in tables], list(axes.values()), parts, np.dtype(layout.dtype))
    coords = voxel_coords(axes.values(), voxel)
    coords |= _trial_coords(stack(tables), trial, taken={trial, voxel, *coords})
    return labelled(request, fetch(matrix), layout.dims, coords, [axis.header for axis in axes.values()])


def _reaching(request: Request, axes: dict[Owner, Axis]) -> dict[Owner, Axis]:
    """Return the axes with the voxels whose noise ceiling reaches the threshold in every selected session."""
    threshold = request.options.get("nc_threshold")
    if threshold is None:
        return axes
    kept = dict(axes)
    join = request.artifact.joins["noise_ceiling"]
    for file in request.files:
        (found,) = request.find("noise_ceiling", {k: v for k, v in file.entities.items() if k in join.entities})
        owner = owner_of(request, file)
        ceiling = kept[owner].read_map(found.path, np.dtype(join.layout.dtype))
        kept[owner] = kept[owner].keep(ceiling >= threshold)
    return kept


def _trial_coords(table: pd.DataFrame, dim: str, taken: set[str]) -> dict[str, tuple[str, Any]]:
    clash = sorted(taken.intersection(table))
    if clash:
        raise DataFormatError(f"a trial table has a column {clash[0]}, the name of a coordinate of voxels; rename it")
    text = set(table.select_dtypes(exclude=["number", "bool"]))
    return {str(name): (dim, cells.to_numpy(str if name in text else None)) for name, cells in table.items()}
