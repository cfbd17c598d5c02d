"""One request for a part of a file: where it is asked for, and what its answer means."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin

from laion_fmri.errors import LaionFMRIError, RemoteError
from laion_fmri.storage.answer import Head
from laion_fmri.storage.origin import Origin, Place
from laion_fmri.storage.pull import Cursor, Pull
from laion_fmri.storage.web_file import ERROR_BYTES, GIVEN, part_of, refusal
from laion_fmri.storage.wire import Request, Wire

_MOVED = {301, 302, 303, 307, 308}
_REDIRECTS = 5


class Attempt:
    """A request that is under way.

    Parameters
    ----------
    pull : Pull
        The file.
    cursor : Cursor
        Which part of it.
    origin : Origin
        Where it comes from.
    on_end : callable
        Is told when it is over, with what ended it.
    """

    def __init__(
        self, pull: Pull, cursor: Cursor, origin: Origin, on_end: Callable[[Attempt, Exception | None], None]
    ) -> None:
        self.pull = pull
        self.cursor = cursor
        self._origin = origin
        self._on_end = on_end
        self._hops = 0

    def start(self, wire: Wire) -> None:
        """Ask."""
        self._wire = wire
        try:
            self._place = self._origin.place(self.pull.file.key)
        except LaionFMRIError as error:
            self._on_end(self, error)
        else:
            self._ask(self._place)

    def _ask(self, place: Place) -> None:
        self._refused: Head | None = None
        self._target: str | None = None
        self._said = b""
        self._url = place.url
        self._wire.ask(Request(place.url, place.address, self._headers()), self)

    def _headers(self) -> dict[str, str]:
        cursor, headers = self.cursor, {"Accept-Encoding": "identity"}
        if self.pull.etag:
            headers["If-Match"] = self.pull.etag
        if cursor.place or cursor.stop != self.pull.file.size:
            headers["Range"] = f"bytes={cursor.place}-{cursor.stop - 1}"
        return headers

    def head(self, head: Head) -> None:
        """Take the head of the answer."""
        target = head.headers.get("location") if head.status in _MOVED else None
        if target:
            self._target = self._next(target)
        elif head.status not in GIVEN:
            self._refused = head
        else:
            self.pull.place(part_of(head, self.pull.etag), self.cursor)
            self._origin.works(self._place)

    def _next(self, target: str) -> str:
        address = self._place.address
        self._hops += 1
        if self._hops > _REDIRECTS:
            raise RemoteError(
                f"{address}: more than {_REDIRECTS} redirects; nothing here can mend that, tell its owner"
            )
        try:
            url = urljoin(self._url, target)
        except ValueError:
            raise RemoteError(f"{address} leads to what is no address; tell its owner") from None
        return self._origin.follow(url, address)

    def body(self, chunk: bytes) -> None:
        """Take bytes: of the file, or of what is said instead."""
        if self._refused:
            self._said += chunk
            if len(self._said) >= ERROR_BYTES:
                raise refusal(self._refused, self._said[:ERROR_BYTES])
        elif not self._target:
            self.pull.take(chunk, self.cursor)

    def ended(self, error: Exception | None) -> None:
        """Take the end of the answer."""
        try:
            self.pull.rest(self.cursor)
        except (RemoteError, OSError) as own:
            error = own
        if self._refused:
            error = refusal(self._refused, self._said)
        elif self._target and error is None:
            self._ask(Place(self._target, self._place.address))
            return
        self._on_end(self, self._origin.meaning(self._place, error) if isinstance(error, RemoteError) else error)
