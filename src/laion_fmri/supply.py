"""Single files of the data directory, fetched by their local paths from whichever remote or service has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from laion_fmri.access.service import service_url
from laion_fmri.catalog import catalog_path
from laion_fmri.catalog.models import Artifact, CatalogFile
from laion_fmri.catalog.policies import Agreement
from laion_fmri.catalog.templates import local_path
from laion_fmri.errors import DataNotFoundError
from laion_fmri.fetch import Report, ask_consent, run
from laion_fmri.gated import Gated
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.disk import free_bytes, local_stamps
from laion_fmri.storage.plan import Action, Plan, PlannedFile, RemoteFile
from laion_fmri.storage.remote import Client, client
from laion_fmri.storage.transfer import no_space

_ASKED_AT_ONCE = 8


@dataclass(frozen=True)
class Wanted:
    """A file that is wanted.

    Attributes
    ----------
    path : str
        Where it lands, relative to the data directory.
    key : str
        Its key, as far as it is known: it may be in any folder but that of its key.
    tree : str
        Tree of the catalog that it belongs to.
    reason : str
        Why it is wanted.
    etag : str, optional
        The version that `sha256` is of; that of every version where left out.
    sha256 : str, optional
        What it has to hold.
    """

    path: str
    key: str
    tree: str
    reason: str
    etag: str | None = None
    sha256: str | None = None

    @property
    def folder(self) -> str:
        """Where its key lies."""
        folder, slash, _ = self.key.rpartition("/")
        return folder + slash


def artifact_of(catalog: CatalogFile, tree: str) -> Artifact:
    """Return an artifact of a tree: the one under an agreement, where there is one.

    Raises
    ------
    DataNotFoundError
        If the catalog has none.
    """
    found = [source.args for source in catalog.sources.values() if source.args.tree.name == tree]
    if not found:
        raise DataNotFoundError(
            f"release {catalog.dataset.release} of the catalog has nothing that belongs to {tree}, so files of it "
            "cannot be downloaded; use the version of laion-fmri that they came with"
        )
    return next((one for one in found if isinstance(one.access, Agreement)), found[0])


def address_of(catalog: CatalogFile, tree: str) -> str:
    """Return the address that the files of a tree come from."""
    artifact = artifact_of(catalog, tree)
    if isinstance(artifact.access, Agreement):
        return service_url(artifact.access.service)
    return client(artifact.remote).url


class Supply:
    """Fetches files of the data directory, whatever is at their places now.

    Parameters
    ----------
    catalog : CatalogFile
        Says where they come from.
    root : Path
        The data directory.
    wanted : iterable of Wanted
        The files.
    n_jobs : int
        Workers, each of which has up to eight requests under way: parts of large files, or small ones.

    Raises
    ------
    DataNotFoundError
        If the catalog does not have the tree of a file.
    """

    def __init__(self, catalog: CatalogFile, root: Path, wanted: Iterable[Wanted], n_jobs: int = 1) -> None:
        self._catalog = catalog
        self._root = root
        self._n_jobs = n_jobs
        self._wanted = sorted(wanted, key=lambda one: one.path)
        self._artifacts = {tree: artifact_of(catalog, tree) for tree in {one.tree: None for one in self._wanted}}

    @cached_property
    def _gated(self) -> list[Gated]:
        return [
            Gated(artifact, artifact.access, self._root, anew={one.path: one.reason for one in self._wanted})
            for artifact in self._artifacts.values()
            if isinstance(artifact.access, Agreement)
        ]

    @cached_property
    def _open(self) -> list[tuple[Plan, Client]]:
        plans = []
        public = {tree: one.remote for tree, one in self._artifacts.items() if not isinstance(one.access, Agreement)}
        for remote in dict.fromkeys(public.values()):
            asked = client(remote, self._n_jobs)
            plans.append((self._plan(asked, [one for one in self._wanted if public.get(one.tree) == remote]), asked))
        return plans

    @property
    def plans(self) -> list[Plan]:
        """What `fetch` does, one plan for each remote or service.

        Raises
        ------
        RemoteError, AccessServiceError, OfflineError
            If it cannot be asked what there is.
        """
        return [*(plan for plan, _ in self._open), *(one.plan for one in self._gated)]

    @property
    def plan(self) -> Plan:
        """What `fetch` does, as one plan."""
        files = tuple(file for plan in self.plans for file in plan.files)
        first = next(iter(self.plans), None)
        remote = first.remote if first else self._catalog.remote.url
        return Plan(remote, str(self._root), self._catalog.dataset.release, free_bytes(self._root), files)

    def fetch(self) -> Report:
        """Fetch the files, having asked for what consent they need.

        Raises
        ------
        NoSpaceError
            If they do not fit all together.
        LicenseNotAcceptedError, AccessServiceError, RemoteError, OfflineError
            As of `laion_fmri.download.download`.

        Warns
        -----
        UserWarning
            For each file that could not be had.
        """
        ask_consent((one.access for one in self._artifacts.values()), self._root, catalog_path().parent)
        if not self.plan.fits:
            raise no_space(self.plan)
        for gated in self._gated:
            gated.ensure()
        reports = [run(plan, remote, self._n_jobs) for plan, remote in self._open]
        reports += [gated.download(self._n_jobs) for gated in self._gated]
        return sum(reports, Report(0, (), (), (), (), 0, 0.0))

    def _plan(self, remote: Client, wanted: list[Wanted]) -> Plan:
        offered = {local_path(file.key, self._catalog.entities): file for file in _offered(remote, wanted)}
        stamps = local_stamps(self._root, (one.path for one in wanted))
        files = []
        for one in wanted:
            size, _ = stamps.get(one.path, (None, 0))
            files.append(_planned(one, offered.get(one.path), remote)._replace(here=size))
        release = self._catalog.dataset.release
        return Plan(remote.url, str(self._root), release, free_bytes(self._root), tuple(files))


def _offered(remote: Client, wanted: Iterable[Wanted]) -> Iterator[RemoteFile]:
    """Yield what a remote has in the folders of some files, asked side by side."""
    if not isinstance(remote, Bucket):
        yield from remote.files(one.key for one in wanted)
        return
    folders = dict.fromkeys(one.folder for one in wanted)
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        for files, _ in pool.map(remote.folder, folders):
            yield from files


def _planned(one: Wanted, file: RemoteFile | None, remote: Client) -> PlannedFile:
    if file is None:
        return PlannedFile(one.key, one.path, 0, one.tree, Action.REFUSE, f"{remote.url} does not have it any more")
    sha256 = one.sha256 if one.etag in (None, file.etag) else None
    return PlannedFile(file.key, one.path, file.size, one.tree, Action.DOWNLOAD, one.reason, file.etag, sha256)
