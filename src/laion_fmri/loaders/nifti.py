"""NIfTI files: what the header says, and the data volume by volume.

Values come out as the header means them: byte order, type and scaling honoured, NaN kept. Volumes are counted from 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from laion_fmri.errors import DataFormatError, RemoteError
from laion_fmri.loaders.sieve import Marked, Sieve, Whole
from laion_fmri.loaders.streams import UNREADABLE, find_fault, first_bytes, open_stream

Array = NDArray[Any]

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

    @property
    def size(self) -> int:
        """Size of the uncompressed file, as the header announces it."""
        return self.offset + self.volumes * self.volume_bytes

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
        found = _header(path)
    except RemoteError:
        raise
    except (HeaderDataError, *UNREADABLE) as error:
        raise DataFormatError(f"{path} cannot be read as NIfTI: {error}; download it again") from error
    shape, dtype = found.get_data_shape(), found.get_data_dtype()
    if len(shape) not in (3, 4) or dtype.kind not in "iuf":
        raise DataFormatError(f"{path} has shape {shape} and type {dtype}; expected 3-D volumes of real numbers")
    slope, inter = found.get_slope_inter()
    return Header(
        path,
        shape[:3],
        math.prod(shape[3:]),
        found.get_best_affine().astype(np.float64),
        dtype,
        found.get_data_offset(),
        1.0 if slope is None else float(slope),
        0.0 if inter is None else float(inter),
        _seconds(found),
    )


def _header(path: Path) -> Any:
    """Return what the first bytes of a file say, as nibabel understands them."""
    start = first_bytes(path, Nifti2Header.sizeof_hdr)
    for kind in (Nifti1Header, Nifti2Header):
        if kind.may_contain_header(start):
            return kind(start[: kind.sizeof_hdr])
    raise HeaderDataError("it begins with no header of NIfTI-1 or NIfTI-2")


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
    (values,) = each_volume(header, np.array([0]), Whole(header.grid), dtype)
    return values.astype(dtype, copy=False).reshape(header.grid)


def read_mask(header: Header) -> Array:
    """Return which voxels of the grid, flat in C order, a file of one volume marks: with a value that is not 0 or NaN.

    Raises
    ------
    DataFormatError
        If the file is damaged or holds several volumes.
    """
    require_one_volume(header)
    (positions,) = each_volume(header, np.array([0]), Marked(header.grid), np.dtype(bool))
    marked = np.zeros(math.prod(header.grid), bool)
    marked[positions] = True
    return marked


def each_volume(
    header: Header,
    volumes: Array,
    sieve: Sieve | Whole | Marked,
    dtype: np.dtype[Any],
    out: Array | None = None,
) -> Iterator[Array]:
    """Yield what is wanted of some volumes, one volume after the other, each good until the next.

    Parameters
    ----------
    header : Header
        Of the file.
    volumes : array of int, shape (n_volumes,)
        The wanted volumes, ascending. The file is decoded to its end, where its checksum is.
    sieve : Sieve, Whole or Marked
        Knows what is wanted: the values at some voxels, known by offsets with i fastest, or which voxels have a value.
    dtype : dtype
        As bool, a value is True where it is neither 0 nor NaN; for any other, the values come in the type that they are
        stored in or scaled to.
    out : array, shape (n_volumes, voxel), optional
        The values are put there too, and without a detour where they are stored in its type.

    Raises
    ------
    DataFormatError
        If the file is damaged, naming the volume, or goes on after its last.
    """
    volume, pick = 0, sieve.picker(header.dtype, partial(_values, header, dtype))
    try:
        with open_stream(header.path) as stream:
            for number, volume in enumerate(volumes.tolist()):
                row = None if out is None else out[number]
                values = pick(stream, header.offset + volume * header.volume_bytes, row)
                if row is not None and values is not row:
                    row[:] = values
                yield values
            size = stream.size()
            volume = _volume_at(header, size)
            _require_size(header, size)
    except RemoteError:
        raise
    except UNREADABLE as error:
        raise _damaged(header, volume, str(error)) from error


def _values(header: Header, dtype: np.dtype[Any], stored: Array) -> Array:
    """Return stored numbers as what they mean; bool where that is wanted."""
    values = stored
    if (header.slope, header.inter) != (1.0, 0.0):
        values = values.astype(np.float64) * header.slope + header.inter
    if dtype.kind != "b":
        return values
    marked: Array = values != 0
    return marked & ~np.isnan(values) if values.dtype.kind == "f" else marked


def _volume_at(header: Header, byte: int) -> int:
    """Return the volume that a byte of the unpacked file belongs to, or the nearest."""
    return min(max(byte - header.offset, 0) // header.volume_bytes, header.volumes - 1)


def _require_size(header: Header, size: int) -> None:
    if size < header.size:
        raise EOFError(f"its data end at byte {size}, not at byte {header.size} as its header announces")
    if size > header.size:
        raise DataFormatError(
            f"{header.path} goes on after its last volume, which ends at byte {header.size} of the unpacked data, "
            f"to byte {size}; download it again"
        )


def _damaged(header: Header, volume: int, why: str) -> DataFormatError:
    """Return the error for a file that could not be read on at a volume, or could not be unpacked at an earlier one."""
    fault = find_fault(header.path)
    if fault:
        why, volume = fault.why, _volume_at(header, fault.unpacked)
    return DataFormatError(
        f"{header.path} is damaged in volume {volume} of 0 to {header.volumes - 1}: {why}; download it again"
    )
