"""Volumes of one file, wherever their values are read from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from laion_fmri.loaders.nifti import Array, Header, each_volume

if TYPE_CHECKING:
    from laion_fmri.loaders.voxels import Axis

Block = tuple[slice, slice, Array]


class Series(Protocol):
    """What parts of an answer are read from."""

    @property
    def count(self) -> int:
        """Number of volumes."""

    def blocks(self, volumes: Array, axis: Axis, dtype: np.dtype[Any]) -> Iterator[Block]:
        """Yield the values at the voxels of an axis in some volumes, each value once.

        Parameters
        ----------
        volumes : array of int
            The wanted volumes, ascending.
        axis : Axis
            The wanted voxels.
        dtype : dtype
            Type of the values. As bool, a value is True where it is neither 0 nor NaN.

        Yields
        ------
        rows, columns : slice
            Which of the wanted volumes, and which of the voxels.
        values : array of dtype, shape (row, column)
            Good until the next block.
        """

    def fill(self, volumes: Array, axis: Axis, out: Array) -> None:
        """Put the same values into an array, shape (volume, voxel), of the type that is wanted."""


@dataclass(frozen=True)
class NiftiSeries:
    """Volumes of a NIfTI file; blocks are single volumes.

    Attributes
    ----------
    header : Header
        Of the file.
    """

    header: Header

    @property
    def count(self) -> int:
        """Number of volumes."""
        return self.header.volumes

    def blocks(self, volumes: Array, axis: Axis, dtype: np.dtype[Any]) -> Iterator[Block]:
        """Yield the values volume by volume; see `Series.blocks`.

        Raises
        ------
        DataFormatError
            If the file is damaged, or goes on after its last volume.
        """
        if len(volumes):
            for row, values in enumerate(each_volume(self.header, volumes, axis.sieve, dtype)):
                yield slice(row, row + 1), slice(0, len(axis)), values.astype(dtype, copy=False)[np.newaxis]

    def fill(self, volumes: Array, axis: Axis, out: Array) -> None:
        """Decode the volumes straight into an array; see `Series.fill`."""
        if len(volumes):
            deque(each_volume(self.header, volumes, axis.sieve, out.dtype, out), maxlen=0)
