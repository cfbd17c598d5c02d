"""The checksum of a file, computed while its parts arrive in any order."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Protocol

from laion_fmri.storage.pieces import Span

try:
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

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


class Digest:
    """The checksum of what is written into a file.

    Bytes that come in order are taken as they come; those that came before their turn are read from the file.

    Parameters
    ----------
    algorithm : {"sha256", "md5", "crc32"}
        Name of the checksum.
    fd : int
        The file, open for reading.
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
            while start <= self._place < stop:
                data = os.pread(self._fd, min(_READ, stop - self._place), self._place)
                if not data:
                    raise OSError(f"the file ends at byte {self._place} while it is being written")
                self._hash.update(data)
                self._place += len(data)

    def finish(self, size: int) -> str:
        """Return the checksum of a file that is whole, as hexadecimal digits."""
        with self._lock:
            self._read([(0, size)])
        return self._hash.hexdigest()
