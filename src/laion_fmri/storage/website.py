"""Files of a web server by their keys; it lists nothing.

An environment variable, ``LAION_FMRI_<NAME>_URL``, points a remote elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from laion_fmri.catalog.remotes import HttpsRemote
from laion_fmri.errors import ChangedError, DeniedError, GoneError, PassingError, RemoteError
from laion_fmri.storage.http import PASSING, Http
from laion_fmri.storage.origin import Body
from laion_fmri.storage.plan import RemoteFile

if TYPE_CHECKING:
    import requests

_CHUNK = 1 << 20
_ASKED_AT_ONCE = 8
_GIVEN = {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
_ERRORS: dict[int, type[RemoteError]] = {404: GoneError, 410: GoneError, 412: ChangedError}
_DENIED = {401, 403}
_SPAN = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+)")


class Website:
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
        self._http = Http([*filter(None, own), *remote.hosts], max(_ASKED_AT_ONCE, connections))

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
            with self._asked("HEAD", key) as answer:
                size = answer.headers.get("Content-Length", "")
                if not size.isdecimal():
                    raise RemoteError(f"{self._address(key)}: the server does not say how many bytes the file has")
                return RemoteFile(key, int(size), _etag(answer))
        except GoneError:
            return None

    @contextmanager
    def open(self, key: str, start: int = 0, stop: int | None = None, etag: str | None = None) -> Iterator[Body]:
        """Give the bytes of a file; see `laion_fmri.storage.origin.Origin`."""
        part = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop is not None else {}
        with self._asked("GET", key, part) as answer:
            found = _etag(answer)
            if etag and found and found != etag:
                raise ChangedError(f"{self._address(key)}: the file changed since the download was planned; plan anew")
            yield Body(answer.iter_content(_CHUNK), *self._place(key, answer), found)

    def _place(self, key: str, answer: requests.Response) -> tuple[int, int | None]:
        """Return where the bytes of an answer begin, and how many the whole file has."""
        if answer.status_code == HTTPStatus.OK:
            size = answer.headers.get("Content-Length", "")
            return 0, int(size) if size.isdecimal() else None
        span = _SPAN.fullmatch(answer.headers.get("Content-Range", ""))
        if span is None:
            raise RemoteError(f"{self._address(key)}: the server does not say which part of the file it gives")
        return int(span[1]), int(span[2])

    @contextmanager
    def _asked(self, method: str, key: str, headers: Mapping[str, str] | None = None) -> Iterator[requests.Response]:
        """Give an answer that is the file as it stands, or a part of it."""
        address = self._address(key)
        with self._http.ask(method, address, headers) as answer:
            status, encoding = answer.status_code, answer.headers.get("Content-Encoding", "identity")
            told = f"{address}: the server answered {status} {answer.reason}"
            if status in _DENIED:
                raise DeniedError(f"Access denied: {address}")
            if status in PASSING:
                raise PassingError(f"{told}; run the same again later", _seconds(answer))
            if status not in _GIVEN:
                raise _ERRORS.get(status, RemoteError)(told)
            if encoding != "identity":
                raise RemoteError(f"{address}: the server sends {encoding}, which was not asked for")
            yield answer

    def _address(self, key: str) -> str:
        return f"{self.url}/{quote(key)}"


def _etag(answer: requests.Response) -> str | None:
    """Return the name of the version of a file; none where it names several that are alike."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else None


def _seconds(answer: requests.Response) -> float | None:
    wanted = answer.headers.get("Retry-After", "")
    return float(wanted) if wanted.isdecimal() else None
