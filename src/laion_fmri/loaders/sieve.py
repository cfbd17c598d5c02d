"""Picking voxels out of volumes that come piece by piece, so that no volume is ever held whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laion_fmri.loaders.streams import Stream

Meaning = Callable[[NDArray[Any]], NDArray[Any]]
"""Gives the values that stored numbers stand for."""

Picker = Callable[[Stream, int], NDArray[Any]]
"""Gives what is wanted of the volume that begins at a byte of a stream, until the next call.

Raises EOFError if the data end before the last wanted voxel.
"""

_VOXELS = 2**18  # of a piece: few enough to stay in the cache of a core, enough to make calls rare


@dataclass(frozen=True, eq=False)
class _Piece:
    """A stretch of a volume, from its first wanted voxel to its last."""

    start: int
    count: int
    within: NDArray[np.intp]
    found: slice


class Sieve:
    """Where the wanted voxels are in a volume, sorted by the pieces it comes in.

    Parameters
    ----------
    offsets : array of int, shape (voxel,)
        Positions of the wanted voxels in a volume as it is stored, in any order.
    """

    def __init__(self, offsets: NDArray[np.intp]) -> None:
        order = np.argsort(offsets, kind="stable")
        ascending = offsets[order]
        self._places = np.empty_like(order)
        self._places[order] = np.arange(len(order))
        firsts = np.flatnonzero(np.diff(ascending // _VOXELS, prepend=-1)).tolist()
        self._pieces = [_piece(ascending, *ends) for ends in pairwise([*firsts, len(order)])]

    def picker(self, dtype: np.dtype[Any], meaning: Meaning) -> Picker:
        """Return what picks the wanted voxels, in the order of the offsets; memory is taken once for all volumes."""
        found, ordered = np.empty(len(self._places), dtype), np.empty(len(self._places), dtype)

        def pick(stream: Stream, start: int) -> NDArray[Any]:
            for piece in self._pieces:
                stored = _numbers(stream, start + piece.start * dtype.itemsize, piece.count, dtype)
                np.take(stored, piece.within, out=found[piece.found], mode="clip")
            return meaning(np.take(found, self._places, out=ordered, mode="clip"))

        return pick


@dataclass(frozen=True, eq=False)
class Scattered:
    """Wanted voxels as a `Sieve` has them, for a single volume: made in no time, but the volume is held whole."""

    offsets: NDArray[np.intp]
    voxels: int

    def picker(self, dtype: np.dtype[Any], meaning: Meaning) -> Picker:
        """Return what picks the wanted voxels, in the order of the offsets."""
        return lambda stream, start: meaning(_numbers(stream, start, self.voxels, dtype)[self.offsets])


@dataclass(frozen=True)
class Whole:
    """What lets all voxels of a volume pass, in C order."""

    grid: tuple[int, ...]

    def picker(self, dtype: np.dtype[Any], meaning: Meaning) -> Picker:
        """Return what takes all voxels of a volume."""
        voxels = math.prod(self.grid)

        def pick(stream: Stream, start: int) -> NDArray[Any]:
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
        return lambda stream, start: np.concatenate([places(stream, start, first) for first in starts])


def _numbers(stream: Stream, start: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(stream.read(start, count * dtype.itemsize), dtype)


def _piece(ascending: NDArray[np.intp], first: int, end: int) -> _Piece:
    start, last = int(ascending[first]), int(ascending[end - 1])
    return _Piece(start, last - start + 1, ascending[first:end] - start, slice(first, end))
