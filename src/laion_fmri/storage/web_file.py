"""One file of a web server: its bytes from a place on, and its errors by what helps against them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from laion_fmri.errors import ChangedError, DeniedError, ExpiredError, GoneError, PassingError, RemoteError
from laion_fmri.storage.answer import PASSING, Answer
from laion_fmri.storage.http import Http
from laion_fmri.storage.origin import Body

_ERROR_BYTES = 1 << 12
_GIVEN = {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
_ERRORS: dict[int, type[RemoteError]] = {404: GoneError, 410: GoneError, 412: ChangedError, 416: ChangedError}
_DENIED = {401, 403}
_SPAN = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+)")
_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")


@contextmanager
def open_file(
    http: Http,
    url: str,
    start: int = 0,
    stop: int | None = None,
    etag: str | None = None,
    *,
    address: str | None = None,
) -> Iterator[Body]:
    """Give the bytes of a file; see `laion_fmri.storage.origin.Origin`."""
    headers = {"If-Match": etag} if etag else {}
    if start or stop is not None:
        headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    with asked(http, "GET", url, headers, address) as answer:
        found = etag_of(answer)
        if etag and found and found != etag:
            raise ChangedError(_changed(answer.address))
        if not etag or found != etag:  # a version by its name comes as it is stored, whatever is said of its encoding
            require_plain(answer)
        yield Body(answer.chunks(), *_place(answer), found)


@contextmanager
def asked(
    http: Http, method: str, url: str, headers: Mapping[str, str] | None = None, address: str | None = None
) -> Iterator[Answer]:
    """Give an answer that is the file as it stands, or a part of it."""
    with http.ask(method, url, headers, address=address) as answer:
        if answer.status not in _GIVEN:
            raise _refusal(answer)
        yield answer


def require_plain(answer: Answer) -> None:
    """Raise RemoteError where something on the way has compressed the file."""
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise RemoteError(f"{answer.address}: the server sends {encoding}, which was not asked for")


def etag_of(answer: Answer) -> str | None:
    """Return the name of the version of a file; none where it names several that are alike."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else None


def _refusal(answer: Answer) -> RemoteError:
    body = answer.start(_ERROR_BYTES)
    code = _CODE.search(body)
    status = f"{answer.status} {code[1].decode() if code else answer.reason}"
    told = f"{answer.address}: the server answered {status}"
    if answer.status in _DENIED:
        if b"expired" in body.lower():
            return ExpiredError(f"{answer.address}: the link has expired; run the same again to continue")
        return DeniedError(f"Access denied: {answer.address}")
    if answer.status in PASSING:
        return PassingError(f"{told}; run the same again later", answer.retry_after)
    if answer.status == HTTPStatus.PRECONDITION_FAILED:
        return ChangedError(_changed(answer.address))
    return _ERRORS.get(answer.status, RemoteError)(told)


def _changed(address: str) -> str:
    return f"{address}: the file changed since the download was planned; run the same again to plan anew"


def _place(answer: Answer) -> tuple[int, int | None, int | None]:
    """Return the first byte of an answer, the one after its last, and how many the whole file has."""
    if answer.status == HTTPStatus.OK:
        length = answer.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else None
        return 0, size, size
    span = _SPAN.fullmatch(answer.headers.get("Content-Range", ""))
    if span is None:
        raise RemoteError(f"{answer.address}: the server does not say which part of the file it gives")
    return int(span[1]), int(span[2]) + 1, int(span[3])
