"""Requests for files, many under way at once on one thread, through libcurl.

Nothing is decided here: what comes is handed on, errors by what helps against them. Proxies and certificates are those
of the environment, as of `laion_fmri.storage.surroundings`; certificates are always checked, no redirect is followed,
no password (``~/.netrc``) is sent.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pycurl

from laion_fmri.errors import PassingError, TooManyOpenError
from laion_fmri.storage import pieces, retry, system, troubles
from laion_fmri.storage.answer import Head, shown
from laion_fmri.storage.gauge import Gauge
from laion_fmri.storage.surroundings import authorities, proxy_for

_log = logging.getLogger(__name__)

_NAP = 0.01  # seconds, where there is nothing to wait for yet: a name is being looked up
_ABORT = -1

_UNREACHABLE = {
    pycurl.E_COULDNT_RESOLVE_PROXY,
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_COULDNT_CONNECT,
    97,  # CURLE_PROXY, which pycurl does not name
}
_NOT_TRUSTED = {pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE}
_NO_ADDRESS = {pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL}

_ALWAYS: dict[int, object] = {
    pycurl.NOSIGNAL: 1,
    pycurl.BUFFERSIZE: 1 << 21,  # one for all handles
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
}


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes
    ----------
    url : str
        The address. What stands behind its ``?`` may be a secret, and shows nowhere.
    address : str
        What errors call it.
    headers : mapping of str to str
        Sent along.
    """

    url: str
    address: str
    headers: Mapping[str, str]


class Listener(Protocol):
    """What an answer is handed to. Where it raises, the request ends with that error."""

    def head(self, head: Head) -> None:
        """Take the head of the answer, before its body."""

    def body(self, chunks: Sequence[bytes]) -> None:
        """Take the next bytes of the body."""

    def ended(self, error: Exception | None) -> None:
        """Take the end: whole as announced, or why not."""


class Wire:
    """Requests that are under way, and the connections that are kept between them.

    Parameters
    ----------
    places : int
        Most requests at once.

    Raises
    ------
    TooManyOpenError
        If no more files can be opened.
    """

    def __init__(self, places: int) -> None:
        try:
            self._multi = pycurl.CurlMulti()
        except pycurl.error:
            raise TooManyOpenError(system.TOO_MANY_OPEN) from None
        self._multi.setopt(pycurl.M_MAXCONNECTS, places)
        self._idle: dict[str, list[pycurl.Curl]] = defaultdict(list)  # by host
        self._ways: dict[str, dict[int, object]] = {}
        self._calls: dict[pycurl.Curl, _Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def ask(self, request: Request, listener: Listener) -> None:
        """Begin a request."""
        host = "/".join(request.url.split("/", 3)[:3])
        idle = self._idle[host]
        curl = idle.pop() if idle else self._new(request.url, host)
        call = self._calls[curl] = _Call(request, host, listener)
        curl.setopt(pycurl.URL, request.url)
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in request.headers.items()])
        curl.setopt(pycurl.HEADERFUNCTION, call.lines.append)
        curl.setopt(pycurl.WRITEFUNCTION, call.body)
        self._multi.add_handle(curl)

    def _new(self, url: str, host: str) -> pycurl.Curl:
        """Return a handle that asks a host."""
        if host not in self._ways:
            self._ways[host] = _way(url)
        curl = pycurl.Curl()
        for option, value in {**_ALWAYS, **self._ways[host]}.items():
            curl.setopt(option, value)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(min(retry.PATIENCE.connect, retry.PATIENCE.silence) * 1000))
        return curl

    def step(self, seconds: float) -> None:
        """Hand on what has come; where that is nothing, wait for it, but no longer than so many seconds."""
        self._multi.perform()
        _, whole, broken = self._multi.info_read(len(self._calls))
        for curl in whole:
            self._end(curl, None)
        for curl, code, _ in broken:
            self._end(curl, self._calls[curl].why(code, curl.getinfo(pycurl.OS_ERRNO)))
        for curl, call in list(self._calls.items()):
            if error := call.trouble():
                self._end(curl, error)
        if self._calls and not whole and not broken:
            due = self._multi.timeout()
            if self._multi.select(min(seconds, due / 1000) if due >= 0 else seconds) < 0:
                time.sleep(_NAP)

    def _end(self, curl: pycurl.Curl, error: Exception | None) -> None:
        self._free(curl).end(error)

    def _free(self, curl: pycurl.Curl) -> _Call:
        call = self._calls.pop(curl)
        self._multi.remove_handle(curl)
        self._idle[call.host].append(curl)
        return call

    def drop(self, which: Callable[[Listener], bool]) -> None:
        """Break off the requests of some listeners; they are not told."""
        for curl in [curl for curl, call in self._calls.items() if which(call.listener)]:
            self._free(curl)

    def close(self) -> None:
        """Break off what is under way."""
        self.drop(lambda _: True)
        self._multi.close()


def _way(url: str) -> dict[int, object]:
    """Return how a host is reached: through which proxy, and whose certificates are trusted."""
    proxy = proxy_for(url)
    way: dict[int, object] = {pycurl.PROXY: proxy, pycurl.NOPROXY: ""}
    if url.startswith("https:") or proxy.startswith("https:"):
        file, folder = authorities()
        way |= {pycurl.CAINFO: file, pycurl.CAPATH: folder, pycurl.PROXY_CAINFO: file, pycurl.PROXY_CAPATH: folder}
    return way


class _Call:
    """A request that is under way."""

    def __init__(self, request: Request, host: str, listener: Listener) -> None:
        self._request = request
        self.host = host
        self.listener = listener
        self.lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._ahead = self._bytes = 0
        self._is_judged = False
        self._error: BaseException | None = None
        self._gauge = Gauge()
        self._seen = (0, 0)
        self._heard = system.clock()

    def body(self, data: bytes) -> int | None:
        """Take bytes of the body, from libcurl, which gives 16 kB at a time: they are handed on by many."""
        self._chunks.append(data)
        self._ahead += len(data)
        return None if self._ahead < pieces.AT_ONCE and self._is_judged else self._hand_on()

    def _hand_on(self) -> int | None:
        chunks, self._chunks = self._chunks, []
        self._bytes, self._ahead = self._bytes + self._ahead, 0
        try:
            self._judge()
            self.listener.body(chunks)
        except BaseException as error:
            self._error = error
            return _ABORT
        return None

    def _judge(self) -> None:
        if not self._is_judged:
            self._is_judged = True
            head = Head.of_lines(self.lines, self._request.address)
            _log.debug("GET %s: %d %s", shown(self._request.url), head.status, head.reason)
            self.listener.head(head)

    def trouble(self) -> Exception | None:
        """Hand on what has come, and return why no more is waited for: nothing comes, or too little, or it is wrong."""
        if self._ahead and self._hand_on():
            return self._failure()
        now, seen = system.clock(), (len(self.lines), self._bytes)
        if seen == self._seen:
            return self.broke("silence") if now - self._heard > retry.PATIENCE.silence else None
        came, self._seen, self._heard = self._bytes - self._seen[1], seen, now
        try:
            self._gauge.add(came)
        except PassingError as error:
            return error
        return None

    def end(self, error: Exception | None) -> None:
        """Tell the listener that it is over."""
        if self._ahead and self._error is None:
            self._hand_on()
        if self._error is None and error is None:
            try:
                self._judge()
            except Exception as own:
                self._error = own
        self.listener.ended(self._failure() or error)

    def _failure(self) -> Exception | None:
        """Return the error of the listener; where the process is to end, it does."""
        if self._error is not None and not isinstance(self._error, Exception):
            raise self._error
        return self._error

    def broke(self, how: str) -> PassingError:
        """Return the error for a connection that broke."""
        return troubles.broke(self._request.address, self.host, how)

    def why(self, code: int, number: int) -> Exception:
        """Return the error for what libcurl says, and the system."""
        address = self._request.address
        if number in system.HANDLES and not self.lines:
            return troubles.too_many_open(address)
        if code in _UNREACHABLE or (code == pycurl.E_OPERATION_TIMEDOUT and not self.lines):
            return troubles.unreachable(address, self.host)
        if code in _NOT_TRUSTED:
            return troubles.not_trusted(address, self.host)
        if code == pycurl.E_SSL_CONNECT_ERROR:
            return troubles.no_tls(address, self.host)
        return troubles.no_address(address, self.host) if code in _NO_ADDRESS else self.broke(f"libcurl {code}")
