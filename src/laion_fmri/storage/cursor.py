"""A part of a file under way: what came of it, and how that is written many bytes at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from laion_fmri.storage import pieces, sniff
from laion_fmri.storage.draft import Draft, WrongError
from laion_fmri.storage.pen import Pen, Task
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
        The next byte that is to come.
    best : int
        The place up to which failures do not count any more.
    failures : int
        How often it failed since.
    due : float
        When it may be asked for.
    """

    def __init__(self, span: Span, pen: Pen | None) -> None:
        self.start, self.stop = span
        self.place = self.best = self._written = self.start
        self.failures = 0
        self.due = 0.0
        self._pen = pen
        self._chunks: list[bytes] = []
        self._ahead = 0
        self._writing: deque[Task] = deque()

    def restart(self, stop: int) -> None:
        """Become the whole of a file, of which nothing came yet."""
        self.start = self.place = self._written = 0
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
        self._ahead += count
        self.place += count
        if place < sniff.ENOUGH:
            draft.look(b"".join(self._chunks), self.place - self._ahead)
        if self._ahead >= pieces.AT_ONCE:
            self._write(draft)
        return count

    def _write(self, draft: Draft) -> None:
        self._take_back(wait=False)
        chunks, start = self._chunks, self.place - self._ahead
        self._chunks, self._ahead = [], 0
        if self._pen:
            self._writing.append(self._pen.do(draft.take, chunks, start))
            return
        try:
            draft.take(chunks, start)
        except Exception:
            self.place = self._written
            raise
        self._written = self.place

    def _take_back(self, wait: bool) -> None:
        """Look what became of what is being written: of all of it, or of what is done."""
        while self._writing and (wait or self._writing[0].is_done):
            error = self._writing[0].outcome()
            self._writing.popleft()
            if error:
                self.place, self._chunks, self._ahead = self._written, [], 0
                raise error
        if not self._writing:
            self._written = self.place - self._ahead

    def settle(self) -> None:
        """Wait for what is being written; OSError if it could not be."""
        self._take_back(wait=True)

    def rest(self, draft: Draft) -> None:
        """Write what came and is not written yet, and wait for it."""
        if self._ahead:
            self._write(draft)
        self.settle()
