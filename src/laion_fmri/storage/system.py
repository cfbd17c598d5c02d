"""What a transfer asks of the machine: files, folders, locks and time. Each is one function, called by its attribute.

So a test can put a fault into any one of them, or stop the process at each.
"""

from __future__ import annotations

import errno
import os
import random
import time
from pathlib import Path
from threading import Event

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_NEW |= getattr(os, "O_BINARY", 0)
_COPIED = 1 << 20

HANDLES = frozenset({errno.EMFILE, errno.ENFILE})
TOO_MANY_OPEN = "too many files are open; raise the limit (ulimit -n 4096) or use fewer --n-jobs"

_NO_COPY = {errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM}


def create(path: Path | str) -> int:
    """Create a file that was not there, for reading and writing; never through a symbolic link."""
    return os.open(path, _NEW, 0o666)


def write(fd: int, data: bytes | memoryview, place: int) -> None:
    """Write all of some bytes at a place of a file."""
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, place)
        view, place = view[written:], place + written


def flush(fd: int) -> None:
    """Bring a file to the disk."""
    os.fsync(fd)


def publish(part: Path | str, target: Path | str) -> None:
    """Give a file its final path, in place of what was there."""
    os.replace(part, target)  # noqa: PTH105


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:  # a system on which folders are not opened
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(fd)


def remove(path: Path | str) -> None:
    """Remove a file, if it is there."""
    Path(path).unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it."""
    path.mkdir(parents=True, exist_ok=True)


def append(fd: int, line: str) -> None:
    """Write text at the end of a file that this process alone writes."""
    data = memoryview(line.encode())
    while data:
        data = data[os.write(fd, data) :]


def copy(source: int, target: int, start: int, stop: int) -> None:
    """Copy some bytes of a file to the same place of another; without reading them, where the file system can."""
    while start < stop:
        try:
            copied = os.copy_file_range(source, target, stop - start, start, start)
        except (AttributeError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_COPY:
                raise
            copied = 0
        if not copied:
            data = os.pread(source, min(_COPIED, stop - start), start)
            if not data:
                raise OSError(errno.EIO, "a file that is being copied became shorter")
            write(target, data, start)
            copied = len(data)
        start += copied


def lock(fd: int) -> bool | None:
    """Lock an open file for this process; False where another one has it, None where the file system cannot tell."""
    try:
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def clock() -> float:
    """Return seconds that only ever grow."""
    return time.monotonic()


def wait(seconds: float, stop: Event | None = None) -> None:
    """Wait, but no longer than until `stop` is set."""
    if stop is None:
        time.sleep(seconds)
    else:
        stop.wait(seconds)


def chance() -> float:
    """Return a number between 0 and 1, another one each time."""
    return random.random()
