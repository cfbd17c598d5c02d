"""Carrying out a plan: the only code that writes data into the data directory.

A file is written beside its final path under a private name, checked for its size and renamed, so that a final path
holds a whole file or none. What happens comes out as events; nothing is printed here.
"""

from __future__ import annotations

import errno
import hashlib
import os
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from typing import BinaryIO

from laion_fmri.errors import DeniedError, LaionFMRIError, NoSpaceError, RemoteError
from laion_fmri.storage.disk import part_of
from laion_fmri.storage.origin import Origin
from laion_fmri.storage.plan import Action, Plan, PlannedFile

_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Event:
    """Something that happened to a file."""

    file: PlannedFile


@dataclass(frozen=True)
class Started(Event):
    """Its transfer began."""


@dataclass(frozen=True)
class Advanced(Event):
    """Some more bytes of it came over the wire."""

    bytes: int


@dataclass(frozen=True)
class Done(Event):
    """It is whole, at its final path."""


@dataclass(frozen=True)
class Denied(Event):
    """The remote does not give it."""

    reason: str


@dataclass(frozen=True)
class Failed(Event):
    """It could not be had; nothing of it is left."""

    error: LaionFMRIError | OSError

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return str(self.error)


def transfer(plan: Plan, origin: Origin, n_jobs: int = 1) -> Iterator[Event]:
    """Fetch the files of a plan, `n_jobs` at a time.

    Parameters
    ----------
    plan : Plan
        What to fetch, and where to.
    origin : Origin
        Gives the bytes.
    n_jobs : int
        Files under way at once.

    Yields
    ------
    Event
        `Started`, `Advanced`, then `Done`, `Denied` or `Failed` for each file.

    Raises
    ------
    NoSpaceError
        If the plan does not fit, before the first byte; or as soon as the disk is full.
    """
    if not plan.fits:
        raise no_space(plan)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    stop = Flag()
    files = plan.of(Action.DOWNLOAD)
    root = Path(plan.data_dir)
    open_ends = len(files)
    with _workers(n_jobs, stop) as pool:
        for file in files:
            pool.submit(_fetch, file, root, origin, events.put, stop)
        while open_ends:
            event = events.get()
            if isinstance(event, Failed) and getattr(event.error, "errno", None) in _FULL:
                raise no_space(plan) from event.error
            yield event
            open_ends -= isinstance(event, Done | Denied | Failed)


def no_space(plan: Plan) -> NoSpaceError:
    """Return the error for a plan that does not fit, with the numbers."""
    return NoSpaceError(
        f"{plan.data_dir}: the files need {plan.bytes_to_download:,} bytes and {plan.free:,} were free; "
        "make room, name fewer sessions, or move the data directory with: laion-fmri config --data-dir PATH"
    )


@contextmanager
def _workers(n_jobs: int, stop: Flag) -> Iterator[ThreadPoolExecutor]:
    """Give a pool that is told to stop, and waited for, however its block ends."""
    pool = ThreadPoolExecutor(max_workers=n_jobs, thread_name_prefix="transfer")
    try:
        yield pool
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _fetch(file: PlannedFile, root: Path, origin: Origin, tell: Callable[[Event], None], stop: Flag) -> None:
    tell(Started(file))
    try:
        _publish(file, root, origin, tell, stop)
    except DeniedError as error:
        tell(Denied(file, str(error)))
    except (LaionFMRIError, OSError) as error:
        tell(Failed(file, error))
    except Exception as error:  # a file that ends without an event would hang the queue
        tell(Failed(file, RemoteError(f"{file.key}: {type(error).__name__}: {error}")))
    else:
        tell(Done(file))


def _publish(file: PlannedFile, root: Path, origin: Origin, tell: Callable[[Event], None], stop: Flag) -> None:
    target = root / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with _private(target) as (part, out), origin.open(file.key, etag=file.etag) as body:
        received, digest = 0, hashlib.sha256()
        for chunk in body.chunks:
            if stop.is_set():
                raise RemoteError(f"{file.key}: stopped; run the same again to continue")
            out.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            tell(Advanced(file, len(chunk)))
        if received != file.size:
            raise RemoteError(
                f"{file.key}: got {received:,} of {file.size:,} bytes; run the same again to fetch it anew"
            )
        if file.sha256 not in (None, digest.hexdigest()):
            raise RemoteError(
                f"{file.key}: its SHA-256 is {digest.hexdigest()}, not {file.sha256}; run the same again later"
            )
        out.flush()
        os.fsync(out.fileno())
        part.replace(target)


@contextmanager
def _private(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a file beside `target` that is gone at the end, unless it was renamed."""
    part = part_of(target)
    try:
        with part.open("xb") as out:
            yield part, out
    finally:
        part.unlink(missing_ok=True)
