"""Carrying out a plan: the only code that writes data into the data directory.

A file is written beside its final path under a private name, checked, brought to the disk and renamed, so that a final
path holds a whole file or none; then it gets a receipt. What happens comes out as events; nothing is printed here.
"""

from __future__ import annotations

import errno
import os
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

from laion_fmri.errors import (
    DataDirError,
    DeniedError,
    LaionFMRIError,
    NoSpaceError,
    RemoteError,
    TooManyOpenError,
    UnreachableError,
)
from laion_fmri.storage import pieces, system
from laion_fmri.storage.disk import free_bytes
from laion_fmri.storage.events import ENDS, Advanced, Denied, Done, Dropped, Event, Failed, Resumed, Started
from laion_fmri.storage.folders import Folders
from laion_fmri.storage.origin import Origin
from laion_fmri.storage.plan import Action, Plan, PlannedFile
from laion_fmri.storage.pull import Pull, Pulled, Told
from laion_fmri.storage.receipts import Journal, Receipt

_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = errno.EROFS
_LOST = 3  # files in a row for which the remote could not be reached; the others are not tried then


def transfer(plan: Plan, origin: Origin, n_jobs: int = 1) -> Iterator[Event]:
    """Fetch the files of a plan, `n_jobs` at a time, and the parts of large ones side by side.

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
        `Started`, any number of `Resumed`, `Advanced` and `Dropped`, then `Done`, `Denied` or `Failed` for each file.

    Raises
    ------
    NoSpaceError
        If the plan does not fit, before the first byte; or as soon as the disk is full.
    DataDirError
        If the data directory cannot be written at all.
    """
    if not plan.fits:
        raise no_space(plan)
    files = plan.of(Action.DOWNLOAD)
    if not files:
        return
    root = Path(plan.data_dir)
    folders = Folders(root)
    with Journal(root) as journal, _crew(n_jobs, origin) as crew:
        crew.start(files, folders)
        unreachable = 0
        for event in crew.events(len(files)):
            if isinstance(event, Failed):
                _end_of_all(event.error, plan)
                unreachable = unreachable + 1 if isinstance(event.error, UnreachableError) else 0
                if unreachable == _LOST:
                    crew.lose(event.error)
            elif isinstance(event, Advanced):
                unreachable = 0
            if isinstance(event, Done) and event.pulled:
                with _no_more_room(plan):
                    journal.add(_receipt(plan, event.file, event.pulled))
            yield event
        with _no_more_room(plan):
            folders.flush()


def _receipt(plan: Plan, file: PlannedFile, pulled: Pulled) -> Receipt:
    known: dict[str, Any] = {
        "path": file.path,
        "key": file.key,
        "remote": plan.remote,
        "tree": file.tree,
        "release": plan.release,
        "size": file.size,
        "etag": file.etag,
        pulled.algorithm: pulled.digest,
        "mtime_ns": pulled.mtime_ns,
        "at": time.time(),
    }
    return Receipt.model_construct(None, **known)  # not checked: there is one for each of many files


@contextmanager
def _no_more_room(plan: Plan) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _end_of_all(error, plan)
        raise


def _end_of_all(error: LaionFMRIError | OSError, plan: Plan) -> None:
    """Raise what ends the whole transfer, and not only that of a file."""
    code = getattr(error, "errno", None)
    if code in _FULL:
        raise no_space(plan) from error
    if code == _READ_ONLY:
        raise DataDirError(
            f"{plan.data_dir} cannot be written: its file system is read-only; download where it can be written, or "
            "choose another data directory with: laion-fmri config --data-dir PATH"
        ) from error


def no_space(plan: Plan) -> NoSpaceError:
    """Return the error for a plan that does not fit, or did not, with the numbers."""
    free = free_bytes(Path(plan.data_dir))
    hint = ""
    if plan.fits and _no_more_files(plan.data_dir):
        hint = "; the file system has room for bytes, but not for more files (inodes)"
    elif plan.fits and free > plan.bytes_to_download:
        hint = "; a quota may be full"
    return NoSpaceError(
        f"{plan.data_dir}: the files need {plan.bytes_to_download:,} bytes, {plan.free:,} were free, {free:,} are "
        f"now{hint}; make room, name fewer sessions, or move the data directory with: laion-fmri config --data-dir PATH"
    )


def _no_more_files(folder: str) -> bool:
    with suppress(AttributeError, OSError):
        found = os.statvfs(folder)
        return found.f_files > 0 and found.f_favail == 0
    return False


class _Crew:
    """The threads of a transfer, and what they tell."""

    def __init__(self, n_jobs: int, origin: Origin) -> None:
        self._n_jobs = n_jobs
        self._origin = origin
        self._told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._stop = Flag()
        self._lost: UnreachableError | None = None
        self._files = ThreadPoolExecutor(n_jobs, thread_name_prefix="transfer")
        self._lanes = ThreadPoolExecutor(pieces.LANES, thread_name_prefix="lane")

    def lose(self, error: Exception) -> None:
        """Try no other file: the remote is not there any more."""
        self._lost = UnreachableError(f"not tried, because others failed: {error}")

    def start(self, files: Iterable[PlannedFile], folders: Folders) -> None:
        """Fetch files, each as soon as a thread is free."""
        left = deque(files)
        for _ in range(min(self._n_jobs, len(left))):
            self._files.submit(self._work, left, folders)

    def _work(self, files: deque[PlannedFile], folders: Folders) -> None:
        with suppress(IndexError):  # none is left
            while not self._stop.is_set():
                self._fetch(files.popleft(), folders)

    def events(self, count: int) -> Iterator[Event]:
        """Yield what happens until so many files have ended."""
        while count:
            event = self._told.get()
            yield event
            count -= isinstance(event, ENDS)

    def end(self, early: bool) -> None:
        """Wait for the threads; early, what they do is broken off."""
        if early:
            self._stop.set()
            self._origin.stop()
        self._files.shutdown(wait=True, cancel_futures=True)
        self._lanes.shutdown(wait=True, cancel_futures=True)

    def _fetch(self, file: PlannedFile, folders: Folders) -> None:
        tell = self._told.put
        if self._lost:
            tell(Failed(file, self._lost))
            return
        tell(Started(file))
        try:
            tell(Done(file, self._pulled(file, folders, tell)))
        except DeniedError as error:
            tell(Denied(file, str(error)))
        except OSError as error:
            tell(Failed(file, error if isinstance(error, LaionFMRIError) else _explained(error, file)))
        except Exception as error:  # a file that ends without an event would hang the queue
            tell(Failed(file, RemoteError(f"{file.key}: {type(error).__name__}: {error}")))

    def _pulled(self, file: PlannedFile, folders: Folders, tell: Callable[[Event], None]) -> Pulled | None:
        target = folders.place(file.path)
        if file.here != file.size and _size(target) == file.size:  # another process was faster
            tell(Resumed(file, file.size))
            return None
        told = Told(
            came=lambda count: tell(Advanced(file, count)),
            kept=lambda count: tell(Resumed(file, count)) if count else None,
            lost=lambda count: tell(Dropped(file, count)) if count else None,
        )
        return Pull(file, target, self._origin, told=told, stop=self._stop, lanes=self._lanes).run()


@contextmanager
def _crew(n_jobs: int, origin: Origin) -> Iterator[_Crew]:
    """Give threads that are waited for, however the block ends."""
    crew, early = _Crew(n_jobs, origin), True
    try:
        yield crew
        early = False
    finally:
        crew.end(early)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _explained(error: OSError, file: PlannedFile) -> OSError:
    """Return an error of the system with what to do, where there is something to do."""
    if error.errno in system.HANDLES:
        return TooManyOpenError(f"{file.path}: {system.TOO_MANY_OPEN}")
    return error
