"""What one block of an answer is made of: volumes of a file, z-scored or not, or the mean of such volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from laion_fmri.loaders.nifti import Array, Header, each_volume, read_voxels


class Part(Protocol):
    """What fills a block."""

    def read(self, offsets: Array, out: Array) -> None:
        """Put the values at some voxels into a block, shape (row, voxel)."""


@dataclass(frozen=True)
class Volumes:
    """Volumes of a file, one for each row.

    Attributes
    ----------
    header : Header
        Of the file.
    volumes : array of int
        Which volumes, ascending.
    zscore : bool
        Whether each voxel is z-scored over all volumes of the file.
    """

    header: Header
    volumes: Array
    zscore: bool = False

    def read(self, offsets: Array, out: Array) -> None:
        """Put the values at some voxels into a block."""
        if self.zscore and len(self.volumes):
            self._read_zscored(offsets, out)
        else:
            read_voxels(self.header, self.volumes, offsets, out)

    def _read_zscored(self, offsets: Array, out: Array) -> None:
        rows = dict(zip(self.volumes.tolist(), out, strict=True))
        moments = Moments(len(offsets))
        every = np.arange(self.header.volumes)
        for volume, stored in enumerate(each_volume(self.header, every, offsets, out.dtype)):
            values = stored.astype(out.dtype)
            moments.add(values)
            if volume in rows:
                rows[volume][:] = values
        moments.standardise(out)


class Moments:
    """Mean and deviation of each voxel over volumes that come one by one; NaN does not count.

    By the method of Welford (Technometrics 4, 1962), in float64.
    """

    def __init__(self, voxels: int) -> None:
        self.count = np.zeros(voxels)
        self.mean = np.zeros(voxels)
        self.squares = np.zeros(voxels)

    def add(self, values: Array) -> None:
        """Take one more volume, shape (voxel,)."""
        known = ~np.isnan(values)
        values = np.where(known, values, self.mean)
        self.count += known
        difference = values - self.mean
        self.mean += difference / np.maximum(self.count, 1)
        self.squares += difference * (values - self.mean)

    def standardise(self, rows: Array) -> None:
        """Turn values into z-scores in place; of a voxel that never changes they are 0."""
        varies = self.squares > 0
        deviation = np.sqrt(np.divide(self.squares, self.count, out=np.ones_like(self.mean), where=varies))
        for row in rows:
            row[:] = (row - self.mean) / deviation


@dataclass(frozen=True)
class Mean:
    """The mean of volumes that belong together; NaN does not count.

    Attributes
    ----------
    parts : sequence of Volumes
        All volumes.
    rows : sequence of array of int
        Which row of the block each volume of a part belongs to.
    """

    parts: Sequence[Volumes]
    rows: Sequence[Array]

    def read(self, offsets: Array, out: Array) -> None:
        """Put the means at some voxels into a block; the volumes of one part at a time are in memory."""
        out[:] = 0
        counts = np.zeros(out.shape, np.uint16)
        for part, rows in zip(self.parts, self.rows, strict=True):
            block = np.empty((len(rows), len(offsets)), out.dtype)
            part.read(offsets, block)
            for row, values in zip(rows, block, strict=True):
                known = ~np.isnan(values)
                out[row] += np.where(known, values, 0)
                counts[row] += known
        with np.errstate(invalid="ignore"):
            np.divide(out, counts, out=out)
