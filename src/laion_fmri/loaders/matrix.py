"""A (row, voxel) answer put together from blocks: volumes of one file at the voxels of one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from laion_fmri.loaders.nifti import Array, Header, read_voxels
from laion_fmri.loaders.voxels import Axis


@dataclass(frozen=True)
class Part:
    """The volumes of a file that one block takes, ascending."""

    header: Header
    volumes: Array


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
    """

    heights: Sequence[int]
    axes: Sequence[Axis]
    parts: Mapping[tuple[int, int], Part]
    dtype: np.dtype[Any]

    @property
    def _missing(self) -> float:
        return np.nan if self.dtype.kind == "f" else 0

    def read(self) -> Array:
        """Return the answer; each part is read straight into its block."""
        rows, columns = _slices(self.heights), _slices([len(axis) for axis in self.axes])
        answer = np.full((sum(self.heights), sum(map(len, self.axes))), self._missing, self.dtype)
        for (row, column), part in self.parts.items():
            read_voxels(part.header, part.volumes, self.axes[column].offsets, answer[rows[row], columns[column]])
        return answer

    def to_dask(self) -> Any:
        """Return the answer as a dask array of one chunk for each block."""
        import dask
        import dask.array as da

        offsets = [dask.delayed(axis.offsets) for axis in self.axes]

        def block(row: int, column: int) -> Any:
            shape = (self.heights[row], len(self.axes[column]))
            part = self.parts.get((row, column))
            if part is None:
                return da.full(shape, self._missing, self.dtype, chunks=-1)
            lazy = dask.delayed(_read_part)(part, offsets[column], self.dtype)
            return da.from_delayed(lazy, shape, self.dtype)

        return da.block([[block(row, column) for column in range(len(self.axes))] for row in range(len(self.heights))])


def _read_part(part: Part, offsets: Array, dtype: np.dtype[Any]) -> Array:
    values = np.empty((len(part.volumes), len(offsets)), dtype)
    read_voxels(part.header, part.volumes, offsets, values)
    return values


def _slices(sizes: Sequence[int]) -> list[slice]:
    return [slice(start, stop) for start, stop in pairwise(accumulate(sizes, initial=0))]
