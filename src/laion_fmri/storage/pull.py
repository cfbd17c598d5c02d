"""One file under way: which of its parts are asked for when, what becomes of their answers, and how it ends.

Nothing here waits for the network. `Pull.begin`, `Pull.finish` and `Pull.publish` are work for the disk, which others
run beside.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from threading import Event

from laion_fmri.errors import ChangedError, ExpiredError, PassingError, RemoteError, StoppedError
from laion_fmri.storage import pieces, retry, system
from laion_fmri.storage.cursor import Cursor
from laion_fmri.storage.draft import Draft, Pulled, WrongError
from laion_fmri.storage.folders import Folders
from laion_fmri.storage.origin import Part
from laion_fmri.storage.partial import Partial, take_over, version_of
from laion_fmri.storage.pen import Pen
from laion_fmri.storage.plan import PlannedFile

AGAIN = "run the same again"


class Pull:
    """The transfer of one file.

    Parameters
    ----------
    file : PlannedFile
        What is fetched.
    etag_is_md5 : bool
        Whether its remote names versions by the MD5 of their bytes.
    pen : Pen
        Writes what comes; for a small file, nobody but the caller does.

    Attributes
    ----------
    file : PlannedFile
        The same.
    etag : str, optional
        Names the version of which all parts have to be.
    is_large : bool
        Whether it comes in parts, which a later run keeps.
    resumed, came, lost : int
        Bytes that were here from before, that came over the wire, that have to come again, since somebody asked.
    error : Exception, optional
        Why it cannot be had.
    """

    def __init__(self, file: PlannedFile, etag_is_md5: bool, pen: Pen) -> None:
        self.file = file
        self.etag = file.etag
        self.is_large = file.size > pieces.PIECE
        self.resumed = self.came = self.lost = 0
        self._kept = self._here = 0
        self.error: Exception | None = None
        self._etag_is_md5 = etag_is_md5
        self._pen = pen if file.size > pieces.SMALL else None
        self._partial: Partial | None = None
        self._waiting: deque[Cursor] = deque()
        self._under_way: set[Cursor] = set()
        self._is_shared = False

    # ------------------------------------------------------------ the disk

    def begin(self, folders: Folders, stop: Event) -> bool:
        """Make its private file, with what earlier runs left; False where another process put it in place.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        (target, here), size = folders.place(self.file.path), self.file.size
        if self.file.here != size and here and here.st_size == size:
            self.resumed = size
            return False
        version = version_of(self.file.key, size, self.file.etag, self.file.sha256)
        self._partial = Partial(target, version, logged=self.is_large)
        if self.is_large:
            take_over(self._partial, version, stop)
            if _is_new(target, here, size):
                return False
        self.resumed = self._kept = self._here = self._partial.kept
        self._plan()
        return True

    def _plan(self) -> None:
        piece = pieces.PIECE if self.is_large else max(self.file.size, 1)
        self._draft = Draft(self.file, self._private, self._etag_is_md5)
        spans = pieces.missing(self.file.size, self._private.done, piece)
        self._waiting = deque(Cursor(span, self._pen) for span in spans)
        self._is_shared = False

    @property
    def _private(self) -> Partial:
        assert self._partial is not None, "it has begun"
        return self._partial

    def finish(self, start: int, stop: int) -> None:
        """Note what is whole of a part; of a large file it is brought to the disk."""
        self._draft.finish(start, stop)

    def publish(self) -> Pulled:
        """Bring the file to its final place.

        Raises
        ------
        WrongError
            If what came is not the file.
        OSError
            If it cannot be written.
        """
        return self._draft.publish()

    def begin_anew(self) -> bool:
        """Forget an error that comes of what an earlier run had left, and that; tell whether it was one."""
        if not self._kept or not isinstance(self.error, WrongError):
            return False
        self.error = None
        self.lost += self._here
        self._kept = self._here = 0
        for cursor in self._under_way:
            with suppress(OSError):
                cursor.settle()
        self._under_way.clear()
        self._private.restart()
        self._plan()
        return True

    def close(self) -> None:
        """End it. What is finished of a large file is kept for a later run, but not where it is wrong."""
        if self._partial is None:
            return
        for cursor in self._under_way:
            with suppress(OSError):
                self.rest(cursor)
                self.finish(cursor.start, cursor.place)
        wrong = isinstance(self.error, WrongError | ChangedError)
        self._partial.close(keep=isinstance(self.error, RemoteError) and not wrong)

    # ------------------------------------------------------------ parts

    @property
    def is_whole(self) -> bool:
        """Whether every part of it is here."""
        return not self._under_way and not self._waiting

    def next(self, now: float) -> Cursor | None:
        """Take the part that is to be asked for now, if there is one; the first shows whether others can be."""
        if self.error or not self._waiting or self._waiting[0].due > now:
            return None
        if self._under_way and (not self._is_shared or len(self._under_way) >= pieces.LANES):
            return None
        cursor = self._waiting.popleft()
        self._under_way.add(cursor)
        return cursor

    def due(self) -> float | None:
        """Return when its next part may be asked for; None where it waits for none."""
        return None if self.error or not self._waiting else self._waiting[0].due

    def place(self, part: Part, cursor: Cursor) -> None:
        """Check that an answer is what was asked for; take a whole file in place of its first part."""
        size = self.file.size
        if part.total not in (None, size):
            raise ChangedError(f"it has {part.total:,} bytes now, not {size:,}; {AGAIN} to plan anew")
        if part.start != cursor.place or part.stop not in (None, cursor.stop):
            self._take_whole(part, cursor)
        self.etag = self.etag or part.etag
        self._is_shared = True

    def _take_whole(self, part: Part, cursor: Cursor) -> None:
        if part.start or part.stop not in (None, self.file.size):
            raise RemoteError(
                f"got bytes {part.start} to {part.stop} where {cursor.place} to {cursor.stop} were asked for; "
                "nothing here can mend that, tell the owner of the server"
            )
        if self._is_shared and self.is_large:
            raise PassingError(f"the server gave the whole file where a part was asked for; {AGAIN}")
        self._draft.restart()
        self.lost += self._here
        self._here = 0
        self._waiting.clear()
        cursor.restart(self.file.size)

    def take(self, chunks: Sequence[bytes], cursor: Cursor) -> None:
        """Take bytes that came of a part."""
        count = cursor.take(chunks, self._draft)
        self.came += count
        self._here += count

    def rest(self, cursor: Cursor) -> None:
        """Write what came of a part and is not written yet."""
        cursor.rest(self._draft)

    def ended(self, cursor: Cursor, error: Exception | None, now: float) -> None:
        """Take the end of a request: a part that is not whole is asked for again, as long as that may help."""
        self._under_way.discard(cursor)
        if error is None and cursor.place < cursor.stop:
            error = PassingError(
                f"got {cursor.place - cursor.start:,} of {cursor.stop - cursor.start:,} bytes; {AGAIN} to continue"
            )
        if error is None:
            return
        cursor.failures += 1
        if cursor.place >= cursor.best + retry.PATIENCE.progress:
            cursor.failures, cursor.best = 1, cursor.place
        pause = _pause(error, cursor.failures)
        if pause is None:
            self.fail(error)
        else:
            cursor.due = now + pause
            self._waiting.appendleft(cursor)

    def fail(self, error: Exception) -> None:
        """Give it up; that it was only stopped says less than any other reason."""
        if self.error is None or isinstance(self.error, StoppedError):
            self.error = error


def _pause(error: Exception, failures: int) -> float | None:
    """Return the seconds before the next try; None for no other. A link that has expired is replaced at once."""
    if isinstance(error, ExpiredError) and failures < retry.PATIENCE.tries:
        return 0.0
    return retry.next_try(error, failures, retry.PATIENCE, system.chance())


def _is_new(target: str, before: os.stat_result | None, size: int) -> bool:
    """Tell whether there is a whole file now, and another one than before."""
    try:
        now = os.stat(target)  # noqa: PTH116
    except OSError:
        return False
    return now.st_size == size and (before is None or _stamp(now) != _stamp(before))


def _stamp(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns
