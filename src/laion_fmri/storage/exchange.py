"""A request over the wire: its redirects are followed, and its refusals are errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urljoin

from laion_fmri.errors import RemoteError
from laion_fmri.storage.answer import Head
from laion_fmri.storage.origin import Place
from laion_fmri.storage.web_file import ERROR_BYTES, GIVEN, refusal
from laion_fmri.storage.wire import Request, Wire

_MOVED = {301, 302, 303, 307, 308}
_REDIRECTS = 5


class Exchange:
    """A request that is under way. What becomes of its answer is for those that build on it: three methods.

    Parameters
    ----------
    follow : callable
        Returns an address that an answer leads to, given that and what errors call it, if it may be asked.
    """

    def __init__(self, follow: Callable[[str, str], str]) -> None:
        self._follow = follow
        self._hops = 0

    def given(self, head: Head) -> None:
        """Take the head of an answer that gives what was asked for."""
        raise NotImplementedError

    def take(self, chunks: Sequence[bytes]) -> None:
        """Take bytes of its body."""
        raise NotImplementedError

    def over(self, error: Exception | None) -> None:
        """Take its end."""
        raise NotImplementedError

    def ask(self, wire: Wire, place: Place, headers: Mapping[str, str]) -> None:
        """Ask, for the bytes as they are stored."""
        self._wire = wire
        self._address = place.address
        self._headers = {"Accept-Encoding": "identity", **headers}
        self._ask(place.url)

    def _ask(self, url: str) -> None:
        self._refused: Head | None = None
        self._target: str | None = None
        self._said = b""
        self._url = url
        self._wire.ask(Request(url, self._address, self._headers), self)

    def head(self, head: Head) -> None:
        """Take the head of an answer."""
        target = head.headers.get("location") if head.status in _MOVED else None
        if target:
            self._target = self._next(target)
        elif head.status not in GIVEN:
            self._refused = head
        else:
            self.given(head)

    def _next(self, target: str) -> str:
        self._hops += 1
        if self._hops > _REDIRECTS:
            raise RemoteError(
                f"{self._address}: more than {_REDIRECTS} redirects; nothing here can mend that, tell its owner"
            )
        try:
            url = urljoin(self._url, target)
        except ValueError:
            raise RemoteError(f"{self._address} leads to what is no address; tell its owner") from None
        return self._follow(url, self._address)

    def body(self, chunks: Sequence[bytes]) -> None:
        """Take bytes: of what was asked for, or of what is said instead."""
        if self._refused:
            self._said += b"".join(chunks)
            if len(self._said) >= ERROR_BYTES:
                raise refusal(self._refused, self._said[:ERROR_BYTES])
        elif not self._target:
            self.take(chunks)

    def ended(self, error: Exception | None) -> None:
        """Take the end of an answer."""
        if self._refused:
            error = refusal(self._refused, self._said)
        elif self._target and error is None:
            self._ask(self._target)
            return
        self.over(error)
