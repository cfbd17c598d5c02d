"""A (row, voxel) answer put together from blocks: some rows at the voxels of one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from laion_fmri.loaders import Allocate
from laion_fmri.loaders.nifti import Array
from laion_fmri.loaders.parts import Part
from laion_fmri.loaders.voxels import Axis
from laion_fmri.loaders.workers import each


@dataclass(frozen=True)
class Matrix:
    """Where each block of the answer comes from.

    Attributes
    ----------
    heights : sequence of int
        Number of rows of each row of blocks.
    axes : sequence of Axis
        Voxels of each column of blocks.
    parts : mapping of (int, int) to Part
        By row and column of blocks. What is left out is NaN, or False.
    dtype : dtype
        Type of the answer.
    zero : bool
        Whether NaN in a part becomes 0.
    """

    heights: Sequence[int]
    axes: Sequence[Axis]
    parts: Mapping[tuple[int, int], Part]
    dtype: np.dtype[Any]
    zero: bool = False

    @property
    def missing(self) -> float:
        """What stands where no part is."""
        return np.nan if self.dtype.kind == "f" else 0

    def _blocks(self, answer: Array) -> dict[tuple[int, int], Array]:
        """Return the part of an answer that each part fills."""
        rows, columns = _slices(self.heights), _slices([len(axis) for axis in self.axes])
        return {(row, column): answer[rows[row], columns[column]] for row, column in self.parts}

    def read(self, allocate: Allocate = np.empty) -> Array:
        """Return the answer in new memory; parts are read straight into their blocks, several at once."""
        answer: Array = allocate((sum(self.heights), sum(map(len, self.axes))), self.dtype)
        if len(self.parts) < len(self.heights) * len(self.axes):
            answer[:] = self.missing
        blocks = [(self.parts[place], self.axes[place[1]], block) for place, block in self._blocks(answer).items()]
        each(lambda block: fill(*block, self.zero), blocks)
        return answer

    def whole_voxels(self, answer: Array) -> list[Array]:
        """Return for each axis which of its voxels have no NaN in any part."""
        whole = [np.ones(len(axis), bool) for axis in self.axes]
        for (_, column), block in self._blocks(answer).items():
            for row in block:
                whole[column] &= ~np.isnan(row)
        return whole


def keep_columns(answer: Array, wanted: Array) -> Array:
    """Return an array with some of its columns, in the memory of the array itself, which is lost.

    Examples
    --------
    >>> keep_columns(np.arange(6.0).reshape(2, 3), np.array([True, False, True]))
    array([[0., 2.],
           [3., 5.]])
    """
    flat, width = answer.reshape(-1), int(wanted.sum())
    for number, row in enumerate(answer):
        flat[number * width : (number + 1) * width] = row[wanted]
    return flat[: len(answer) * width].reshape(len(answer), width)


def fill(part: Part, axis: Axis, out: Array, zero: bool) -> None:
    """Put the values of a part into a block, and 0 for NaN where that is wanted."""
    part.read(axis, out)
    if zero:
        for row in out:
            row[np.isnan(row)] = 0


def _slices(sizes: Sequence[int]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(accumulate(sizes, initial=0))]
