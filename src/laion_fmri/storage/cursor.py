"""A part of a file under way: what came of it, and how that is written many bytes at once.

Ctrl-C may end any of this between two statements: their order is such that what is not written never counts as written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from laion_fmri.storage import pieces, sniff
from laion_fmri.storage.draft import Draft, WrongError
from laion_fmri.storage.pen import Pen
from laion_fmri.storage.pieces import Span


class Cursor:
    """A part of a file.

    Parameters
    ----------
    span : (start, stop)
        Its bounds.
    pen : Pen, optional
        Writes; without one, writing is waited for.

    Attributes
    ----------
    start, stop : int
        Its bounds.
    place : int
        The next byte that is to come; once all has settled, what is before it is written.
    best : int
        The place up to which failures do not count any more.
    failures : int
        How often it failed since.
    due : float
        When it may be asked for.
    """

    def __init__(self, span: Span, pen: Pen | None) -> None:
        self.start, self.stop = span
        self.place = self.best = self._given = self._written = self.start
        self.failures = 0
        self.due = 0.0
        self._pen = pen
        self._chunks: list[bytes] = []  # they begin at the place up to which all was given to be written
        self._writing: deque[Future[None]] = deque()

    def restart(self, stop: int) -> None:
        """Become the whole of a file, of which nothing came yet."""
        self.start = self.place = self._given = self._written = 0
        self.stop = stop

    def take(self, chunks: Sequence[bytes], draft: Draft) -> int:
        """Take bytes that came, and return how many.

        Raises
        ------
        WrongError
            If there are too many, or they are not how such a file begins.
        OSError
            If they cannot be written, or those before them.
        """
        count, place = sum(map(len, chunks)), self.place
        if place + count > self.stop:
            raise WrongError(
                f"got more than its {self.stop - self.start:,} bytes; nothing was kept of it, run the same again later"
            )
        self._chunks += chunks
        self.place += count
        if place < sniff.ENOUGH:
            draft.look(b"".join(self._chunks), self._given)
        if self.place - self._given >= pieces.AT_ONCE:
            self._write(draft)
        return count

    def _write(self, draft: Draft) -> None:
        self._take_back(wait=False)
        if self._pen:
            self._writing.append(self._pen.do(draft.take, self._chunks, self._given))
        else:
            self._write_now(draft)
        self._chunks = []
        self._given = self.place

    def _write_now(self, draft: Draft) -> None:
        try:
            draft.take(self._chunks, self._given)
        except Exception:
            self._forget()
            raise

    def _take_back(self, wait: bool) -> None:
        """Look what became of what is being written: of all of it, or of what is done."""
        while self._writing and (wait or self._writing[0].done()):
            error = self._writing[0].exception()
            if error:
                self._forget()
            self._writing.popleft()
            if error:
                raise error
        if not self._writing:
            self._written = self._given

    def _forget(self) -> None:
        """Go back to what is surely written."""
        self.place = self._written
        self._chunks = []
        self._given = self.place

    def settle(self) -> None:
        """Wait for what is being written; OSError if it could not be."""
        self._take_back(wait=True)

    def rest(self, draft: Draft) -> None:
        """Write what came and is not written yet, and wait for it."""
        if self._chunks:
            self._write(draft)
        self.settle()
