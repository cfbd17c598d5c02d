"""Following a lock file: getting exactly the files that it names, or saying what changed."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from threading import Event

from laion_fmri.catalog.models import CatalogFile
from laion_fmri.errors import LockError
from laion_fmri.fetch import Report
from laion_fmri.inventory import receipt_of
from laion_fmri.lockfile import Lock, LockedFile, some_of
from laion_fmri.storage.plan import Action, Plan, PlannedFile
from laion_fmri.storage.receipts import Receipt, Record, records, write
from laion_fmri.storage.verify import State, judge, read_content, side_by_side, stamp_of
from laion_fmri.supply import Supply, Wanted


class Locked:
    """The download of the files of a lock file.

    Parameters
    ----------
    lock : Lock
        What is wanted.
    catalog : CatalogFile
        Says where it comes from.
    root : Path
        The data directory.
    n_jobs : int
        Workers, each of which has up to eight requests under way: parts of large files, or small ones.

    Raises
    ------
    LockError
        If the lock file is of another dataset or release than the catalog.
    """

    def __init__(self, lock: Lock, catalog: CatalogFile, root: Path, n_jobs: int = 1) -> None:
        mine = catalog.dataset
        if (lock.dataset, lock.release) != (mine.name, mine.release):
            raise LockError(
                f"the lock file is of {lock.dataset}, release {lock.release}; this version of laion-fmri knows "
                f"{mine.name}, release {mine.release}: install the one that the lock file was written with"
            )
        self._lock = lock
        self._catalog = catalog
        self._root = root
        self._n_jobs = n_jobs

    @property
    def plan(self) -> Plan:
        """What `download` does, as one plan.

        Raises
        ------
        LockError
            If a file is gone from its remote, or is another one there; all of them are named.
        RemoteError, AccessServiceError, OfflineError
            If files are not here, and it cannot be asked what there is.
        """
        plan = self._supply.plan
        return Plan(plan.remote, plan.data_dir, plan.release, plan.free, (*plan.files, *self._here()))

    def download(self) -> Report:
        """Fetch the files that are not here, or are another version; errors and warnings are those of `Supply.fetch`.

        Raises
        ------
        LockError
            As of `plan`; nothing was transferred then.
        """
        here = tuple(file.key for file in self._here())
        return Report(len(here), (), here, (), (), 0, 0.0) + self._supply.fetch()

    def _here(self) -> list[PlannedFile]:
        return [
            PlannedFile(
                file.key,
                file.path,
                file.size,
                file.tree,
                Action.SKIP,
                "already here",
                file.etag,
                file.sha256,
                file.size,
            )
            for file in self._lock.files
            if file.path not in self._reasons
        ]

    @cached_property
    def _supply(self) -> Supply:
        lacking = {file.path: file for file in self._lock.files if file.path in self._reasons}
        wanted = (
            Wanted(file.path, file.key, file.tree, self._reasons[path], sha256=file.sha256)
            for path, file in lacking.items()
        )
        supply = Supply(self._catalog, self._root, wanted, self._n_jobs)
        changes = [f"{file.path} {why}" for file in supply.plan.files if (why := _change(lacking[file.path], file))]
        if changes:
            raise LockError(
                f"nothing was downloaded, because {len(changes)} of {len(self._lock.files)} files cannot be had as "
                f"they were: {some_of(changes)}. Ask whoever wrote the lock file for these, or use laion-fmri download "
                "for what there is now"
            )
        return supply

    @cached_property
    def _reasons(self) -> dict[str, str]:
        """Why files are wanted, by their paths; those that are here as they should be are not wanted."""
        known = records(self._root)
        found = list(side_by_side(partial(self._compared, known), self._lock.files))
        news = [receipt for _, receipt in found if receipt]
        if news:
            with suppress(OSError):  # a data directory that cannot be written is read all the same
                write(self._root, news)
        return {file.path: why for file, (why, _) in zip(self._lock.files, found, strict=True) if why}

    def _compared(self, known: dict[str, Record], file: LockedFile, stop: Event) -> tuple[str | None, Receipt | None]:
        """Return why a file is wanted, or its receipt where it is right and has none."""
        try:
            return self._examined(file, receipt_of(known.get(file.path)), stop)
        except OSError as error:
            return f"here, and cannot be read: {error.strerror or error}", None

    def _examined(self, file: LockedFile, receipt: Receipt | None, stop: Event) -> tuple[str | None, Receipt | None]:
        path = self._root / file.path
        stamp = stamp_of(path)
        if stamp is None:
            return "not here yet", None
        if stamp.size != file.size:
            return f"here with {stamp.size:,} bytes", None
        if receipt and judge(receipt, stamp)[0] is State.WHOLE and (same := _same(file, receipt)) is not None:
            return (None if same else "here with another content"), None
        algorithm, digest = file.digest
        content = read_content(path, algorithm, stop)
        if content.digest != digest:
            return "here with another content", None
        return None, self._receipt(file, content.stamp.mtime_ns) if content.is_steady else None

    def _receipt(self, file: LockedFile, mtime_ns: int) -> Receipt:
        algorithm, digest = file.digest
        return Receipt(
            path=file.path,
            key=file.key,
            remote=file.remote,
            tree=file.tree,
            release=self._lock.release,
            size=file.size,
            etag=file.etag,
            mtime_ns=mtime_ns,
            at=time.time(),
            **{algorithm: digest},
        )


def _same(file: LockedFile, receipt: Receipt) -> bool | None:
    """Tell whether a receipt is that of a locked file; None where they have nothing in common to compare."""
    for mine, theirs in ((file.sha256, receipt.sha256), (file.md5, receipt.md5)):
        if mine and theirs:
            return mine == theirs
    return True if file.etag and file.etag == receipt.etag else None


def _change(locked: LockedFile, file: PlannedFile) -> str | None:
    """Return how what there is now differs from what is locked."""
    if file.action is Action.REFUSE:
        return "is gone"
    if file.size != locked.size:
        return f"has {file.size:,} bytes now, not {locked.size:,}"
    if file.etag and locked.etag and file.etag != locked.etag:
        return "is another version now"
    if file.sha256 and locked.sha256 and file.sha256 != locked.sha256:
        return "has another content now"
    return None
