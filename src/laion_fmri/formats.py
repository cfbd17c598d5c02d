"""Whether a file can be what its name says: looked at from its first byte to its last, without any other file.

What there is no check for passes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

from laion_fmri.loaders.streams import UNREADABLE, find_fault, open_stream
from laion_fmri.storage.sniff import mismatch

_START = 512  # bytes


def format_mistake(path: Path) -> str | None:
    """Return what is wrong with a file; None where nothing is, or nothing can be told.

    Compressed data are unpacked to their end, where their checksum is. The header of a NIfTI file has to announce as
    many bytes as there are. All datasets of an HDF5 file have to be found; their values are not read. JSON is parsed.

    Parameters
    ----------
    path : Path
        The file; the end of its name says what it is.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_START)
    if not start:
        return "it is empty"
    found = mismatch(path.name, start)
    checks = (check for ending, check in _CHECKS.items() if path.name.endswith(ending))
    return found or next((mistake for check in checks if (mistake := check(path))), None)


def _compressed(path: Path) -> str | None:
    try:
        with open_stream(path) as stream:
            stream.size()
    except UNREADABLE as error:
        if getattr(error, "errno", None):
            raise
        fault = find_fault(path)
        return fault.why if fault else str(error)
    return None


def _nifti(path: Path) -> str | None:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        data = nibabel.load(path).dataobj
        announced = data.offset + math.prod(data.shape) * data.dtype.itemsize
        with open_stream(path) as stream:
            size = stream.size()
    except (ImageFileError, HeaderDataError, *UNREADABLE) as error:
        if getattr(error, "errno", None):
            raise
        fault = find_fault(path)
        return fault.why if fault else f"it cannot be read as NIfTI: {error}"
    if size != announced:
        return f"it holds {size:,} bytes, unpacked, where its header announces {announced:,}"
    return None


def _hdf5(path: Path) -> str | None:
    import h5py

    try:
        with h5py.File(path) as file:
            file.visititems(lambda name, member: None)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        return f"it cannot be read as HDF5: {error}"
    return None


def _json(path: Path) -> str | None:
    try:
        json.loads(path.read_bytes())
    except ValueError as error:
        return f"it cannot be read as JSON: {error}"
    return None


_CHECKS: dict[str, Callable[[Path], str | None]] = {
    ".nii": _nifti,
    ".nii.gz": _nifti,
    ".gz": _compressed,
    ".h5": _hdf5,
    ".json": _json,
}
