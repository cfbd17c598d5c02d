"""Loader ``voxel_series``: 4-D files, one volume for each trial, as a (trial, voxel) array.

Options: ``mask_source``, ``roi``, ``stimuli``, ``nc_threshold``, ``nc``, ``noise_ceilings``, ``zscore``, ``average``,
``nan``. Joins: ``trials``, the masks that ``mask_source`` chooses from, ``rois``, those that ``nc`` chooses from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from laion_fmri.catalog.models import Artifact
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import LocalFile, Request, lazy
from laion_fmri.loaders.ceilings import joins_of_ceilings, reaching, with_ceilings
from laion_fmri.loaders.delimited import stack
from laion_fmri.loaders.labels import labelled
from laion_fmri.loaders.matrix import Matrix, keep_columns
from laion_fmri.loaders.parts import Mean, Volumes
from laion_fmri.loaders.store import series_of
from laion_fmri.loaders.store_writer import keep
from laion_fmri.loaders.trials import REPETITION, matching, read_trials, repetitions
from laion_fmri.loaders.voxels import Axis, Owner, joins_of_axis, owner_of, voxel_axes, voxel_coords

_DROP, _ZERO = "drop", "zero"
_COUNT = "n_repetitions"


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading with these options takes."""
    return ("trials", *joins_of_axis(artifact, options), *joins_of_ceilings(artifact, options))


def read(request: Request) -> xr.DataArray:
    """Read the responses of voxels in trials.

    Each file is decoded once, volume by volume, and to its end, so that any damage of it is found; as many files at
    once as there are cores. Beside the answer one volume of each is held in memory. Means of z-scores decode a file
    twice where the wanted trials of it take more than 32 MB.

    Parameters
    ----------
    request : Request
        One or more 4-D files.

    Returns
    -------
    DataArray, shape (trial, voxel)
        Of the dtype of the catalog entry. Trials come in the order of the files, with all columns of the
        trial table and the subject as coordinates; trial_key, the same in every selection; and repetition, how often
        the image was shown to the subject before in the selected sessions, in the order of sessions. Voxels come in
        the C order of the brain mask, with coordinates i, j, k, x, y, z (mm) and the subject; with `roi` also region:
        the labels of the query that the voxel is in, or of a mapping its names, joined by ``+``. Several subjects:
        their voxels one after the other; trials of one in voxels of another are NaN.

        Z-scores are taken over all trials of a session, also those that `stimuli` drops, with the population's
        deviation; NaN does not count, and a voxel that never changes is 0. Means over repetitions come after that,
        with dimensions (image, voxel): one row for each image of a subject, in the order of first appearance, with
        coordinates image (the label), n_repetitions and the subject.

    Raises
    ------
    DataFormatError
        If a file is damaged, files lie on different grids, or a trial table does not fit its volumes.
    SelectionError
        If `roi` is unknown or has no voxel in the brain mask.
    """
    matrix, rows = _planned(request)
    answer = matrix.read(request.allocate or np.empty)
    if request.options.get("nan") == _DROP:
        whole = matrix.whole_voxels(answer)
        axes = [axis.keep(wanted) for axis, wanted in zip(matrix.axes, whole, strict=True)]
        matrix, answer = replace(matrix, axes=axes), keep_columns(answer, np.concatenate(whole))
    return _labelled(request, matrix, rows, answer)


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, lazily; of the 4-D files only headers are read at once.

    A chunk is of one file, or of one subject for means over repetitions, and has 128 MB at most. A file is decoded
    once, by a task that holds the answer of this file (for means: of this subject, and the z-scores of one file), and
    that is then cut along the voxels. Of files with a local store each chunk is read by itself. Refuses ``nan="drop"``,
    for which all values must be read.
    """
    if request.options.get("nan") == _DROP:
        raise SelectionError(
            f'to_dask() does not take nan="{_DROP}": which voxels stay is known when all values are read; '
            "use read(), or compute the array and drop its voxels with NaN then"
        )
    planned = partial(_planned, once=True)
    matrix, rows = planned(request)
    return _labelled(request, matrix, rows, lazy.to_dask(request, matrix, planned))


def optimize(request: Request) -> None:
    """Write the responses of all voxels of the brain mask into the local store of each file that has no right one.

    Of the options only ``mask_source`` matters. See `store_writer.keep`.
    """
    rules = request.artifact.options
    options = {name: rule.default for name, rule in rules.items()} | {"mask_source": request.options["mask_source"]}
    for file in request.files:
        plain = replace(request, files=(file,), options=options, stores=None)
        matrix, rows = _planned(plain)
        (axis,) = matrix.axes
        nothing = np.broadcast_to(matrix.dtype.type(0), (len(rows), len(axis)))
        keep(replace(request, options=options), file, axis, _labelled(plain, matrix, rows, nothing))


@dataclass(frozen=True)
class _Block:
    """Rows of the answer: where their values come from and what the rows are."""

    owner: Owner
    part: Volumes | Mean
    table: pd.DataFrame


def _planned(request: Request, *, once: bool = False) -> tuple[Matrix, pd.DataFrame]:
    """Return where the values come from, with files read only `once` or as memory has it, and what the rows are."""
    options = request.options
    axes = with_ceilings(request, reaching(request, voxel_axes(request)))
    files = [_of_file(request, file, axes[owner_of(request, file)]) for file in request.files]
    average = options.get("average")
    blocks = files
    if average is not None:
        blocks = _averaged(files, request.artifact.options["average"].choices[average], average, once)
    rows = stack([block.table for block in blocks])
    if average is None:
        rows[REPETITION] = repetitions(rows, dict(blocks[0].owner))
    parts = {(row, list(axes).index(block.owner)): block.part for row, block in enumerate(blocks)}
    heights = [len(block.table) for block in blocks]
    dtype = np.dtype(request.artifact.layout.dtype)
    return Matrix(heights, list(axes.values()), parts, dtype, options.get("nan") == _ZERO), rows


def _of_file(request: Request, file: LocalFile, axis: Axis) -> _Block:
    options = request.options
    stimuli = options.get("stimuli")
    pattern = None if stimuli is None else request.artifact.options["stimuli"].choices[stimuli]
    series = series_of(request, file, axis)
    table = read_trials(request, file, series.count, axis.owner)
    volumes = matching(table, pattern)
    part = Volumes(series, volumes, options.get("zscore") is not None)
    return _Block(axis.owner, part, table.iloc[volumes])


def _averaged(blocks: Sequence[_Block], column: str, row: str, once: bool) -> list[_Block]:
    """Return for each owner the mean of the trials that agree in a column, in the order of first appearance."""
    owners = dict.fromkeys(block.owner for block in blocks)
    return [_mean(owner, [block for block in blocks if block.owner == owner], column, row, once) for owner in owners]


def _mean(owner: Owner, blocks: Sequence[_Block], column: str, row: str, once: bool) -> _Block:
    numbers, names = pd.factorize(np.concatenate([block.table[column].to_numpy(object) for block in blocks]))
    ends = np.cumsum([len(block.table) for block in blocks])[:-1]
    parts = [block.part for block in blocks if isinstance(block.part, Volumes)]
    counts = np.bincount(numbers, minlength=len(names))
    table = pd.DataFrame({row: names, _COUNT: counts}).assign(**dict(owner))
    return _Block(owner, Mean(parts, np.split(numbers, ends), once), table)


def _labelled(request: Request, matrix: Matrix, rows: pd.DataFrame, answer: Any) -> xr.DataArray:
    trial, voxel = request.artifact.layout.dims
    row = request.options.get("average") or trial
    coords = voxel_coords(matrix.axes, voxel)
    coords |= _row_coords(rows, row, taken={trial, voxel, *coords})
    array = labelled(request, answer, (row, voxel), coords, [axis.header for axis in matrix.axes])
    if request.options.get("zscore") is not None:
        array.attrs["units"] = "standard deviations"
    return array


def _row_coords(table: pd.DataFrame, dim: str, taken: set[str]) -> dict[str, tuple[str, Any]]:
    clash = sorted(taken.intersection(table))
    if clash:
        raise DataFormatError(f"a trial table has a column {clash[0]}, the name of a coordinate of voxels; rename it")
    text = set(table.select_dtypes(exclude=["number", "bool"]))
    return {str(name): (dim, cells.to_numpy(str if name in text else None, copy=True)) for name, cells in table.items()}
