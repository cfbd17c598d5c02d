"""A (row, voxel) answer as a dask array: the request travels to workers, and one of them plans anew what to read.

Chunks are as large as dask wants them: 128 MB, unless its ``array.chunk-size`` says something else. A file that is only
read front to back is read by one task, whose answer is cut along the voxels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from operator import getitem
from typing import Any

import numpy as np

from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import Request
from laion_fmri.loaders.matrix import Matrix, fill
from laion_fmri.loaders.nifti import Array

Planned = Callable[[Request], tuple[Matrix, Any]]
"""Decides what is read from where, without reading any of it."""

_WHOLE = slice(None)


def to_dask(request: Request, matrix: Matrix, planned: Planned) -> Any:
    """Return an answer as a dask array.

    Parameters
    ----------
    request : Request
        What is read.
    matrix : Matrix
        What `planned` makes of it.
    planned : callable
        Can be pickled. It is called again by a worker, once for all tasks.

    Returns
    -------
    dask array, shape (row, voxel)
        It has the same name whenever the same is asked of the same files, so that dask reads them once.
    """
    import dask.array as da
    from dask.base import tokenize

    states = [(str(file.path), file.path.stat().st_size, file.path.stat().st_mtime_ns) for file in request.files]
    token = tokenize(states, matrix)
    name, plan, decoded = f"read-{token}", f"plan-{token}", f"decode-{token}"
    chunks = [(column, piece) for column in range(len(matrix.axes)) for piece in _pieces(matrix, column)]
    tasks: dict[Any, Any] = {plan: (_plan, planned, request, _shape(matrix))}
    for (row, column), part in matrix.parts.items():
        if part.one_pass:
            tasks[decoded, row, column] = (_read, plan, row, column, _WHOLE)
    for row, height in enumerate(matrix.heights):
        for number, (column, piece) in enumerate(chunks):
            if (row, column) not in matrix.parts:
                task: Any = (np.full, (height, piece.stop - piece.start), matrix.missing, matrix.dtype)
            elif (decoded, row, column) in tasks:
                task = (getitem, (decoded, row, column), (_WHOLE, piece))
            else:
                task = (_read, plan, row, column, piece)
            tasks[name, row, number] = task
    widths = tuple(piece.stop - piece.start for _, piece in chunks)
    return da.Array(tasks, name, (tuple(matrix.heights), widths), matrix.dtype)


def _pieces(matrix: Matrix, column: int) -> list[slice]:
    """Cut an axis so that no chunk is larger than dask wants it."""
    import dask
    from dask.utils import parse_bytes

    voxels = len(matrix.axes[column])
    tallest = max(height for row, height in enumerate(matrix.heights) if (row, column) in matrix.parts)
    most = int(parse_bytes(dask.config.get("array.chunk-size")))
    widest = max(1, most // max(1, tallest * matrix.dtype.itemsize))
    count = max(1, -(-voxels // widest))
    return [slice(*ends) for ends in pairwise(voxels * number // count for number in range(count + 1))]


def _shape(matrix: Matrix) -> tuple[list[int], list[int]]:
    return list(matrix.heights), [len(axis) for axis in matrix.axes]


def _plan(planned: Planned, request: Request, shape: tuple[list[int], list[int]]) -> Matrix:
    matrix, _ = planned(request)
    if _shape(matrix) != shape:
        files = ", ".join(str(file.path) for file in request.files)
        raise DataFormatError(f"{files} or what belongs to them were changed after to_dask() was called; call it again")
    return replace(matrix, axes=[replace(axis, values={}) for axis in matrix.axes])


def _read(matrix: Matrix, row: int, column: int, piece: slice) -> Array:
    axis = matrix.axes[column] if piece == _WHOLE else matrix.axes[column].keep(piece)
    values = np.empty((matrix.heights[row], len(axis)), matrix.dtype)
    fill(matrix.parts[row, column], axis, values, matrix.zero)
    return values
