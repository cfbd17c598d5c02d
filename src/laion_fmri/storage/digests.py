"""The checksum of a file, computed while its parts arrive in any order."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from laion_fmri.storage.pieces import Span

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


def file_digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


class Digest:
    """The checksum of what is written into a file.

    Bytes that come in order are taken as they come; those that came before their turn are read from the file.

    Parameters
    ----------
    algorithm : {"sha256", "md5"}
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
        self._hash = hashlib.new(self._algorithm, usedforsecurity=False)
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
