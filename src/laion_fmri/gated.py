"""Files under an agreement: compared with what the service says, and fetched by its links where they differ."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from glob import escape
from pathlib import Path

from laion_fmri.catalog.filters import gated_test
from laion_fmri.catalog.models import Artifact, CatalogFile
from laion_fmri.catalog.policies import Agreement
from laion_fmri.catalog.templates import local_path
from laion_fmri.errors import AccessServiceError, OfflineError
from laion_fmri.fetch import Report, listing, run
from laion_fmri.selection import DownloadRequest
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.digests import file_digest
from laion_fmri.storage.disk import free_bytes
from laion_fmri.storage.online import is_offline
from laion_fmri.storage.plan import Action, Local, Plan, PlannedFile, RemoteFile, decide
from laion_fmri.storage.receipts import Receipt, local_files, write
from laion_fmri.storage.remote import client


class Gated:
    """The files of the tree of an artifact that is given under an agreement.

    Parameters
    ----------
    artifact : Artifact
        Its tree names the files; the service knows them by the last part of their keys.
    policy : Agreement
        Its access.
    root : Path
        The data directory.
    url : str, optional
        Address of the service; the usual one where left out.
    anew : mapping of str to str, optional
        Why these files are fetched whatever is here of them, by their local paths; the others are left alone then.
    """

    def __init__(
        self,
        artifact: Artifact,
        policy: Agreement,
        root: Path,
        url: str | None = None,
        anew: Mapping[str, str] | None = None,
    ) -> None:
        from laion_fmri.access.permit import Permit

        self._artifact = artifact
        self._root = root
        self._anew = anew
        self._permit = Permit(policy, url)

    @property
    def paths(self) -> list[Path]:
        """Where the files are, or would be."""
        return [self._root / local_path(key, self._artifact.entities) for key in self._artifact.tree.files]

    @cached_property
    def plan(self) -> Plan:
        """What `download` does.

        Raises
        ------
        OfflineError
            If the network may not be used, and files are not here.
        AccessServiceError
            If the service cannot be asked, or does not have a file.
        """
        files = self._files_anew() if self._anew is not None else self._local() if is_offline() else self._compared()
        release = self._artifact.dataset.release
        return Plan(self._permit.client.url, str(self._root), release, free_bytes(self._root), tuple(files))

    def _files_anew(self) -> Iterable[PlannedFile]:
        for key in self._artifact.tree.files:
            path = local_path(key, self._artifact.entities)
            if self._anew and path in self._anew:
                here = local_files(self._root, [path]).get(path)
                yield self._file(self._offered(key), Action.DOWNLOAD, self._anew[path], here)

    def _compared(self) -> Iterable[PlannedFile]:
        return [self._planned(key) for key in self._artifact.tree.files]

    def _local(self) -> Iterable[PlannedFile]:
        """Take the files that are here as they are."""
        missing = [str(path) for path in self.paths if not path.is_file()]
        if missing:
            raise OfflineError(
                f"LAION_FMRI_OFFLINE is set, and not here: {', '.join(missing)}. Copy from a machine that has it, or "
                f"unset the variable and run: laion-fmri {self._artifact.tree.command}"
            )
        for key, path in zip(self._artifact.tree.files, self.paths, strict=True):
            yield self._file(RemoteFile(key, path.stat().st_size), Action.SKIP, "already here, not compared: offline")

    def _planned(self, key: str) -> PlannedFile:
        remote = self._offered(key)
        path = local_path(key, self._artifact.entities)
        here = local_files(self._root, [path]).get(path)
        if here and remote.sha256 and here.size == remote.size and here.sha256 is None:
            here = self._hashed(path, remote, here)
        return self._file(remote, *decide(path, remote, here), here)

    def _hashed(self, path: str, remote: RemoteFile, here: Local) -> Local:
        """Compute the checksum of a file that came from elsewhere; one that is right gets a receipt, for next time."""
        sha256 = file_digest(self._root / path, "sha256")
        if sha256 == remote.sha256:
            with suppress(OSError):  # a data directory that cannot be written is read all the same
                write(self._root, [self._receipt(path, remote, here)])
        return here._replace(sha256=sha256)

    def _receipt(self, path: str, remote: RemoteFile, here: Local) -> Receipt:
        return Receipt(
            path=path,
            key=remote.key,
            remote=self._permit.client.url,
            tree=self._artifact.tree.name,
            release=self._artifact.dataset.release,
            size=remote.size,
            sha256=remote.sha256,
            mtime_ns=here.mtime_ns,
            at=time.time(),
        )

    def _file(self, remote: RemoteFile, action: Action, reason: str, here: Local | None = None) -> PlannedFile:
        path = local_path(remote.key, self._artifact.entities)
        tree = self._artifact.tree.name
        size = here.size if here else None
        return PlannedFile(remote.key, path, remote.size, tree, action, reason, remote.etag, remote.sha256, size)

    def _offered(self, key: str) -> RemoteFile:
        return self._served(key) or self._public(key)

    def _served(self, key: str) -> RemoteFile | None:
        file = self._permit.manifest.file(key.rpartition("/")[2])
        return RemoteFile(key, file.size, sha256=file.sha256.lower()) if file else None

    def _public(self, key: str) -> RemoteFile:
        """Return what the bucket has of a file that the service does not name."""
        remote = client(self._artifact.remote)
        if isinstance(remote, Bucket) and not gated_test([self._artifact])(key):
            for file in listing(self._artifact.tree, "", remote):
                if file.key == key:
                    return file
        raise AccessServiceError(
            f"{self._permit.client.url} does not have {key.rpartition('/')[2]}; run the same again later, or update "
            "laion-fmri"
        )

    def ensure(self) -> None:
        """Ask for the agreement if it will be needed and there is none."""
        if self._lacking():
            self._permit.ensure()

    def _lacking(self) -> bool:
        return any(file.sha256 for file in self.plan.of(Action.DOWNLOAD))

    def download(self, n_jobs: int = 1) -> Report:
        """Fetch what is not here, or not as the service has it; asks for the agreement only then.

        Parameters
        ----------
        n_jobs : int
            Workers, each of which has up to eight requests under way: parts of large files, or small ones.

        Raises
        ------
        AgreementNeededError, TermsOutdatedError, AccessRevokedError, AccessPendingError
            If the agreement is missing or does not hold; each says what to do.
        AccessServiceError, OfflineError, NoSpaceError
            If the service or the network does not allow it, or the disk; also if a file could not be fetched.

        Warns
        -----
        UserWarning
            For each file that could not be fetched, with the reason.
        """
        from laion_fmri.access.links import Links

        if self._lacking():
            self._permit.open()
        served = replace(self.plan, files=tuple(file for file in self.plan.files if file.sha256))
        others = replace(self.plan, files=tuple(file for file in self.plan.files if not file.sha256))
        remote = client(self._artifact.remote, n_jobs)
        report = run(served, Links(self._permit), n_jobs) + run(others, remote, n_jobs)
        if not report.complete:
            names = ", ".join(key.rpartition("/")[2] for key in (*report.denied, *report.failed))
            raise AccessServiceError(f"{names}: not fetched, for the reasons above; run the same again to continue")
        return report


def gated_parts(catalog: CatalogFile, request: DownloadRequest, root: Path) -> tuple[DownloadRequest, list[Gated]]:
    """Take what is given under an agreement out of a request, and return it beside the rest."""
    gated = {one.tree.name: Gated(one, policy, root) for one, policy in catalog.gated if one.tree in request.trees}
    open_trees = tuple(tree for tree in request.trees if tree.name not in gated)
    return replace(request, trees=open_trees), list(gated.values())


def with_gated(plan: Plan, gated: Iterable[Gated]) -> Plan:
    """Return a plan with the files of others that are given under an agreement."""
    return replace(plan, files=(*plan.files, *(file for one in gated for file in one.plan.files)))


def gated_files(artifact: Artifact, root: Path) -> list[Path]:
    """Return the files here that are given under the agreement only, with what unfinished transfers left of them."""
    is_gated = gated_test([artifact])
    places = [root / local_path(key, artifact.entities) for key in artifact.tree.files if is_gated(key)]
    begun = [part for place in places for part in sorted(place.parent.glob(f".{escape(place.name)}.*"))]
    return [path for path in [*places, *begun] if path.is_file()]
