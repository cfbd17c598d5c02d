"""One request for a part of a file: where it is asked for, and what its answer means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from laion_fmri.errors import LaionFMRIError, RemoteError
from laion_fmri.storage.answer import Head
from laion_fmri.storage.cursor import Cursor
from laion_fmri.storage.exchange import Exchange
from laion_fmri.storage.origin import Origin
from laion_fmri.storage.pull import Pull
from laion_fmri.storage.web_file import part_of
from laion_fmri.storage.wire import Wire


class Attempt(Exchange):
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
        super().__init__(origin.follow)
        self.pull = pull
        self.cursor = cursor
        self._origin = origin
        self._on_end = on_end

    def start(self, wire: Wire) -> None:
        """Ask."""
        try:
            self._place = self._origin.place(self.pull.file.key)
        except LaionFMRIError as error:
            self._on_end(self, error)
        else:
            self.ask(wire, self._place, self._conditions())

    def _conditions(self) -> dict[str, str]:
        cursor, headers = self.cursor, {}
        if self.pull.etag:
            headers["If-Match"] = self.pull.etag
        if cursor.place or cursor.stop != self.pull.file.size:
            headers["Range"] = f"bytes={cursor.place}-{cursor.stop - 1}"
        return headers

    def given(self, head: Head) -> None:
        """Take the head of an answer that gives bytes."""
        self.pull.place(part_of(head, self.pull.etag), self.cursor)
        self._origin.works(self._place)

    def take(self, chunks: Sequence[bytes]) -> None:
        """Take them."""
        self.pull.take(chunks, self.cursor)

    def over(self, error: Exception | None) -> None:
        """Take the end."""
        try:
            self.pull.rest(self.cursor)
        except (RemoteError, OSError) as own:
            error = own
        self._on_end(self, self._origin.meaning(self._place, error) if isinstance(error, RemoteError) else error)
