"""Mean and deviation of each voxel over volumes that come one by one."""

from __future__ import annotations

import numpy as np

from laion_fmri.loaders.nifti import Array


class Moments:
    """Sums over volumes, in float64; NaN does not count.

    Sums are of differences from the first value of each voxel, so that large numbers keep their digits. They are taken
    volume by volume: the same, to the last bit, however the volumes are cut into blocks.

    Parameters
    ----------
    voxels : int
        How many.

    Examples
    --------
    >>> moments, values = Moments(1), np.array([[1e9], [1e9 + 2], [np.nan]])
    >>> moments.add(slice(0, 1), values)
    >>> moments.standardise(slice(0, 1), values)
    >>> values.ravel()
    array([-1.,  1., nan])
    """

    def __init__(self, voxels: int) -> None:
        self._first = np.full(voxels, np.nan)
        self._count = np.zeros(voxels)
        self._sum = np.zeros(voxels)
        self._squares = np.zeros(voxels)

    def add(self, columns: slice, rows: Array) -> None:
        """Take values of some voxels, shape (row, column)."""
        first, count = self._first[columns], self._count[columns]
        total, squares = self._sum[columns], self._squares[columns]
        for row in rows:
            unset = np.isnan(first)
            if unset.any():
                first[unset] = row[unset]
            difference = row - first
            known = ~np.isnan(difference)
            count += known
            if not known.all():
                difference[~known] = 0
            total += difference
            difference *= difference
            squares += difference

    def standardise(self, columns: slice, rows: Array) -> None:
        """Turn values of some voxels into z-scores in place; of a voxel that never changes they are 0."""
        count = np.maximum(self._count[columns], 1)
        shift = self._sum[columns] / count
        variance = self._squares[columns] / count - shift**2
        mean = self._first[columns] + shift
        deviation = np.sqrt(np.where(variance > 0, variance, 1))
        for row in rows:
            row[:] = (row - mean) / deviation
