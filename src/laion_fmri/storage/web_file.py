"""One file of a web server: its bytes from a place on, and its errors by what helps against them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from laion_fmri.errors import ChangedError, DeniedError, ExpiredError, GoneError, PassingError, RemoteError
from laion_fmri.storage.http import PASSING, Http, shown
from laion_fmri.storage.origin import Body

if TYPE_CHECKING:
    import requests

_CHUNK = 1 << 20
_ERROR_BYTES = 1 << 12
_GIVEN = {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
_ERRORS: dict[int, type[RemoteError]] = {404: GoneError, 410: GoneError, 412: ChangedError, 416: ChangedError}
_DENIED = {401, 403}
_SPAN = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+)")


@contextmanager
def open_file(http: Http, url: str, start: int = 0, stop: int | None = None, etag: str | None = None) -> Iterator[Body]:
    """Give the bytes of a file; see `laion_fmri.storage.origin.Origin`."""
    part = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop is not None else {}
    with asked(http, "GET", url, part) as answer:
        found = etag_of(answer)
        if etag and found and found != etag:
            raise ChangedError(f"{shown(url)}: the file changed since the download was planned; plan anew")
        yield Body(answer.iter_content(_CHUNK), *_place(answer, shown(url)), found)


@contextmanager
def asked(http: Http, method: str, url: str, headers: Mapping[str, str] | None = None) -> Iterator[requests.Response]:
    """Give an answer that is the file as it stands, or a part of it."""
    address = shown(url)
    with http.ask(method, url, headers) as answer:
        status, encoding = answer.status_code, answer.headers.get("Content-Encoding", "identity")
        told = f"{address}: the server answered {status} {answer.reason}"
        if status in _DENIED:
            raise _refused(answer, address)
        if status in PASSING:
            raise PassingError(f"{told}; run the same again later", _seconds(answer))
        if status not in _GIVEN:
            raise _ERRORS.get(status, RemoteError)(told)
        if encoding != "identity":
            raise RemoteError(f"{address}: the server sends {encoding}, which was not asked for")
        yield answer


def etag_of(answer: requests.Response) -> str | None:
    """Return the name of the version of a file; none where it names several that are alike."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else None


def _refused(answer: requests.Response, address: str) -> RemoteError:
    """Tell a signature that has expired, which storage servers say in words, from a file that is not given."""
    if b"expired" in next(answer.iter_content(_ERROR_BYTES), b"").lower():
        return ExpiredError(f"{address}: the link has expired; run the same again to continue")
    return DeniedError(f"Access denied: {address}")


def _place(answer: requests.Response, address: str) -> tuple[int, int | None]:
    """Return where the bytes of an answer begin, and how many the whole file has."""
    if answer.status_code == HTTPStatus.OK:
        size = answer.headers.get("Content-Length", "")
        return 0, int(size) if size.isdecimal() else None
    span = _SPAN.fullmatch(answer.headers.get("Content-Range", ""))
    if span is None:
        raise RemoteError(f"{address}: the server does not say which part of the file it gives")
    return int(span[1]), int(span[2])


def _seconds(answer: requests.Response) -> float | None:
    wanted = answer.headers.get("Retry-After", "")
    return float(wanted) if wanted.isdecimal() else None
