"""A file that is not whole yet: a private one beside its final path, of which a later run keeps what it can.

Names are ``.<name>.<version>.<time>.part``. What is finished of a large file, and is on the disk, stands line by line
in ``....part.log``. Only the process that made a private file ever writes into it: another one copies what is
finished into a file of its own, because two writers of one file are how a published file changes afterwards.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock

from laion_fmri.storage import retry, system
from laion_fmri.storage.pieces import Span, joined

_LONGEST_NAME = 120  # bytes of the final name within a private one
_ABANDONED = 86_400  # seconds after which a private file belongs to no living process
_POLL, _NEW = 0.5, 5.0  # seconds
_MOST_NAMES = 100
_READ_ONLY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def version_of(*identity: object) -> str:
    """Return the short name of one version of a file, from all that tells it from others."""
    return hashlib.sha256("\n".join(map(str, identity)).encode()).hexdigest()[:8]


class Partial:
    """A new private file beside a target.

    Parameters
    ----------
    target : str
        The final path. Paths are texts here: a `Path` is dear, and there is one for each of very many files.
    version : str
        As of `version_of`.
    logged : bool
        Whether what is finished of it is kept for a later run.

    Attributes
    ----------
    fd : int
        The open file.
    done : list of (start, stop)
        What is finished, in order.
    """

    def __init__(self, target: str, version: str, logged: bool) -> None:
        self.target = target
        self.logged = logged
        self.done: list[Span] = []
        self._lock = Lock()
        self._log: int | None = None
        self._is_published = False
        self.path, self.fd = _created(_stem(target, version))
        if logged:
            system.lock(self.fd)

    @property
    def kept(self) -> int:
        """Bytes that are finished."""
        return sum(stop - start for start, stop in self.done)

    def write(self, data: bytes | memoryview, place: int) -> None:
        """Write bytes at a place."""
        system.write(self.fd, data, place)

    def head(self, count: int) -> bytes:
        """Return the first bytes, as far as they are written."""
        return os.pread(self.fd, count, 0)

    def finish(self, start: int, stop: int) -> None:
        """Note that a part is whole; where it is for a later run too, it is on the disk before that is written down."""
        if start == stop:
            return
        if self.logged:
            system.flush(self.fd)
            with self._lock:
                if self._log is None:
                    self._log = system.create(log_of(self.path))
                system.append(self._log, f"{start} {stop}\n")
        with self._lock:
            self.done = joined([*self.done, (start, stop)])

    def restart(self) -> None:
        """Forget what is finished."""
        with self._lock:
            self.done = []
            if self._log is not None:
                os.ftruncate(self._log, 0)
                os.lseek(self._log, 0, os.SEEK_SET)

    def adopt(self, other: str) -> None:
        """Copy what is finished of another private file of the same version."""
        source = os.open(other, _READ_ONLY)
        try:
            size = os.fstat(source).st_size
            for start, stop in finished(other):
                if stop <= size:
                    system.copy(source, self.fd, start, stop)
                    self.finish(start, stop)
        finally:
            os.close(source)

    def publish(self) -> os.stat_result:
        """Put the file in its final place, whole and on the disk; return what the file system says of it."""
        system.flush(self.fd)
        try:
            system.publish(self.path, self.target)
        except FileNotFoundError:  # another process took this one for dead, and removed its file
            self._copy_again()
            system.publish(self.path, self.target)
        self._is_published = True
        return os.fstat(self.fd)

    def _copy_again(self) -> None:
        path, fd = _created(self.path[: -len("00000000.part")])
        try:
            system.copy(self.fd, fd, 0, os.fstat(self.fd).st_size)
            system.flush(fd)
        except BaseException:
            os.close(fd)
            system.remove(path)
            raise
        os.close(self.fd)
        self.path, self.fd = path, fd

    def close(self, keep: bool) -> None:
        """End the file; `keep` leaves what is finished of it for a later run."""
        os.close(self.fd)
        if self._log is not None:
            os.close(self._log)
        if keep and self.done and self.logged:
            return
        if not self._is_published:
            system.remove(self.path)
        if self.logged:
            system.remove(log_of(self.path))


def _stem(target: str, version: str) -> str:
    folder, _, name = target.rpartition("/")
    return f"{folder}/.{name.encode()[:_LONGEST_NAME].decode(errors='ignore')}.{version}."


def _created(stem: str) -> tuple[str, int]:
    """Create a private file; of those of one version, the older have the smaller names."""
    now = time.time_ns() >> 20
    for number in range(now, now + _MOST_NAMES):
        path = f"{stem}{number & 0xFFFFFFFF:08x}.part"
        with suppress(FileExistsError):
            return path, system.create(path)
    raise FileExistsError(errno.EEXIST, "other programs make files of the names that are needed", stem)


def log_of(part: str) -> str:
    """Return the file that says what is finished of a private file."""
    return f"{part}.log"


def finished(part: str) -> list[Span]:
    """Return what is finished of a private file; a line that was cut off does not count."""
    spans = []
    with suppress(OSError), os.fdopen(os.open(log_of(part), _READ_ONLY), "rb") as log:
        *lines, _ = log.read().split(b"\n")
        for line in lines:
            start, _, stop = line.partition(b" ")
            if start.isdigit() and stop.isdigit():
                spans.append((int(start), int(stop)))
    return joined(spans)


def leftovers(target: str, version: str) -> list[str]:
    """Return the private files of a version of a target, those with most finished first."""
    stem = _stem(target, version)
    with suppress(OSError), os.scandir(target.rpartition("/")[0]) as beside:
        parts = [one.path for one in beside if one.path.startswith(stem) and one.path.endswith(".part")]
        return sorted(parts, key=lambda path: -sum(stop - start for start, stop in finished(path)))
    return []


def take_over(partial: Partial, version: str, stop: Event) -> None:
    """Go on with what earlier runs left of a file, and wait for a process that was at it before this one."""
    for other in leftovers(partial.target, version):
        if other == partial.path:
            continue
        alive = _is_alive(other)
        if alive and other > partial.path and not _progress(other)[0]:  # it waits for this one
            continue
        if alive:
            if not _wait_for(other, stop):
                return
            alive = _is_alive(other)
        with suppress(FileNotFoundError):
            partial.adopt(other)
        if alive is False and (finished(other) or _age(other) > _NEW):  # a new one may be about to lock itself
            system.remove(other)
            system.remove(log_of(other))


def _is_alive(part: str) -> bool | None:
    """Tell whether a process writes a private file; None where the file system cannot tell, and it rests."""
    try:
        fd = os.open(part, _READ_ONLY)
    except OSError:
        return False
    try:
        locked = system.lock(fd)
    finally:
        os.close(fd)
    if locked is None:
        return True if _age(part) < retry.PATIENCE.window else None
    return not locked


def _wait_for(part: str, stop: Event) -> bool:
    """Wait while another process lives and makes progress; tell whether its private file is still there then."""
    last, since = _progress(part), system.clock()
    while _is_alive(part) and _look(part) and not stop.is_set() and system.clock() - since < retry.PATIENCE.window:
        system.wait(_POLL, stop)
        now = _progress(part)
        if now != last:
            last, since = now, system.clock()
    return _look(part) is not None


def _look(path: str) -> os.stat_result | None:
    with suppress(OSError):
        return os.stat(path)  # noqa: PTH116
    return None


def _progress(part: str) -> tuple[int, int]:
    found = _look(part)
    return (found.st_size, found.st_mtime_ns) if found else (0, 0)


def _age(path: str) -> float:
    found = _look(path)
    return time.time() - found.st_mtime if found else 0.0


def sweep(folder: Path) -> None:
    """Remove the private files in a folder that no process has touched for a day."""
    with suppress(OSError), os.scandir(folder) as files:
        for file in files:
            is_ours = file.name.startswith(".") and file.name.endswith((".part", ".part.log"))
            if is_ours and _age(file.path) > _ABANDONED:
                system.remove(file.path)
