"""Picking voxels out of volumes, in the order that is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laion_fmri.loaders.streams import Stream

Meaning = Callable[[NDArray[Any]], NDArray[Any]]
"""Gives the values that stored numbers stand for."""

Picker = Callable[[Stream, int, NDArray[Any] | None], NDArray[Any]]
"""Gives what is wanted of the volume that begins at a byte of a stream, until the next call.

It may be put into the given row, which is returned then. Raises EOFError if the data end before the last wanted voxel.
"""

_VOXELS = 2**18  # looked at together: few enough to stay in the cache of a core, enough to make calls rare


class Sieve:
    """Where the wanted voxels are in a volume. What is before the first of them, or behind the last, is never held.

    Parameters
    ----------
    offsets : array of int, shape (voxel,)
        Positions of the wanted voxels in a volume as it is stored, in any order.
    """

    def __init__(self, offsets: NDArray[np.intp]) -> None:
        self._first = int(offsets.min()) if len(offsets) else 0
        self._within = offsets - self._first
        self._count = int(self._within.max(initial=-1)) + 1

    def picker(self, dtype: np.dtype[Any], meaning: Meaning) -> Picker:
        """Return what picks the wanted voxels, in the order of the offsets."""
        found = np.empty(len(self._within), dtype)

        def pick(stream: Stream, start: int, row: NDArray[Any] | None) -> NDArray[Any]:
            stored = _numbers(stream, start + self._first * dtype.itemsize, self._count, dtype)
            out = found if row is None or row.dtype != dtype else row
            return meaning(np.take(stored, self._within, out=out, mode="clip"))

        return pick


@dataclass(frozen=True)
class Whole:
    """What lets all voxels of a volume pass, in C order."""

    grid: tuple[int, ...]

    def picker(self, dtype: np.dtype[Any], meaning: Meaning) -> Picker:
        """Return what takes all voxels of a volume."""
        voxels = math.prod(self.grid)

        def pick(stream: Stream, start: int, row: NDArray[Any] | None) -> NDArray[Any]:
            return meaning(_numbers(stream, start, voxels, dtype)).reshape(self.grid, order="F").flatten()

        return pick


@dataclass(frozen=True)
class Marked:
    """What finds the voxels whose value is not 0, and gives in place of their values where they are in C order."""

    grid: tuple[int, ...]

    def picker(self, dtype: np.dtype[Any], meaning: Meaning) -> Picker:
        """Return what finds the voxels of a volume, which come in no order."""
        voxels = math.prod(self.grid)

        def places(stream: Stream, start: int, first: int) -> NDArray[Any]:
            count = min(_VOXELS, voxels - first)
            stored = _numbers(stream, start + first * dtype.itemsize, count, dtype)
            offsets = first + np.flatnonzero(meaning(stored))
            return np.ravel_multi_index(np.unravel_index(offsets, self.grid, order="F"), self.grid)

        starts = range(0, voxels, _VOXELS)
        return lambda stream, start, row: np.concatenate([places(stream, start, first) for first in starts])


def _numbers(stream: Stream, start: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(stream.read(start, count * dtype.itemsize), dtype)
