"""The checksum of a file, computed while its parts arrive in any order."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Protocol

from laion_fmri.storage.pieces import Span

try:
    from isal.isal_zlib import crc32, crc32_combine

    _COMBINES = True
except ImportError:
    from zlib import crc32

    _COMBINES = False

_READ = 1 << 20
_MD5 = re.compile('"([0-9a-f]{32})"')


def md5_of(etag: str | None) -> str | None:
    """Return the MD5 that the ETag of an S3 object is; None where it was uploaded in parts, and is something else.

    Examples
    --------
    >>> md5_of('"d41d8cd98f00b204e9800998ecf8427e"')
    'd41d8cd98f00b204e9800998ecf8427e'
    >>> md5_of('"d41d8cd98f00b204e9800998ecf8427e-2"')
    """
    found = _MD5.fullmatch(etag or "")
    return found[1] if found else None


class Hash(Protocol):
    """A checksum that is being computed."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the checksum of the bytes so far, as hexadecimal digits."""


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = crc32(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


def new_hash(algorithm: str) -> Hash:
    """Return the computation of a checksum: ``"sha256"``, ``"md5"`` or ``"crc32"``.

    Examples
    --------
    >>> crc = new_hash("crc32")
    >>> crc.update(b"123456789")
    >>> crc.hexdigest()
    'cbf43926'
    """
    return _Crc32() if algorithm == "crc32" else hashlib.new(algorithm, usedforsecurity=False)


def file_digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file, as hexadecimal digits."""
    digest, buffer = new_hash(algorithm), memoryview(bytearray(_READ))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


class Digest(Protocol):
    """The checksum of what is written into a file, its parts in any order."""

    def restart(self) -> None:
        """Forget everything."""

    def add(self, place: int, data: bytes | memoryview) -> None:
        """Take bytes that were written at a place."""

    def catch_up(self, done: Iterable[Span]) -> None:
        """Take what is written without gaps, if that is still to be done."""

    def finish(self, size: int) -> str:
        """Return the checksum of a file that is whole, as hexadecimal digits."""


def new_digest(algorithm: str, fd: int) -> Digest:
    """Return the computation of the checksum of a file.

    Parameters
    ----------
    algorithm : {"sha256", "md5", "crc32"}
        Name of the checksum.
    fd : int
        The file, open for reading.
    """
    return DigestOfParts(fd) if algorithm == "crc32" and _COMBINES else DigestInOrder(algorithm, fd)


class DigestInOrder:
    """A checksum that takes bytes in order: as they come, or, where they came before their turn, from the file.

    Parameters
    ----------
    algorithm, fd
        As of `new_digest`.
    """

    def __init__(self, algorithm: str, fd: int) -> None:
        self._algorithm = algorithm
        self._fd = fd
        self._lock = Lock()
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self._hash = new_hash(self._algorithm)
        self._place = 0

    def add(self, place: int, data: bytes | memoryview) -> None:
        """Take bytes that were written at a place, if it is their turn and no other thread is at it."""
        if place == self._place and self._lock.acquire(blocking=False):
            try:
                if place == self._place:
                    self._hash.update(data)
                    self._place += len(data)
            finally:
                self._lock.release()

    def catch_up(self, done: Iterable[Span]) -> None:
        """Take what is written without gaps, unless another thread is at it."""
        if self._lock.acquire(blocking=False):
            try:
                self._read(done)
            finally:
                self._lock.release()

    def _read(self, done: Iterable[Span]) -> None:
        for start, stop in done:
            if start <= self._place < stop:
                for data in _bytes_of(self._fd, self._place, stop):
                    self._hash.update(data)
                    self._place += len(data)

    def finish(self, size: int) -> str:
        """Return the checksum of a file that is whole, as hexadecimal digits."""
        with self._lock:
            self._read([(0, size)])
        return self._hash.hexdigest()


class DigestOfParts:
    """The CRC-32, whose parts are put together at the end; only what nobody took while it came is read from the file.

    Parameters
    ----------
    fd : int
        The file, open for reading.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.restart()

    def restart(self) -> None:
        """Forget everything."""
        self._parts: dict[int, tuple[int, int]] = {}  # where each part ends: where it starts, and its checksum

    def add(self, place: int, data: bytes | memoryview) -> None:
        """Take bytes that were written at a place."""
        start, value = self._parts.pop(place, (place, 0))
        self._parts[place + len(data)] = start, crc32(data, value)

    def catch_up(self, done: Iterable[Span]) -> None:
        """Do nothing: no part waits for its turn."""

    def finish(self, size: int) -> str:
        """Return the checksum of a file that is whole, as hexadecimal digits."""
        whole = place = 0
        for stop, (start, value) in [*sorted(self._parts.items()), (size, (size, 0))]:
            for data in _bytes_of(self._fd, place, start):
                whole = crc32(data, whole)
            whole, place = crc32_combine(whole, value, stop - start), stop
        return f"{whole:08x}"


def _bytes_of(fd: int, place: int, stop: int) -> Iterator[bytes]:
    while place < stop:
        data = os.pread(fd, min(_READ, stop - place), place)
        if not data:
            raise OSError(f"the file ends at byte {place} while it is being written")
        yield data
        place += len(data)
