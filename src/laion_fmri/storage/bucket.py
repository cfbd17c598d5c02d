"""An S3 bucket: what it lists, and the bytes of its files.

Addresses are those of boto3; listing and bytes go through libcurl, which takes far less time for each file.
``AWS_ENDPOINT_URL_S3``, boto3's own variable, points it elsewhere; ``LAION_FMRI_OFFLINE=1`` forbids it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from threading import Lock
from urllib.parse import SplitResult, urlsplit
from xml.etree.ElementTree import ParseError

from laion_fmri.catalog.remotes import S3Remote
from laion_fmri.errors import PassingError, RemoteError
from laion_fmri.storage.asker import Asker
from laion_fmri.storage.endpoint import Addresses, addresses
from laion_fmri.storage.hosts import require_safe
from laion_fmri.storage.http import Http
from laion_fmri.storage.online import refuse_offline
from laion_fmri.storage.origin import Body, Place, SteadyOrigin
from laion_fmri.storage.page import Page, read_page
from laion_fmri.storage.plan import RemoteFile
from laion_fmri.storage.retry import persist
from laion_fmri.storage.web_file import open_file


class Bucket(SteadyOrigin):
    """The bucket of a catalog.

    Parameters
    ----------
    remote : S3Remote
        Name and region.
    connections : int
        Connections kept open, as many as there are workers.
    """

    def __init__(self, remote: S3Remote, connections: int = 1) -> None:
        self.url = remote.url
        self.etag_is_md5 = remote.anonymous  # a bucket that is not public may be encrypted, and has other ETags then
        self._remote = remote
        self._connections = connections
        self._lock = Lock()
        self._asker = Asker(self.follow)

    @cached_property
    def _addresses(self) -> Addresses:
        refuse_offline(self.url)
        found = addresses(self._remote)
        parts = _parts(found)
        require_safe(parts.scheme, parts.hostname or "", self.url)
        return found

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """The host of the bucket."""
        return (_parts(self._addresses).hostname or "",)

    @cached_property
    def _http(self) -> Http:
        return Http(self.hosts, self._connections)

    def _where(self) -> Addresses:
        with self._lock:
            return self._addresses

    def _client(self) -> Http:
        with self._lock:
            return self._http

    def files(self, prefix: str) -> Iterator[RemoteFile]:
        """Yield every file whose key begins with `prefix`, page by page."""
        for page in self._pages({"prefix": prefix}):
            yield from page.files

    def folder(self, prefix: str) -> tuple[list[RemoteFile], list[str]]:
        """Return the files directly below a prefix, and the names of the folders there."""
        files: list[RemoteFile] = []
        folders: list[str] = []
        for page in self._pages({"prefix": prefix, "delimiter": "/"}):
            files += page.files
            folders += [name[len(prefix) : -1] for name in page.folders]
        return files, folders

    def _pages(self, query: dict[str, str]) -> Iterator[Page]:
        query = {"list-type": "2", "encoding-type": "url", **query}
        page = persist(self._asker.stopped, self._page, query)
        yield page
        while page.goes_on:
            if page.token in (None, query.get("continuation-token")):
                raise RemoteError(
                    f"{self.url}/{query['prefix']}: the listing goes on, and the server does not say where"
                )
            query = {**query, "continuation-token": page.token or ""}
            page = persist(self._asker.stopped, self._page, query)
            yield page

    def _page(self, query: dict[str, str]) -> Page:
        address = f"{self.url}/{query['prefix']}"
        body = self._asker.answer(Place(self._where().of_list(query), address))
        try:
            return read_page(body)
        except (ParseError, ValueError, TypeError) as error:
            raise PassingError(
                f"{address}: the answer is no listing of a bucket ({error}); run the same again"
            ) from None

    def open(
        self, key: str, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AbstractContextManager[Body]:
        """Give the bytes of a file; see `laion_fmri.storage.origin.Stream`."""
        url, shown = self._where().of_file(key), f"{self.url}/{key}"
        return open_file(self._client(), url, start, stop, etag, address=shown)

    def place(self, key: str) -> Place:
        """Return where a file can be asked for; see `laion_fmri.storage.origin.Origin`."""
        return Place(self._where().of_file(key), f"{self.url}/{key}")

    def stop(self) -> None:
        """Break every listing that is under way."""
        self._asker.stop()


def _parts(found: Addresses) -> SplitResult:
    return urlsplit(found.of_list({"encoding-type": "url"}))
