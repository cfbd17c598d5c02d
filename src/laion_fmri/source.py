"""One artifact of a catalog and what was chosen of it: its files, its plan, its download, its data.

Everything that a catalog entry can do, without intake; `intake_driver` puts an intake face on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from laion_fmri.catalog import catalog_path
from laion_fmri.catalog.choice import Choice, choose, complete, defaults
from laion_fmri.catalog.gaps import in_gap
from laion_fmri.catalog.models import Artifact, FileSpec
from laion_fmri.catalog.policies import Agreement
from laion_fmri.catalog.templates import sidecar_of
from laion_fmri.config import data_root
from laion_fmri.description import description
from laion_fmri.errors import DataNotDownloadedError, NoMatchingDataError, SelectionError
from laion_fmri.loaders import REMOTE, SOURCE, STORED, STREAMED, Allocate, Find, Loader, LocalFile, Request, get_loader
from laion_fmri.missing import Chosen, lost_value, missing_text
from laion_fmri.selection import usable_jobs
from laion_fmri.storage.find import FileEntry, expected_files
from laion_fmri.stores import stores_folder

if TYPE_CHECKING:
    from laion_fmri.fetch import Report
    from laion_fmri.storage.plan import Plan


class Source:
    """An artifact with a choice of entity values and options.

    Parameters
    ----------
    name, description : str
        Of the catalog entry.
    artifact : Artifact
        The entry itself.
    given : mapping, optional
        Entity values and options; wrong ones raise SelectionError here, missing ones when they are needed.
    texts : Path, optional
        Folder beside which the catalog's long texts lie.
    data_dir : Path, optional
        Where the files are; the configured directory where left out.

    Examples
    --------
    >>> from laion_fmri.catalog import load_catalog
    >>> entry = load_catalog().sources["trials"]
    >>> trials = Source("trials", entry.description, entry.args)
    >>> trials(subject=3)(ses="ses-01").choice.entities
    {'subject': ('03',), 'ses': ('01',)}
    """

    def __init__(
        self,
        name: str,
        description: str,
        artifact: Artifact,
        given: Mapping[str, Any] | None = None,
        *,
        texts: Path | None = None,
        data_dir: Path | None = None,
    ) -> None:
        self.name = name
        self.description = description
        self.artifact = artifact
        self.given = dict(given or {})
        self.texts = texts
        self.data_dir = data_dir
        self._refuse_unless_streamed()
        self.choice: Choice = choose(name, artifact, self.given)

    def __call__(self, **given: Any) -> Source:
        """Return a source with more chosen; what was chosen before stays."""
        chosen = {**self.given, **given}
        return Source(self.name, self.description, self.artifact, chosen, texts=self.texts, data_dir=self.data_dir)

    def _refuse_unless_streamed(self) -> None:
        if SOURCE in self.given and not (SOURCE in self.artifact.options and self.artifact.loader in STREAMED):
            raise SelectionError(
                f"{self.name} takes no {SOURCE}: it is read from the data directory, so download it first; what can be "
                f"read from its remote are artifacts of the loaders {', '.join(sorted(STREAMED))}"
            )

    @property
    def _root(self) -> Path:
        return self.data_dir or data_root()

    @property
    def loader(self) -> Loader:
        """The module that reads the files."""
        return get_loader(self.artifact.loader)

    def files(self) -> list[FileEntry]:
        """Return the files of the selection; of values that only the remote knows, those that are here."""
        return self._entries(self.artifact, self.choice.entities)

    def _entries(self, files: FileSpec, entities: Mapping[str, tuple[str, ...] | None]) -> list[FileEntry]:
        template, values = complete(self.name, files, entities)
        found = expected_files(self._root, template, files.entities, values)
        return [FileEntry.of(path, bound) for path, bound in found if not in_gap(bound, files.gaps)]

    def plan(self) -> Plan:
        """Return what `download` would do: the files of the selection and those that reading takes beside them."""
        from laion_fmri.gated import Gated
        from laion_fmri.planning import plan_of
        from laion_fmri.storage.remote import client

        if isinstance(self.artifact.access, Agreement):
            return Gated(self.artifact, self.artifact.access, self._root).plan
        return plan_of(self.name, self.artifact, self.choice, client(self.artifact.remote), self._root)

    def download(self, n_jobs: int = 1) -> Report:
        """Fetch the files of the selection, and those that reading takes beside them, that are not here.

        Parameters
        ----------
        n_jobs : int
            Workers, each of which has up to eight requests under way: parts of large files, or small ones.

        Returns
        -------
        Report
            What was done.

        Raises
        ------
        NoMatchingDataError
            If the remote has no such file.
        AccessServiceError
            If the files are given under an agreement, and the service does not give them; its kinds say what to do.
        LicenseNotAcceptedError, RemoteError, OfflineError, NoSpaceError
            As for `laion_fmri.download.download`.
        """
        from laion_fmri.fetch import run
        from laion_fmri.gated import Gated
        from laion_fmri.planning import plan_of
        from laion_fmri.storage.remote import client

        complete(self.name, self.artifact, self.choice.entities)
        root, workers = self._root, usable_jobs(n_jobs)
        if isinstance(self.artifact.access, Agreement):
            return Gated(self.artifact, self.artifact.access, root).download(workers)
        self._ask_consent()
        remote = client(self.artifact.remote, workers)
        plan = plan_of(self.name, self.artifact, self.choice, remote, root)
        if not plan.files:
            raise NoMatchingDataError(f"{self.name}: {remote.url} has no file of {self._chosen_text()}")
        return run(plan, remote, workers)

    def read(self, **options: Any) -> Any:
        """Return the data in memory; see the catalog entry for what it is. Never stores anything.

        Parameters
        ----------
        **options
            Options of the artifact, and further entity values.

        Raises
        ------
        SelectionError
            If an entity is missing, or a name or value is wrong.
        DataNotDownloadedError
            If a file is not here; the message has the command that fetches it.
        DataFormatError
            If a file contradicts the catalog or its companions.
        NoMatchingDataError, LicenseNotAcceptedError, RemoteError, OfflineError
            With ``source="remote"``, as of `download`.
        """
        return self(**options)._load("read")

    def to_dask(self, **options: Any) -> Any:
        """Return the same object as `read`, lazily: nothing but headers and tables is read before it is computed."""
        return self(**options)._load("to_dask")

    def read_into(self, allocate: Allocate) -> Any:
        """Return the same as `read`; a series of volumes in an array that `allocate(shape, dtype)` makes."""
        return self._load("read", allocate)

    def _load(self, how: str, allocate: Allocate | None = None) -> Any:
        load: Callable[[Request], Any] = getattr(self.loader, how)
        data = load(self.request(allocate))
        if hasattr(data, "coords") and not hasattr(data, "data_vars"):  # an array, not a set of them
            data.name = self.name
        return data

    def request(self, allocate: Allocate | None = None) -> Request:
        """Return what the loader is asked to read.

        Raises
        ------
        DataNotDownloadedError
            If a file is not here, and is to be.
        NoMatchingDataError, LicenseNotAcceptedError, RemoteError, OfflineError
            If it need not be here, and cannot be had from its remote.
        """
        if self.choice.options.get(SOURCE) != REMOTE:
            return self._request(self.present(), self._here_find, allocate)
        from laion_fmri.remote_files import Reachable

        complete(self.name, self.artifact, self.choice.entities)
        self._ask_consent()
        needs = self.loader.needs(self.artifact, self.choice.options)
        reach = Reachable(self.name, self.artifact, self._root, needs, self._here_find)
        return self._request(reach.files(self.artifact, self.choice.entities), reach.find, allocate)

    def _request(self, files: tuple[LocalFile, ...], find: Find, allocate: Allocate | None = None) -> Request:
        stores = stores_folder(self._root, self.name) if all(isinstance(one.path, Path) for one in files) else None
        return Request(self.artifact, files, self.choice.options, find, allocate, stores)

    @property
    def _here_find(self) -> Find:
        here = Source(self.name, self.description, self.artifact, self.given, data_dir=self._root)  # on any machine
        return here._find

    def optimize(self) -> Source:
        """Write the data of each file into a local store, from which `read` and `to_dask` take them from then on.

        What is there and right stays. Of the options only those that choose the brain mask matter: a store has all of
        its voxels, whatever is read of them later. See docs/store.md.

        Returns
        -------
        Source
            The source itself.

        Raises
        ------
        SelectionError
            If the artifact is of a kind that has no local store, or is to be read from its remote.
        DataNotDownloadedError, DataFormatError
            As of `read`.
        NoSpaceError
            If the disk is too full.
        """
        if self.artifact.loader not in STORED:
            raise SelectionError(f"{self.name} has no local store: its files are read as they are; use read()")
        if self.choice.options.get(SOURCE) == REMOTE:
            raise SelectionError(
                f"{self.name}: a local store is made of files that are here, not of those of the remote; leave "
                f'{SOURCE}="{REMOTE}" out for optimize(), and download() first'
            )
        self.loader.optimize(self._request(self.present(), self._here_find))  # type: ignore[attr-defined]  # those in STORED have it
        return self

    def sidecar(self) -> dict[Any, Any]:
        """Return the content of the JSON file beside the file of the selection.

        Returns
        -------
        dict
            Several files: one such dictionary for each, by the value of the entity in which the files differ
            (``"01"``), or by the tuple of values where they differ in several.

        Raises
        ------
        SelectionError, DataNotDownloadedError, DataFormatError
            As of `read`; and SelectionError where the catalog knows of no JSON files beside these.
        """
        if not self.artifact.sidecar:
            raise SelectionError(f"{self.name} has no sidecars: no JSON files lie beside its files; use read()")
        beside = self.artifact.model_copy(update={"path": tuple(map(sidecar_of, self.artifact.path))})
        files = self._present(beside, self.choice.entities)
        content: dict[Any, Any] = get_loader("json").read(Request(beside, files, {}, self._find))
        return content

    def present(self) -> tuple[LocalFile, ...]:
        """Return the files of the selection, or raise DataNotDownloadedError unless all of them are here."""
        return self._present(self.artifact, self.choice.entities)

    def _find(self, join: str, values: Mapping[str, str]) -> tuple[LocalFile, ...]:
        files = self.artifact.joins[join]
        chosen = {name: (value,) for name, value in values.items() if name in files.entities}
        return self._present(files, {**defaults(files), **chosen})

    def _present(self, files: FileSpec, chosen: Mapping[str, tuple[str, ...] | None]) -> tuple[LocalFile, ...]:
        entries = self._entries(files, chosen)
        missing = [(entry.path, entry.entities) for entry in entries if entry.size is None]
        lost = lost_value([entry.entities for entry in entries], chosen)
        if missing or lost or not entries:
            raise DataNotDownloadedError(
                missing_text(self.name, files, {**chosen, **lost}, missing, partial(self._here, files))
            )
        return tuple(LocalFile(entry.path, entry.entities) for entry in entries)

    def _here(self, files: FileSpec, chosen: Chosen) -> list[Mapping[str, str]]:
        return [entry.entities for entry in self._entries(files, chosen) if entry.size is not None]

    def _ask_consent(self) -> None:
        from laion_fmri.fetch import ask_consent

        ask_consent([self.artifact.access], self._root, self.texts or catalog_path().parent)

    def _chosen_text(self) -> str:
        chosen = {name: values for name, values in self.choice.entities.items() if values}
        return ", ".join(f"{name}={','.join(values)}" for name, values in chosen.items()) or "the dataset"

    def describe(self) -> dict[str, Any]:
        """Return what the catalog says of the artifact and what is chosen, under the keys that intake uses."""
        return description(self.name, self.description, self.artifact, self.choice)
