"""Carrying out a plan: the only code that writes data into the data directory.

A file is written beside its final path under a private name, checked, brought to the disk and renamed, so that a final
path holds a whole file or none; then it gets a receipt. What happens comes out as events; nothing is printed here.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from laion_fmri.errors import (
    DataDirError,
    LaionFMRIError,
    NoSpaceError,
    UnreachableError,
)
from laion_fmri.storage.crew import Crew
from laion_fmri.storage.disk import free_bytes
from laion_fmri.storage.draft import Pulled
from laion_fmri.storage.events import Advanced, Done, Event, Failed
from laion_fmri.storage.folders import Folders
from laion_fmri.storage.origin import Origin
from laion_fmri.storage.plan import Action, Plan, PlannedFile
from laion_fmri.storage.receipts import Journal, Record

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
    with Journal(root) as journal:
        crew = Crew(origin, folders, n_jobs)
        try:
            for event in _watched(crew, files, plan):
                if isinstance(event, Done) and event.pulled:
                    _do(plan, journal.note, _record(plan, event.file, event.pulled))
                yield event
            _do(plan, folders.flush)
        finally:
            for file, pulled in crew.close():
                with suppress(OSError):  # it is there without a receipt, then
                    journal.note(_record(plan, file, pulled))


def _watched(crew: Crew, files: Sequence[PlannedFile], plan: Plan) -> Iterator[Event]:
    """Yield what happens, as long as it makes sense to go on."""
    unreachable = 0
    for event in crew.events(files):
        if isinstance(event, Failed):
            _end_of_all(event.error, plan)
            unreachable = unreachable + 1 if isinstance(event.error, UnreachableError) else 0
            if unreachable == _LOST:
                crew.lose(event.error)
        elif isinstance(event, Advanced):
            unreachable = 0
        yield event


def _record(plan: Plan, file: PlannedFile, pulled: Pulled) -> Record:
    """Return the receipt of a file; see `laion_fmri.storage.receipts.Receipt`."""
    return {
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


def _do(plan: Plan, step: Callable[..., object], *given: object) -> None:
    """Do something on the disk; where that is full, the plan ends."""
    try:
        step(*given)
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
