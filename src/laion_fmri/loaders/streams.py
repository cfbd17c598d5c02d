"""The bytes of a file as they are before compression, read front to back.

A compressed file is unpacked by ISA-L where the package `isal` is there, else by the standard library: the same bytes,
half as fast. Whatever either refuses is looked at once more, byte by byte, to say where the damage is.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

UNREADABLE: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
try:
    from isal.igzip import open as open_gzip
    from isal.isal_zlib import IsalError
except ImportError:
    from gzip import open as open_gzip
else:
    UNREADABLE = (*UNREADABLE, IsalError)  # type: ignore[arg-type]  # its stub takes the class for an instance

_STEP = 2**20  # bytes unpacked at once: more gains no speed
_FEED = 2**16
_GZIP = 16 + zlib.MAX_WBITS  # zlib's word for: expect a gzip header


class Stream(Protocol):
    """What a file is read through."""

    def read(self, start: int, count: int) -> bytes:
        """Return `count` unpacked bytes, or raise EOFError where there are fewer; `start` never goes back."""

    def size(self) -> int:
        """Return how many unpacked bytes there are; a compressed file is unpacked to its end, and so checked."""


def open_stream(path: Path) -> AbstractContextManager[Stream]:
    """Open a file; one that is called ``.gz`` is unpacked."""
    return _unpacked(path) if path.suffix == ".gz" else _plain(path)


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first unpacked bytes of a file, or all where there are fewer; what is behind them may be damaged."""
    with path.open("rb", buffering=0) as file:
        if path.suffix != ".gz":
            return file.read(count)
        return zlib.decompressobj(_GZIP).decompress(file.read(_FEED), count)


@contextmanager
def _unpacked(path: Path) -> Iterator[Stream]:
    with path.open("rb", buffering=0) as packed, open_gzip(packed) as file:
        yield _Unpacked(file)


@contextmanager
def _plain(path: Path) -> Iterator[Stream]:
    with path.open("rb", buffering=0) as file:
        yield _Plain(file, path.stat().st_size)


class _Unpacked:
    def __init__(self, file: Any) -> None:
        self._file = file
        self._position = 0

    def read(self, start: int, count: int) -> bytes:
        while self._position < start and self._next(min(_STEP, start - self._position)):
            pass
        data = self._next(count)
        if self._position < start + count:
            raise EOFError(f"its data end at byte {self._position}, unpacked")
        return data

    def size(self) -> int:
        while self._next(_STEP):
            pass
        return self._position

    def _next(self, count: int) -> bytes:
        data: bytes = self._file.read(count)
        self._position += len(data)
        return data


class _Plain:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def read(self, start: int, count: int) -> bytes:
        self._file.seek(start)
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError(f"the file ends at byte {self._size}")
        return data

    def size(self) -> int:
        return self._size


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file.

    Attributes
    ----------
    why : str
        With the byte of the file.
    unpacked : int
        How many bytes were unpacked before.
    """

    why: str
    unpacked: int


def find_fault(path: Path) -> Fault | None:
    """Return what is wrong with a file; None for one that is not compressed, or is whole.

    Examples
    --------
    >>> import gzip, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "cut.gz"
    ...     _ = path.write_bytes(gzip.compress(b"abc", mtime=0)[:20])
    ...     find_fault(path)
    Fault(why='the file ends at byte 20, before its compressed data do', unpacked=3)
    """
    if path.suffix != ".gz":
        return None
    with path.open("rb") as file:
        unpacked = 0
        while (start := _skip_zeros(file)) is not None:  # zeros may stand between members, and after them
            if file.read(2) != b"\x1f\x8b":
                return Fault(f"what begins at byte {start} of the file is not compressed data", unpacked)
            file.seek(start)
            found = _unpack_member(file, unpacked)
            if isinstance(found, Fault):
                return found
            unpacked = found
    return None


def _skip_zeros(file: BinaryIO) -> int | None:
    """Return the position of the next byte that is not zero, and go there."""
    while data := file.read(_FEED):
        if kept := data.lstrip(b"\0"):
            return file.seek(-len(kept), 1)
    return None


def _unpack_member(file: BinaryIO, unpacked: int) -> Fault | int:
    """Unpack one member and leave the file at its end; return how many bytes were unpacked by then."""
    unpack = zlib.decompressobj(_GZIP)
    while not unpack.eof:
        data = fed = file.read(_FEED)
        if not fed:
            return Fault(f"the file ends at byte {file.tell()}, before its compressed data do", unpacked)
        before, known = unpack.copy(), unpacked
        try:
            while data and not unpack.eof:
                unpacked += len(unpack.decompress(data, _STEP))
                data = unpack.unconsumed_tail
        except zlib.error:
            return _exactly(before, fed, file.tell() - len(fed), known)
    file.seek(-len(unpack.unused_data), 1)
    return unpacked


def _exactly(unpack: Any, fed: bytes, start: int, unpacked: int) -> Fault:
    """Feed bytes one by one until the one that is refused; `start` is the position of the first."""
    taken, why = 0, ""
    try:
        for taken in range(len(fed)):
            unpacked += len(unpack.decompress(fed[taken : taken + 1]))
    except zlib.error as error:
        why = str(error).rpartition(": ")[2]
    return Fault(f"{why} at byte {start + taken} of the file", unpacked)
