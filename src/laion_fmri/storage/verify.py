"""What a file of the data directory is like, decided from its receipt, its size and time, and its content.

Nothing is written here, and nothing is known of formats.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from stat import S_ISREG
from threading import Event
from typing import NamedTuple, TypeVar

from laion_fmri.storage.digests import new_hash
from laion_fmri.storage.receipts import Receipt

_READ = 1 << 20
_SHOWN = 12  # digits of a checksum
_WORKERS = 8

One = TypeVar("One")
Found = TypeVar("Found")

Verdict = tuple["State", str]


class State(StrEnum):
    """What is known of a file."""

    WHOLE = "whole"
    WRONG = "wrong"
    MISSING = "missing"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"


class Stamp(NamedTuple):
    """What the system says of a file without reading it.

    Attributes
    ----------
    size : int
        Bytes.
    mtime_ns : int
        When it was last written, in nanoseconds of the Unix epoch.
    """

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Content:
    """What was read of a file.

    Attributes
    ----------
    digest : str
        Its checksum, as hexadecimal digits.
    stamp : Stamp
        What the system said of it while it was read.
    is_steady : bool
        Whether nobody wrote it meanwhile.
    """

    digest: str
    stamp: Stamp
    is_steady: bool


def stamp_of(path: Path | str) -> Stamp | None:
    """Return the stamp of a file; None where there is none.

    Raises
    ------
    OSError
        If the system cannot tell.
    """
    try:
        found = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Stamp(found.st_size, found.st_mtime_ns) if S_ISREG(found.st_mode) else None


def known_digest(receipt: Receipt | None) -> tuple[str, str] | None:
    """Return name and digits of the checksum that a receipt has; None where there is none."""
    for algorithm in ("sha256", "md5", "crc32"):
        digest = getattr(receipt, algorithm, None)
        if digest:
            return algorithm, digest
    return None


def judge(receipt: Receipt | None, stamp: Stamp | None) -> Verdict:
    """Decide about a file that is not read.

    Examples
    --------
    >>> judge(None, Stamp(10, 0))
    (<State.UNKNOWN: 'unknown'>, 'it came from elsewhere')
    """
    if stamp is None:
        return State.MISSING, "it was here and is gone"
    if receipt is None:
        return State.UNKNOWN, "it came from elsewhere"
    if stamp.size != receipt.size:
        return State.WRONG, f"it has {stamp.size:,} bytes, not {receipt.size:,}"
    if stamp.mtime_ns != receipt.mtime_ns:
        return State.UNKNOWN, "it was written since it was downloaded"
    return State.WHOLE, ""


def judge_content(receipt: Receipt | None, content: Content) -> Verdict:
    """Decide about a file that was read, and that has the size of its receipt; UNKNOWN where its format has to tell."""
    known = known_digest(receipt)
    if not content.is_steady:
        return State.UNKNOWN, "somebody wrote it while it was read"
    if known is None:
        return State.UNKNOWN, "it came from elsewhere"
    algorithm, digest = known
    if content.digest != digest:
        return State.WRONG, f"its {algorithm.upper()} is {content.digest[:_SHOWN]}..., not {digest[:_SHOWN]}..."
    return State.WHOLE, ""


def read_content(path: Path, algorithm: str, stop: Event) -> Content:
    """Read a file to its end.

    Parameters
    ----------
    path : Path
        The file.
    algorithm : {"sha256", "md5", "crc32"}
        Name of the checksum.
    stop : Event
        Ends the reading, with CancelledError.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    digest, buffer = new_hash(algorithm), memoryview(bytearray(_READ))
    with path.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            if stop.is_set():
                raise CancelledError
        after = os.fstat(file.fileno())
    stamp = Stamp(after.st_size, after.st_mtime_ns)
    return Content(digest.hexdigest(), stamp, (before.st_size, before.st_mtime_ns) == (stamp.size, stamp.mtime_ns))


def side_by_side(look: Callable[[One, Event], Found], items: Iterable[One]) -> Generator[Found]:
    """Yield what `look` finds of each item, in their order, several at once.

    However it ends, `look` is told by an event to end soon.
    """
    workers, stop = min(_WORKERS, os.cpu_count() or 1), Event()
    waiting: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(look, item, stop))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            stop.set()
            for future in waiting:
                future.cancel()
