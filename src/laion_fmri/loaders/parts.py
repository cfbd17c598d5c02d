"""What one block of an answer is made of: volumes of a file, z-scored or not, or the mean of such volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from laion_fmri.loaders.moments import Moments
from laion_fmri.loaders.nifti import Array
from laion_fmri.loaders.series import Block, NiftiSeries, Series

if TYPE_CHECKING:
    from laion_fmri.loaders.voxels import Axis

_HELD_BYTES = 2**25


class Part(Protocol):
    """What fills a block."""

    @property
    def one_pass(self) -> bool:
        """Whether reading some voxels takes as long as reading all."""

    def read(self, axis: Axis, out: Array) -> None:
        """Put the values at the voxels of an axis into a block, shape (row, voxel)."""


@dataclass(frozen=True)
class Volumes:
    """Volumes of a file, one for each row.

    Attributes
    ----------
    series : Series
        What they are read from.
    volumes : array of int
        Which volumes, ascending.
    zscore : bool
        Whether each voxel is z-scored over all volumes of the file.
    """

    series: Series
    volumes: Array
    zscore: bool = False

    @property
    def one_pass(self) -> bool:
        """See `Part.one_pass`."""
        return isinstance(self.series, NiftiSeries)

    def read(self, axis: Axis, out: Array) -> None:
        """Put the values at the voxels of an axis into a block; the series is read once."""
        if not self.zscore:
            self.series.fill(self.volumes, axis, out)
        elif len(self.volumes):
            moments = Moments(len(axis))
            wanted = np.full(self.series.count, -1)
            wanted[self.volumes] = np.arange(len(self.volumes))
            for rows, columns, values in self._every(axis, out.dtype):
                moments.add(columns, values)
                places = wanted[rows]
                out[places[places >= 0], columns] = values[places >= 0]
            moments.standardise(slice(0, len(axis)), out)

    def blocks(self, axis: Axis, dtype: np.dtype[Any], *, once: bool) -> Iterator[Block]:
        """Yield the values piece by piece, in order for each voxel.

        The series is read twice for z-scores that would take more than 32 MB, unless it may be read only once.
        """
        if not self.zscore:
            yield from self.series.blocks(self.volumes, axis, dtype)
        elif once or len(self.volumes) * len(axis) * dtype.itemsize <= _HELD_BYTES:
            values = np.empty((len(self.volumes), len(axis)), dtype)
            self.read(axis, values)
            yield slice(0, len(values)), slice(0, len(axis)), values
        else:
            moments = Moments(len(axis))
            for _, columns, values in self._every(axis, dtype):
                moments.add(columns, values)
            for rows, columns, values in self.series.blocks(self.volumes, axis, dtype):
                moments.standardise(columns, values)
                yield rows, columns, values

    def _every(self, axis: Axis, dtype: np.dtype[Any]) -> Iterator[Block]:
        return self.series.blocks(np.arange(self.series.count), axis, dtype)


@dataclass(frozen=True)
class Mean:
    """The mean of volumes that belong together; NaN does not count.

    Attributes
    ----------
    parts : sequence of Volumes
        All volumes.
    rows : sequence of array of int
        Which row of the block each volume of a part belongs to.
    once : bool
        Whether no series may be read twice, even if the z-scores of one must all be held for that.
    """

    parts: Sequence[Volumes]
    rows: Sequence[Array]
    once: bool = False

    @property
    def one_pass(self) -> bool:
        """See `Part.one_pass`."""
        return any(part.one_pass for part in self.parts)

    def read(self, axis: Axis, out: Array) -> None:
        """Put the means at the voxels of an axis into a block; sums are kept in the block itself."""
        out[:] = 0
        missing = _Missing(out.shape)
        for part, rows in zip(self.parts, self.rows, strict=True):
            for some, columns, block in part.blocks(axis, out.dtype, once=self.once):
                for row, values in zip(rows[some].tolist(), block, strict=True):
                    out[row, columns] += missing.zeroed(row, columns, values)
        counts = np.bincount(np.concatenate([*self.rows]), minlength=len(out))
        with np.errstate(invalid="ignore"):
            for row, count in enumerate(counts.tolist()):
                out[row] /= count - missing.counts(row)


class _Missing:
    """How many values of a mean are NaN; kept for the voxels that have any, which are few."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        rows, voxels = shape
        self._number = np.full(voxels, -1)
        self._voxels = np.empty(0, np.intp)
        self._counts = np.zeros((0, rows), np.uint16)

    def zeroed(self, row: int, columns: slice, values: Array) -> Array:
        """Return values with 0 for NaN, which is counted."""
        nan = np.isnan(values)
        if not nan.any():
            return values
        voxels = np.flatnonzero(nan) + columns.start
        self._know(voxels[self._number[voxels] < 0])
        self._counts[self._number[voxels], row] += 1
        return np.where(nan, 0, values)

    def _know(self, voxels: Array) -> None:
        if len(voxels):
            self._number[voxels] = np.arange(len(self._voxels), len(self._voxels) + len(voxels))
            self._voxels = np.concatenate([self._voxels, voxels])
            self._counts = np.concatenate([self._counts, np.zeros((len(voxels), self._counts.shape[1]), np.uint16)])

    def counts(self, row: int) -> Array | int:
        """Return how many values of a row were NaN, shape (voxel,)."""
        if not len(self._voxels):
            return 0
        counts = np.zeros(len(self._number), np.uint16)
        counts[self._voxels] = self._counts[:, row]
        return counts
