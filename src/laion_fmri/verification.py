"""``verify`` and ``repair``: what the files of the data directory are like, and anew those that are not right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import NamedTuple

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.config import data_root
from laion_fmri.fetch import Report
from laion_fmri.formats import format_mistake
from laion_fmri.inventory import Item, inventory
from laion_fmri.selection import usable_jobs
from laion_fmri.storage.receipts import Journal, Receipt
from laion_fmri.storage.verify import (
    Content,
    Stamp,
    State,
    Verdict,
    judge,
    judge_content,
    known_digest,
    read_content,
    side_by_side,
    stamp_of,
)
from laion_fmri.supply import Supply, Wanted, address_of

_MOST_SHOWN = 10


class Finding(NamedTuple):
    """What a file is like.

    Attributes
    ----------
    item : Item
        The file.
    state : State
        ``whole``, ``wrong``, ``missing``, ``unknown`` or ``unreadable``.
    reason : str
        Why; empty for a file that is whole.
    """

    item: Item
    state: State
    reason: str

    @property
    def path(self) -> str:
        """Where it is, relative to the data directory."""
        return self.item.path

    @property
    def artifact(self) -> str | None:
        """Artifact that it belongs to."""
        return self.item.artifact


@dataclass(frozen=True, repr=False)
class Verification:
    """What the files of a data directory are like.

    Attributes
    ----------
    data_dir : str
        The data directory.
    full : bool
        Whether the files were read.
    findings : tuple of Finding
        One for each file, by path.
    """

    data_dir: str
    full: bool
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        shown = [finding for finding in self.findings if finding.state is not State.WHOLE]
        lines = [f"  {finding.path}: {finding.state}, {finding.reason}" for finding in shown[:_MOST_SHOWN]]
        rest = [f"  and {len(shown) - _MOST_SHOWN} more"] if len(shown) > _MOST_SHOWN else []
        return "\n".join(
            [f"<{'full' if self.full else 'quick'} check of {self.data_dir}: {self.summary()}>", *lines, *rest]
        )

    def of(self, state: State) -> tuple[Finding, ...]:
        """Return the files of a state."""
        return tuple(finding for finding in self.findings if finding.state is state)

    @property
    def whole(self) -> tuple[Finding, ...]:
        """Files that are as they were downloaded."""
        return self.of(State.WHOLE)

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Files of another size or content, or that are damaged."""
        return self.of(State.WRONG)

    @property
    def missing(self) -> tuple[Finding, ...]:
        """Files that were here and are gone."""
        return self.of(State.MISSING)

    @property
    def unknown(self) -> tuple[Finding, ...]:
        """Files that only a full check can tell about: from elsewhere, or written since they were downloaded."""
        return self.of(State.UNKNOWN)

    @property
    def unreadable(self) -> tuple[Finding, ...]:
        """Files that the system does not give."""
        return self.of(State.UNREADABLE)

    @property
    def complete(self) -> bool:
        """Whether every file is whole."""
        return len(self.whole) == len(self.findings)

    def summary(self) -> str:
        """Return how many files are of which state."""
        counts = Counter(finding.state for finding in self.findings)
        return ", ".join(f"{counts[state]} {state}" for state in State)


def verify(*artifacts: str, full: bool = False) -> Verification:
    """Check the files of the data directory; nothing is downloaded, and no file is changed.

    Parameters
    ----------
    *artifacts : str
        Check their files only.
    full : bool
        Read every file and compare its checksum with that of its receipt; a file without one has its format checked. A
        file that is right is known from then on. Otherwise only sizes and times are compared, which takes a moment.

    Returns
    -------
    Verification
        What each file is like: ``.whole``, ``.wrong``, ``.missing``, ``.unknown`` and ``.unreadable``.

    Raises
    ------
    SelectionError
        If there is no such artifact.
    DataDirNotSetError
        If no data directory is configured.
    """
    root = data_root()
    findings = examine(load_catalog(), root, inventory(load_catalog(), root, artifacts), full)
    return Verification(str(root), full, tuple(findings))


def repair(*artifacts: str, full: bool = False, n_jobs: int = 1) -> Report:
    """Download anew what `verify` finds wrong or missing, and nothing else.

    An old file stays until the new one is whole.

    Parameters
    ----------
    *artifacts : str
        Repair their files only.
    full : bool
        As of `verify`: find also what has the right size and time, and another content.
    n_jobs : int
        Workers, each of which has up to eight requests under way: parts of large files, or small ones.

    Returns
    -------
    Report
        What was done; false where there was nothing to do.

    Raises
    ------
    SelectionError, DataDirNotSetError
        As of `verify`.
    LicenseNotAcceptedError, AccessServiceError, RemoteError, OfflineError, NoSpaceError
        As of `laion_fmri.download.download`.

    Warns
    -----
    UserWarning
        For each file that could not be had.
    """
    return remedy(load_catalog(), data_root(), verify(*artifacts, full=full), usable_jobs(n_jobs)).fetch()


def remedy(catalog: CatalogFile, root: Path, found: Verification, n_jobs: int = 1) -> Supply:
    """Return what fetches the files that are wrong or missing."""
    wanted = [_wanted(finding) for finding in (*found.wrong, *found.missing)]
    return Supply(catalog, root, wanted, n_jobs)


def _wanted(finding: Finding) -> Wanted:
    item, receipt = finding.item, finding.item.receipt
    if receipt is None or receipt.etag is None:
        return Wanted(item.path, receipt.key if receipt else item.path, item.tree, finding.reason)
    return Wanted(item.path, receipt.key, item.tree, finding.reason, receipt.etag, receipt.sha256)


# ---------------------------------------------------------------- looking at files


def examine(catalog: CatalogFile, root: Path, items: Iterable[Item], full: bool) -> Iterator[Finding]:
    """Yield what each of some files is like, in their order.

    A full check notes in the receipts what it finds right, where the data directory can be written.
    """
    if not full:
        place = str(root)
        yield from (Finding(item, *_glance(place, item)[0]) for item in items)
        return
    journal = Journal(root)
    try:
        with closing(side_by_side(partial(_look, catalog, root), items)) as looked:
            for finding, receipt in looked:
                if receipt:
                    with suppress(OSError):
                        journal.add(receipt)
                yield finding
    finally:
        with suppress(OSError):
            journal.close()


def _glance(root: str, item: Item) -> tuple[Verdict, Stamp | None]:
    try:
        stamp = stamp_of(f"{root}/{item.path}")  # a Path for each of many files takes longer
    except OSError as error:
        return (State.UNREADABLE, error.strerror or str(error)), None
    return judge(item.receipt, stamp), stamp


def _look(catalog: CatalogFile, root: Path, item: Item, stop: Event) -> tuple[Finding, Receipt | None]:
    """Return what a file is like, having read it, and a receipt where it has none that holds."""
    verdict, stamp = _glance(str(root), item)
    if verdict[0] not in (State.WHOLE, State.UNKNOWN):
        return Finding(item, *verdict), None
    known = known_digest(item.receipt)
    try:
        content = read_content(root / item.path, known[0] if known else "sha256", stop)
        verdict = judge_content(item.receipt, content)
        if known is None and content.is_steady:
            mistake = format_mistake(root / item.path)
            verdict = (State.WRONG, mistake) if mistake else (State.WHOLE, "")
    except FileNotFoundError:
        return Finding(item, *judge(item.receipt, None)), None
    except OSError as error:
        return Finding(item, State.UNREADABLE, error.strerror or str(error)), None
    is_news = item.receipt is None or known is None or stamp is None or stamp.mtime_ns != item.receipt.mtime_ns
    receipt = _receipt(catalog, item, content) if verdict[0] is State.WHOLE and is_news else None
    return Finding(item, *verdict), receipt


def _receipt(catalog: CatalogFile, item: Item, content: Content) -> Receipt:
    stamp, now = content.stamp, time.time()
    if item.receipt and known_digest(item.receipt):
        return item.receipt.model_copy(update={"mtime_ns": stamp.mtime_ns, "at": now})
    return Receipt(
        path=item.path,
        key=item.path,
        remote=address_of(catalog, item.tree),
        tree=item.tree,
        release=catalog.dataset.release,
        size=stamp.size,
        sha256=content.digest,
        mtime_ns=stamp.mtime_ns,
        at=now,
    )
