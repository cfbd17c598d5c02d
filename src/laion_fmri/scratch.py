"""Arrays in temporary files: as large as the disk, and another process gets them by their path."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from laion_fmri.errors import NoSpaceError
from laion_fmri.storage.disk import free_bytes

if TYPE_CHECKING:
    from laion_fmri.loaders.nifti import Array


class ScratchArray:
    """One array in a file that is gone with the process, or the object, that made it.

    A pickled copy opens the same file, and does not keep it alive.

    Parameters
    ----------
    folder : str or Path, optional
        Where the file lies; the system's temporary directory where left out.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        handle, name = tempfile.mkstemp(prefix="laion-fmri-", suffix=".scratch", dir=folder)
        os.close(handle)
        self.path = Path(name)
        self._shape: tuple[int, ...] = (0,)
        self._dtype: Any = "float32"
        self._open: Array | None = None
        weakref.finalize(self, _remove, self.path, os.getpid())

    def allocate(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """Return the array, to be filled; nothing is in it yet.

        Raises
        ------
        NoSpaceError
            If the disk is too full for it.
        """
        import numpy as np

        self.shape, self._dtype = shape, np.dtype(dtype)
        _reserve(self.path, int(np.prod(shape)) * self._dtype.itemsize)
        return self._mapped("r+")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array; it may be made smaller, and then means the first bytes of the file."""
        return self._shape

    @shape.setter
    def shape(self, shape: tuple[int, ...]) -> None:
        self._shape, self._open = shape, None

    @property
    def values(self) -> Array:
        """The array, to be read."""
        if self._open is None:
            self._open = self._mapped("r")
        return self._open

    def _mapped(self, mode: Any) -> Array:
        import numpy as np

        if not all(self._shape):
            return np.empty(self._shape, self._dtype)
        return np.memmap(self.path, self._dtype, mode, shape=self._shape)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}


def _reserve(path: Path, size: int) -> None:
    """Take room for a file: a full disk must not show when it is written through memory."""
    free = free_bytes(path.parent)
    if size > free:
        raise NoSpaceError(
            f"{path.parent} has {free:,} bytes free and {size:,} are needed; choose fewer voxels or sessions, "
            "or name another folder as scratch_dir"
        )
    os.truncate(path, size)
    if size and hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        path.unlink(missing_ok=True)
