"""NIfTI files: what the header says, and the data volume by volume.

A compressed file is decoded as a stream that holds one volume at a time; a plain file is mapped into memory.
Values come out as the header means them: byte order, type and scaling honoured, NaN kept. Volumes are counted
from 0.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from laion_fmri.errors import DataFormatError

Array = NDArray[Any]

_UNREADABLE = (ImageFileError, HeaderDataError, OSError, EOFError, zlib.error)
_CHUNK = 2**16
_SECONDS = {0: 1.0, 8: 1.0, 16: 1e-3, 24: 1e-6}  # by the header's code of time units; 0 does not say, so BIDS holds
_TIME_UNITS = 0b111000
_TOLERANCE = 1e-3  # of an affine's entries: mm, and mm per voxel


@dataclass(frozen=True, eq=False)
class Header:
    """What the header of a NIfTI file says.

    Attributes
    ----------
    path : Path
        The file.
    grid : tuple of int
        Number of voxels along i, j and k.
    volumes : int
        Number of volumes; 1 for a 3-D file.
    affine : array of float64, shape (4, 4)
        From voxel indices to millimetres.
    dtype : dtype
        Type and byte order on disk.
    offset : int
        Where the data begin, in bytes of the uncompressed file.
    slope, inter : float
        A value is ``slope * stored + inter``.
    seconds : float
        From one volume to the next; NaN where the header does not say.
    """

    path: Path
    grid: tuple[int, ...]
    volumes: int
    affine: Array
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float
    seconds: float

    @property
    def volume_bytes(self) -> int:
        """Size of one uncompressed volume."""
        return math.prod(self.grid) * self.dtype.itemsize

    def grid_text(self) -> str:
        """Return the grid as a message shows it."""
        rows = " / ".join(" ".join(f"{value:.6g}" for value in row) for row in self.affine[:3])
        return f"{' x '.join(map(str, self.grid))} with affine {rows}"


def read_header(path: Path) -> Header:
    """Read the header of a NIfTI-1 or NIfTI-2 file.

    Raises
    ------
    DataFormatError
        If the file is not one, or holds something else than 3-D volumes of real numbers.
    """
    try:
        image = nibabel.load(path)
    except _UNREADABLE as error:
        raise DataFormatError(f"{path} cannot be read as NIfTI: {error}; download it again") from error
    if not isinstance(image, nibabel.Nifti1Image):
        raise DataFormatError(f"{path} is a {type(image).__name__}; expected a NIfTI-1 or NIfTI-2 file")
    data = image.dataobj
    if len(data.shape) not in (3, 4) or data.dtype.kind not in "iuf":
        raise DataFormatError(
            f"{path} has shape {data.shape} and type {data.dtype}; expected 3-D volumes of real numbers"
        )
    return Header(
        path,
        data.shape[:3],
        math.prod(data.shape[3:]),
        image.affine,
        data.dtype,
        data.offset,
        float(data.slope),
        float(data.inter),
        _seconds(image.header),
    )


def _seconds(header: Any) -> float:
    unit = _SECONDS.get(int(header["xyzt_units"]) & _TIME_UNITS, math.nan)
    step = float(str(header["pixdim"][4])) * unit  # the number that was meant: 1.9, and not 1.89999998
    return step if step > 0 else math.nan


def same_grid(one: Header, other: Header) -> bool:
    """Tell whether two files lie on one grid: equal shapes, and affines that differ by less than 0.001."""
    return one.grid == other.grid and np.allclose(one.affine, other.affine, rtol=0, atol=_TOLERANCE)


def require_same_grid(one: Header, other: Header) -> None:
    """Raise DataFormatError, naming files and grids, unless two files lie on one grid."""
    if not same_grid(one, other):
        raise DataFormatError(
            f"two files that belong together lie on different grids: {one.path} has {one.grid_text()}, "
            f"{other.path} has {other.grid_text()}; choose files of one grid, or download both again"
        )


def require_one_volume(header: Header) -> None:
    """Raise DataFormatError unless a file holds a single volume."""
    if header.volumes != 1:
        raise DataFormatError(f"{header.path} holds {header.volumes} volumes where one is expected; download it again")


def read_volume(header: Header, dtype: np.dtype[Any]) -> Array:
    """Read a file of one volume.

    Parameters
    ----------
    header : Header
        Of the file.
    dtype : dtype
        Type of the answer. As bool, a value is True where it is neither 0 nor NaN.

    Returns
    -------
    array of dtype, shape (i, j, k)

    Raises
    ------
    DataFormatError
        If the file is damaged or holds several volumes.
    """
    require_one_volume(header)
    (stored,) = _stored_volumes(header, np.array([0]))
    return _values(stored, header, dtype).astype(dtype).reshape(header.grid, order="F")


def each_volume(header: Header, volumes: Array, offsets: Array, dtype: np.dtype[Any]) -> Iterator[Array]:
    """Yield the values at some voxels of some volumes, one volume after the other.

    Parameters and errors as for `read_voxels`; only bool is converted to, for any other `dtype` the values come in the
    type that they are stored in or scaled to.
    """
    for stored in _stored_volumes(header, volumes):
        yield _values(stored[offsets], header, dtype)


def read_voxels(header: Header, volumes: Array, offsets: Array, out: Array) -> None:
    """Read some voxels of some volumes; nothing else is kept in memory but one volume.

    Parameters
    ----------
    header : Header
        Of the file.
    volumes : array of int, shape (n_volumes,)
        The wanted volumes, ascending. Decoding stops after the last.
    offsets : array of int, shape (n_voxels,)
        Positions of the wanted voxels in a volume as it is stored, i fastest.
    out : array, shape (n_volumes, n_voxels)
        Takes the values, converted to its type. As bool, a value is True where it is neither 0 nor NaN.

    Raises
    ------
    DataFormatError
        If the file is damaged before the end of the last wanted volume, naming the volume.
    """
    for row, values in zip(out, each_volume(header, volumes, offsets, out.dtype), strict=True):
        row[:] = values


def _values(stored: Array, header: Header, dtype: np.dtype[Any]) -> Array:
    """Return stored numbers as what they mean; bool where that is wanted."""
    values = np.asarray(stored)
    if (header.slope, header.inter) != (1.0, 0.0):
        values = values.astype(np.float64) * header.slope + header.inter
    return (values != 0) & ~np.isnan(values) if dtype.kind == "b" else values


def _stored_volumes(header: Header, wanted: Array) -> Iterator[Array]:
    """Yield the wanted volumes, flat and as they are stored."""
    return _streamed(header, wanted) if header.path.suffix == ".gz" else _mapped(header, wanted)


def _streamed(header: Header, wanted: Array) -> Iterator[Array]:
    rows, volume = frozenset(wanted.tolist()), 0
    try:
        with gzip.open(header.path) as stream:
            stream.read(header.offset)
            for volume in range(max(rows, default=-1) + 1):
                data = stream.read(header.volume_bytes)
                if len(data) < header.volume_bytes:
                    raise _damaged(header, volume, "the data end there")
                if volume in rows:
                    yield np.frombuffer(data, header.dtype)
            while header.volumes - 1 in rows and stream.read(_CHUNK):
                pass  # the checksum is compared when the end is reached
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(header, volume, str(error)) from error


def _mapped(header: Header, wanted: Array) -> Iterator[Array]:
    whole = max(0, header.path.stat().st_size - header.offset) // header.volume_bytes
    if whole < header.volumes:
        raise _damaged(header, whole, "the data end there")
    shape = (header.volumes, math.prod(header.grid))
    data = np.memmap(header.path, header.dtype, "r", header.offset, shape)
    for volume in wanted:
        yield data[volume]


def _damaged(header: Header, volume: int, why: str) -> DataFormatError:
    return DataFormatError(
        f"{header.path} is damaged in volume {volume} of 0 to {header.volumes - 1}: {why}; download it again"
    )
