"""One file of a web server: its bytes from a place on, and its errors by what helps against them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

from laion_fmri.errors import ChangedError, DeniedError, ExpiredError, GoneError, PassingError, RemoteError
from laion_fmri.storage.answer import PASSING, Answer, Head
from laion_fmri.storage.http import Http
from laion_fmri.storage.origin import Body, Part

ERROR_BYTES = 1 << 12
GIVEN = {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
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
    """Give the bytes of a file; see `laion_fmri.storage.origin.Stream`."""
    headers = {"If-Match": etag} if etag else {}
    if start or stop is not None:
        headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    with asked(http, "GET", url, headers, address) as answer:
        yield Body(answer.chunks(), part_of(answer, etag))


@contextmanager
def asked(
    http: Http, method: str, url: str, headers: Mapping[str, str] | None = None, address: str | None = None
) -> Iterator[Answer]:
    """Give an answer that is the file as it stands, or a part of it."""
    with http.ask(method, url, headers, address=address) as answer:
        if answer.status not in GIVEN:
            raise refusal(answer, answer.start(ERROR_BYTES))
        yield answer


def part_of(head: Head, etag: str | None) -> Part:
    """Return which bytes of a file an answer gives.

    Parameters
    ----------
    head : Head
        That of an answer that gives some.
    etag : str, optional
        The version that is wanted.

    Raises
    ------
    ChangedError
        If they are of another version.
    RemoteError
        If it does not say, or something on the way has compressed the file.
    """
    found = etag_of(head)
    if etag and found and found != etag:
        raise ChangedError(_changed(head.address))
    if not etag or found != etag:  # a version by its name comes as it is stored, whatever is said of its encoding
        require_plain(head)
    if head.status == HTTPStatus.OK:
        length = head.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else None
        return Part(0, size, size, found)
    span = _SPAN.fullmatch(head.headers.get("content-range", ""))
    if span is None:
        raise RemoteError(f"{head.address}: the server does not say which part of the file it gives")
    return Part(int(span[1]), int(span[2]) + 1, int(span[3]), found)


def require_plain(head: Head) -> None:
    """Raise RemoteError where something on the way has compressed the file."""
    encoding = head.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise RemoteError(f"{head.address}: the server sends {encoding}, which was not asked for")


def etag_of(head: Head) -> str | None:
    """Return the name of the version of a file; none where it names several that are alike."""
    etag = head.headers.get("etag", "")
    return etag if etag.startswith('"') else None


def refusal(head: Head, body: bytes) -> RemoteError:
    """Return the error for an answer that gives nothing of a file; the first bytes of its body may say why."""
    code = _CODE.search(body)
    status = f"{head.status} {code[1].decode() if code else head.reason}"
    told = f"{head.address}: the server answered {status}"
    if head.status in _DENIED:
        if b"expired" in body.lower():
            return ExpiredError(f"{head.address}: the link has expired; run the same again to continue")
        return DeniedError(f"Access denied: {head.address}")
    if head.status in PASSING:
        return PassingError(f"{told}; run the same again later", head.retry_after)
    if head.status == HTTPStatus.PRECONDITION_FAILED:
        return ChangedError(_changed(head.address))
    return _ERRORS.get(head.status, RemoteError)(told)


def _changed(address: str) -> str:
    return f"{address}: the file changed since the download was planned; run the same again to plan anew"
