"""One file: from its origin to its final path, whole and checked, or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from laion_fmri.errors import ChangedError, ExpiredError, PassingError, RemoteError, StoppedError
from laion_fmri.storage import pieces, retry, sniff, system
from laion_fmri.storage.digests import Digest, md5_of
from laion_fmri.storage.gauge import Gauge
from laion_fmri.storage.origin import Body, Origin
from laion_fmri.storage.partial import Partial, take_over, version_of
from laion_fmri.storage.pieces import Span
from laion_fmri.storage.plan import PlannedFile

AGAIN = "run the same again"


@dataclass(frozen=True)
class Told:
    """What a pull tells while it runs, in bytes.

    Attributes
    ----------
    came, kept, lost : callable
        Bytes that came over the wire; that an earlier run had left; that have to come again.
    """

    came: Callable[[int], None]
    kept: Callable[[int], None]
    lost: Callable[[int], None]


@dataclass(frozen=True)
class Pulled:
    """A file that is at its final path.

    Attributes
    ----------
    algorithm, digest : str
        Its checksum.
    mtime_ns : int
        When it was written.
    """

    algorithm: str
    digest: str
    mtime_ns: int


class _Cursor:
    """Where one stream of bytes is: what it began with, where it goes on, where it ends."""

    def __init__(self, span: Span) -> None:
        self.start, self.stop = span
        self.place = self.start


class Pull:
    """The transfer of one file.

    Parameters
    ----------
    file : PlannedFile
        What is fetched.
    target : Path
        Its final path, whose folder is there.
    origin : Origin
        Gives the bytes.
    told : Told
        Is told of bytes.
    stop : Event
        Ends it as soon as possible.
    lanes : Executor
        Runs the parts of a large file beside this thread.
    """

    def __init__(
        self, file: PlannedFile, target: Path, origin: Origin, *, told: Told, stop: Event, lanes: ThreadPoolExecutor
    ) -> None:
        self._file = file
        self._target = target
        self._origin = origin
        self._told = told
        self._stop = stop
        self._lanes = lanes
        self._large = file.size > pieces.PIECE
        self._etag = file.etag
        self._md5 = md5_of(file.etag) if origin.etag_is_md5 and file.sha256 is None else None
        self._spans: deque[Span] = deque()
        self._futures: list[Future[None]] = []
        self._broken = Event()
        self._is_shared = False

    def run(self) -> Pulled | None:
        """Fetch the file; None where another process put it in place meanwhile.

        Raises
        ------
        RemoteError
            If it cannot be had. What is finished of a large file is kept for the next run, but not where it is wrong.
        OSError
            If it cannot be written.
        """
        before = _stamp(self._target) if self._large else None
        version = version_of(self._file.key, self._file.size, self._file.etag, self._file.sha256)
        with self._partial(version) as partial:
            if self._large and not take_over(partial, version, self._stop):
                now = _stamp(self._target)
                if now and now != before and now[1] == self._file.size:
                    return None
            kept = sum(stop - start for start, stop in partial.done)
            self._told.kept(kept)
            try:
                return self._fetched(partial)
            except _WrongError:
                if not kept:
                    raise
            partial.restart()
            self._broken.clear()
            self._told.lost(self._file.size)
            return self._fetched(partial)

    @contextmanager
    def _partial(self, version: str) -> Iterator[Partial]:
        partial = Partial(self._target, version, logged=self._large)
        keep = False
        try:
            yield partial
        except (_WrongError, ChangedError):
            raise
        except RemoteError:
            keep = True
            raise
        finally:
            partial.close(keep)

    def _fetched(self, partial: Partial) -> Pulled:
        algorithm = "sha256" if self._file.sha256 else "md5" if self._md5 else "crc32"
        digest = Digest(algorithm, partial.fd)
        self._fill(partial, digest)
        found, wanted = digest.finish(self._file.size), self._md5 or self._file.sha256
        if wanted and found != wanted:
            raise _WrongError(f"its {algorithm.upper()} is {found}, not {wanted}; nothing was kept, {AGAIN} later")
        return Pulled(algorithm, found, partial.publish().st_mtime_ns)

    # ------------------------------------------------------------ parts

    def _fill(self, partial: Partial, digest: Digest) -> None:
        piece = pieces.PIECE if self._large else max(self._file.size, 1)
        self._spans = deque(pieces.missing(self._file.size, partial.done, piece))
        try:
            while self._spans:
                self._part(self._spans.popleft(), partial, digest)
        except BaseException as error:
            self._broken.set()
            raise self._reason(error) or error from None
        else:
            reason = self._reason(None)
            if reason:
                raise reason
        finally:
            self._futures, self._is_shared = [], False

    def _reason(self, mine: BaseException | None) -> BaseException | None:
        """Wait for the other threads of this file; return why it failed, and not only that a thread was stopped."""
        found = [mine, *(future.exception() for future in self._futures if not future.cancel())]
        errors = [error for error in found if error is not None]
        return min(errors, key=lambda error: isinstance(error, StoppedError), default=None)

    def _lane(self, partial: Partial, digest: Digest) -> None:
        try:
            while not self._broken.is_set():
                self._part(self._spans.popleft(), partial, digest)
        except IndexError:  # no part is left
            return
        except BaseException:
            self._broken.set()
            raise

    def _part(self, span: Span, partial: Partial, digest: Digest) -> None:
        """Fetch a part, as often as it takes."""
        cursor = _Cursor(span)
        failures, best = 0, cursor.place
        while cursor.place < cursor.stop:
            try:
                self._stream(cursor, partial, digest)
            except RemoteError as error:
                failures += 1
                if cursor.place >= best + retry.PATIENCE.progress:
                    failures, best = 1, cursor.place
                self._pause(error, failures)
            finally:
                partial.finish(cursor.start, cursor.place)
        digest.catch_up(partial.done)

    def _pause(self, error: RemoteError, failures: int) -> None:
        """Wait before the next try, or raise the error again; a link that has expired is replaced at once."""
        if self._stop.is_set() or self._broken.is_set():
            raise StoppedError(f"stopped; {AGAIN} to continue") from None
        if isinstance(error, ExpiredError) and failures < retry.PATIENCE.tries:
            return
        seconds = retry.next_try(error, failures, retry.PATIENCE, system.chance())
        if seconds is None:
            raise error
        system.wait(seconds, self._stop)

    def _stream(self, cursor: _Cursor, partial: Partial, digest: Digest) -> None:
        to_end = cursor.stop == self._file.size
        stop = None if to_end and not cursor.place else cursor.stop
        with self._origin.open(self._file.key, cursor.place, stop, self._etag) as body:
            self._place(body, cursor, partial, digest)
            self._etag = self._etag or body.etag
            self._share(partial, digest)
            gauge = Gauge()
            for chunk in body.chunks:
                if self._stop.is_set() or self._broken.is_set():
                    raise StoppedError(f"stopped; {AGAIN} to continue")
                self._take(chunk, cursor, partial, digest)
                gauge.add(len(chunk))
        if cursor.place < cursor.stop:
            raise PassingError(
                f"got {cursor.place - cursor.start:,} of {cursor.stop - cursor.start:,} bytes; {AGAIN} to continue"
            )

    def _share(self, partial: Partial, digest: Digest) -> None:
        """When the first bytes come, let other threads ask for the other parts."""
        if not self._is_shared:
            self._is_shared = True
            count = min(len(self._spans), pieces.LANES)
            self._futures = [self._lanes.submit(self._lane, partial, digest) for _ in range(count)]

    def _place(self, body: Body, cursor: _Cursor, partial: Partial, digest: Digest) -> None:
        """Check that an answer is what was asked for; take a whole file in place of its first part."""
        size = self._file.size
        if body.total not in (None, size):
            raise ChangedError(f"it has {body.total:,} bytes now, not {size:,}; {AGAIN} to plan anew")
        if body.start == cursor.place and body.stop in (None, cursor.stop):
            return
        if body.start or body.stop not in (None, size):
            raise RemoteError(
                f"got bytes {body.start} to {body.stop} where {cursor.place} to {cursor.stop} were asked for; "
                "nothing here can mend that, tell the owner of the server"
            )
        if self._is_shared and self._large:
            raise PassingError(f"the server gave the whole file where a part was asked for; {AGAIN}")
        self._told.lost(sum(stop - start for start, stop in partial.done) or cursor.place)
        partial.restart()
        digest.restart()
        self._spans.clear()
        cursor.start = cursor.place = 0
        cursor.stop = size

    def _take(self, chunk: bytes | memoryview, cursor: _Cursor, partial: Partial, digest: Digest) -> None:
        if cursor.place + len(chunk) > cursor.stop:
            raise _WrongError(f"got more than its {self._file.size:,} bytes; nothing was kept of it, {AGAIN} later")
        partial.write(chunk, cursor.place)
        if cursor.place < sniff.ENOUGH:
            head = partial.head(min(sniff.ENOUGH, cursor.place + len(chunk)))
            if why := sniff.mismatch(self._target.name, head):
                raise _WrongError(f"{why}; nothing was kept of it, {AGAIN} later")
        digest.add(cursor.place, chunk)
        cursor.place += len(chunk)
        self._told.came(len(chunk))


class _WrongError(RemoteError):
    """What came is not the file."""


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
