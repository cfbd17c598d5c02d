"""From a request to files on disk: list, plan, ask for consent, transfer, report."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import fields as fields_of
from pathlib import Path

from laion_fmri.access.acknowledge import acknowledge
from laion_fmri.catalog.choice import Values
from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.filters import Test, held_out_test
from laion_fmri.catalog.gaps import in_gap
from laion_fmri.catalog.models import CatalogFile, FileSpec
from laion_fmri.catalog.policies import Access, Acknowledge
from laion_fmri.catalog.rules import Tree
from laion_fmri.catalog.templates import fill, listing_prefix, parse
from laion_fmri.collector import paused_collector
from laion_fmri.discovery import find_subjects
from laion_fmri.errors import NoMatchingDataError
from laion_fmri.progress import OnEvent, progress
from laion_fmri.selection import DownloadRequest
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.disk import free_bytes
from laion_fmri.storage.events import NOT_HAD, Advanced, Denied, Done, Event, Failed
from laion_fmri.storage.names import printable
from laion_fmri.storage.origin import Origin
from laion_fmri.storage.plan import Action, Plan, PlannedFile, RemoteFile, placed, planned, wanted_files
from laion_fmri.storage.receipts import local_files
from laion_fmri.storage.remote import Client
from laion_fmri.storage.transfer import transfer
from laion_fmri.storage.website import Website

_LISTED_AT_ONCE = 8


@dataclass(frozen=True)
class Report:
    """What a download did; false only where nothing matched.

    Attributes
    ----------
    matched : int
        Files that the request names, those not public aside.
    downloaded, skipped, denied, failed : tuple of str
        Keys fetched; already here; listed but not given; not had for another reason.
    bytes : int
        Bytes that came over the wire.
    seconds : float
        Duration of the transfer.
    """

    matched: int
    downloaded: tuple[str, ...]
    skipped: tuple[str, ...]
    denied: tuple[str, ...]
    failed: tuple[str, ...]
    bytes: int
    seconds: float

    def __bool__(self) -> bool:
        return self.matched > 0

    def __add__(self, other: Report) -> Report:
        return Report(*(getattr(self, field.name) + getattr(other, field.name) for field in fields_of(self)))

    @property
    def complete(self) -> bool:
        """Whether every matched file is here now."""
        return not self.denied and not self.failed


def survey(catalog: CatalogFile, request: DownloadRequest, bucket: Bucket, root: Path) -> Plan:
    """List the remote and plan a request.

    Raises
    ------
    NoMatchingDataError
        If a subject has no file in the trees that the request requires.
    """
    subject_entity = catalog.definitions.discovery.subjects.entity
    subjects = _subjects(catalog, request, bucket)
    held_out = held_out_test(catalog.remote.held_out, catalog.entities)
    places = [(subject, tree) for i, subject in enumerate(subjects) for tree in request.trees if tree.scope or not i]
    wanted: list[tuple[Tree, list[RemoteFile]]] = []
    lacking = dict.fromkeys(subjects) if request.required else {}
    for (subject, tree), listed in zip(places, _listings(places, subject_entity, bucket), strict=True):
        scope = {subject_entity: subject}
        files = wanted_files(_chosen(tree, request, listed), tree, catalog.entities, request.filters, scope)
        wanted.append((tree, files))
        if tree in request.required and not all(held_out(file.key) for file in files):
            lacking.pop(subject, None)
    for subject in lacking:
        raise NoMatchingDataError(_nothing(catalog, request, subject, bucket))
    named = ((tree, file) for tree, files in wanted for file in files)
    decisions = decided(named, catalog.entities, held_out, root)
    return Plan(bucket.url, str(root), catalog.dataset.release, free_bytes(root), decisions)


def _listings(places: Sequence[tuple[str, Tree]], entity: str, bucket: Bucket) -> Iterator[Sequence[RemoteFile]]:
    """Yield what the bucket shows of each tree of a subject; several are asked for at once."""

    def ask(place: tuple[str, Tree]) -> list[RemoteFile]:
        subject, tree = place
        return list(listing(tree, fill(tree.prefix or "", {entity: subject}), bucket))

    with ThreadPoolExecutor(_LISTED_AT_ONCE, thread_name_prefix="list") as pool:
        try:
            yield from pool.map(ask, places)
        except BaseException:
            bucket.stop()
            raise


def _subjects(catalog: CatalogFile, request: DownloadRequest, bucket: Bucket) -> Sequence[str]:
    if request.subject != ALL:
        return [request.subject]
    name = catalog.definitions.discovery.subjects.entity
    found = [catalog.entities[name].bare(name, subject) for subject in find_subjects(catalog, bucket)]
    if not found:
        raise NoMatchingDataError(f"No {catalog.dataset.title} files matched: {bucket.url} shows no subject")
    return found


def listing(tree: Tree, prefix: str, bucket: Bucket) -> Iterable[RemoteFile]:
    """Return the files that the bucket shows below a prefix of a tree, or in the folders of its files."""
    if tree.prefix is not None:
        return bucket.files(prefix)
    folders = dict.fromkeys(key.rpartition("/")[0] for key in tree.files)
    return [file for folder in folders for file in bucket.folder(f"{folder}/" if folder else "")[0]]


class Listings:
    """What a remote holds, each place of it asked for once.

    Parameters
    ----------
    remote : Client
        What is asked.
    """

    def __init__(self, remote: Client) -> None:
        self._remote = remote
        self._listed: dict[tuple[str, str], list[RemoteFile]] = {}

    def candidates(self, files: FileSpec, template: str, values: Values) -> Iterator[RemoteFile]:
        """Yield the files that may be those of a selection: all below its prefixes, or those that it names."""
        if isinstance(self._remote, Website):
            keys = listing_prefix(template, values)
            yield from self._remote.files(key for key in keys if not _is_gap(files, template, key))
            return
        for prefix in listing_prefix(files.tree.prefix or "", values):
            place = (files.tree.name, prefix)
            if place not in self._listed:
                self._listed[place] = list(listing(files.tree, prefix, self._remote))
            yield from self._listed[place]


def _is_gap(files: FileSpec, template: str, key: str) -> bool:
    return in_gap(parse(template, files.entities, key) or {}, files.gaps)


def _chosen(tree: Tree, request: DownloadRequest, listed: Iterable[RemoteFile]) -> Iterable[RemoteFile]:
    if tree.prefix is not None:
        return listed
    ways = [{tree.choice: value} for value in request.choices[tree.choice]] if tree.choice else [{}]
    keys = {fill(key, way) for key in tree.files for way in ways}
    return [file for file in listed if file.key in keys]


def _nothing(catalog: CatalogFile, request: DownloadRequest, subject: str, bucket: Bucket) -> str:
    name = catalog.definitions.discovery.subjects.entity
    active = [f"{filter_name}={list(values)}" for filter_name, values in request.filters.items() if values is not None]
    prefixes = [fill(tree.prefix or "", {name: subject}) for tree in request.required]
    token = f"{catalog.entities[name].key_of(name)}-{subject}"
    return (
        f"No {catalog.dataset.title} files matched for {token} with {', '.join(active) or 'no filters'} below "
        f"{' and '.join(f'{bucket.url}/{prefix}' for prefix in prefixes)}; loosen a filter, or see what there is: "
        "laion-fmri ls"
    )


@paused_collector()
def decided(
    wanted: Iterable[tuple[Tree, RemoteFile]], entities: Mapping[str, Entity], held_out: Test, root: Path
) -> tuple[PlannedFile, ...]:
    """Decide what happens to some files of a remote, from what is here of them.

    Parameters
    ----------
    wanted : iterable of (Tree, RemoteFile)
        The files, each with its tree.
    entities : mapping of str to Entity
        The grammar that turns keys into local paths.
    held_out : callable
        Tells the keys that the remote gives to nobody.
    root : Path
        The data directory.
    """
    at = placed(wanted, entities)
    return planned(at, held_out, local_files(root, (path for _, _, path in at)))


def policies(catalog: CatalogFile, request: DownloadRequest) -> list[Acknowledge]:
    """Return what has to be acknowledged for everything that a request lists."""
    trees = {tree.name for tree in request.trees}
    found = (source.args.access for source in catalog.sources.values() if source.args.tree.name in trees)
    return list(dict.fromkeys(policy for policy in found if isinstance(policy, Acknowledge)))


def ask_consent(asked: Iterable[Access], root: Path, texts: Path) -> None:
    """Ask for each acknowledgement, unless it was given before."""
    for policy in asked:
        if isinstance(policy, Acknowledge):
            acknowledge(policy, root, texts)


def run(plan: Plan, remote: Origin, n_jobs: int) -> Report:
    """Transfer what a plan lacks, showing the progress, and report it.

    Warns
    -----
    UserWarning
        For each file that the plan refuses, that the remote denies, or that could not be fetched.
    """
    for file in plan.of(Action.REFUSE):
        warnings.warn(f"{printable(file.key)} is refused: {file.reason}", UserWarning, stacklevel=3)
    said: set[str] = set()
    with progress(plan) as shown:

        def tell(event: Event) -> None:
            shown(event)
            if isinstance(event, NOT_HAD) and event.reason not in said:
                said.add(event.reason)
                warnings.warn(_why(event), UserWarning, stacklevel=4)

        return _carry_out(plan, remote, n_jobs, tell)


def _why(event: Denied | Failed) -> str:
    return event.reason if isinstance(event, Denied) else f"{event.file.key} was not fetched: {event.reason}"


def _carry_out(plan: Plan, remote: Origin, n_jobs: int, on_event: OnEvent) -> Report:
    start = time.monotonic()
    ends: dict[type[Event], list[str]] = {Done: [], Denied: [], Failed: []}
    received = 0
    for event in transfer(plan, remote, n_jobs):
        on_event(event)
        if isinstance(event, Advanced):
            received += event.bytes
        elif type(event) in ends:
            ends[type(event)].append(event.file.key)
    return Report(
        matched=len(plan.files) - len(plan.of(Action.HELD_OUT)),
        downloaded=tuple(ends[Done]),
        skipped=tuple(file.key for file in plan.of(Action.SKIP)),
        denied=tuple(ends[Denied]),
        failed=(*(file.key for file in plan.of(Action.REFUSE)), *ends[Failed]),
        bytes=received,
        seconds=time.monotonic() - start,
    )
