"""Files of a web server by their keys; it lists nothing.

An environment variable, ``LAION_FMRI_<NAME>_URL``, points a remote elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from urllib.parse import quote, urlsplit

from laion_fmri.catalog.remotes import HttpsRemote
from laion_fmri.errors import GoneError, RemoteError
from laion_fmri.storage.http import Http
from laion_fmri.storage.online import refuse_offline
from laion_fmri.storage.origin import Body, Place, SteadyOrigin
from laion_fmri.storage.plan import RemoteFile
from laion_fmri.storage.retry import persist
from laion_fmri.storage.web_file import asked, etag_of, open_file, require_plain

_ASKED_AT_ONCE = 8


class Website(SteadyOrigin):
    """The web server of a remote.

    Parameters
    ----------
    remote : HttpsRemote
        Address, and hosts that it may redirect to.
    connections : int
        Connections kept open, as many as there are workers.
    """

    def __init__(self, remote: HttpsRemote, connections: int = 1) -> None:
        self.url = (os.environ.get(remote.variable) or remote.url).rstrip("/")
        own = (urlsplit(url).hostname for url in (self.url, remote.url))
        self._hosts = frozenset([*filter(None, own), *remote.hosts])
        self._http = Http(self._hosts, max(_ASKED_AT_ONCE, connections))
        self.etag_is_md5 = False

    @property
    def hosts(self) -> frozenset[str]:
        """Hosts that may be asked: its own, and those that it may lead to."""
        return self._hosts

    def files(self, keys: Iterable[str]) -> Iterator[RemoteFile]:
        """Yield those of some files that are there.

        Raises
        ------
        DeniedError
            If the server does not say.
        RemoteError
            If it cannot be reached, or answers with an error.
        """
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            yield from filter(None, pool.map(self._file, keys))

    def _file(self, key: str) -> RemoteFile | None:
        try:
            return persist(None, self._described, key)
        except GoneError:
            return None

    def _described(self, key: str) -> RemoteFile:
        with asked(self._http, "HEAD", self._address(key)) as answer:
            require_plain(answer)
            size = answer.headers.get("Content-Length", "")
            if not size.isdecimal():
                raise RemoteError(f"{self._address(key)}: the server does not say how many bytes the file has")
            return RemoteFile(key, int(size), etag_of(answer))

    def open(
        self, key: str, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AbstractContextManager[Body]:
        """Give the bytes of a file; see `laion_fmri.storage.origin.Stream`."""
        return open_file(self._http, self._address(key), start, stop, etag)

    def place(self, key: str) -> Place:
        """Return where a file can be asked for; see `laion_fmri.storage.origin.Origin`."""
        address = self._address(key)
        refuse_offline(address)
        return Place(self.follow(address, address), address)

    def _address(self, key: str) -> str:
        return f"{self.url}/{quote(key)}"
