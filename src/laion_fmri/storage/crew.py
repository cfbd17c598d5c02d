"""The files of a transfer that are under way: one thread asks and listens, others work for the disk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event as Flag
from typing import Any

from laion_fmri.errors import DeniedError, LaionFMRIError, RemoteError, StoppedError, TooManyOpenError, UnreachableError
from laion_fmri.storage import pieces, system
from laion_fmri.storage.attempt import Attempt
from laion_fmri.storage.draft import Pulled
from laion_fmri.storage.events import Advanced, Denied, Done, Dropped, Event, Failed, Resumed, Started
from laion_fmri.storage.folders import Folders
from laion_fmri.storage.origin import Origin
from laion_fmri.storage.pen import Pen
from laion_fmri.storage.plan import PlannedFile
from laion_fmri.storage.pull import AGAIN, Pull
from laion_fmri.storage.wire import Wire

Then = Callable[[Any], None]

_MOST = 64  # requests at once
_SLOW = 0.005  # seconds that nobody has to wait for the disk
_OFTEN = 3  # times in a row that it took as long: it is slow, and not only the machine busy
_LOOK = 0.1  # seconds after which it is looked what the disk has done


class _Job:
    """A file under way, and what is done on the disk for it."""

    def __init__(self, pull: Pull) -> None:
        self.pull = pull
        self.work: list[tuple[Future[Any], Then]] = []
        self.begun: bool | None = None
        self.published: Pulled | None = None

    def has_begun(self, begun: bool) -> None:
        """Take what `Pull.begin` gave."""
        self.begun = begun

    def has_published(self, pulled: Pulled) -> None:
        """Take what `Pull.publish` gave."""
        self.published = pulled

    @property
    def has_news(self) -> bool:
        """Whether there may be something to tell, or to go on with."""
        pull = self.pull
        return bool(self.work or pull.came or pull.resumed or pull.lost or pull.error) or pull.is_whole

    def take_back(self) -> None:
        """Take what has been done beside."""
        for done in [done for done in self.work if done[0].done()]:
            self.work.remove(done)
            if not done[0].cancelled():
                self.take(done[1], done[0].result)

    def take(self, then: Then, work: Callable[..., Any], *given: Any) -> None:
        """Take what work gives, or why it fails."""
        try:
            then(work(*given))
        except Exception as error:
            self.pull.fail(error)


class Crew:
    """A transfer under way.

    Parameters
    ----------
    origin : Origin
        Gives the bytes.
    folders : Folders
        Where they land.
    n_jobs : int
        How many times `pieces.LANES` requests are made at once.
    """

    def __init__(self, origin: Origin, folders: Folders, n_jobs: int) -> None:
        self._origin = origin
        self._folders = folders
        self._places = min(n_jobs * pieces.LANES, _MOST)
        self._wire = Wire(self._places)
        self._disk = ThreadPoolExecutor(pieces.LANES, thread_name_prefix="disk")
        self._pen = Pen()
        self._jobs: dict[Pull, _Job] = {}
        self._stop = Flag()
        self._slow = 0
        self._lost: UnreachableError | None = None

    def lose(self, error: Exception) -> None:
        """Try no other file: the remote is not there any more."""
        self._lost = UnreachableError(f"not tried, because others failed: {error}")

    def events(self, files: Iterable[PlannedFile]) -> Iterator[Event]:
        """Fetch files, and yield what happens until all have ended."""
        left = deque(files)
        while left or self._jobs:
            while left and (self._lost or len(self._jobs) < self._places):
                yield self._begin(left.popleft())
            self._ask()
            self._wait()
            for job in [job for job in self._jobs.values() if job.has_news]:
                yield from self._told(job)

    def _begin(self, file: PlannedFile) -> Event:
        if self._lost:
            return Failed(file, self._lost)
        job = _Job(Pull(file, self._origin.etag_is_md5, self._pen))
        self._jobs[job.pull] = job
        self._do(job, job.has_begun, job.pull.begin, self._folders, self._stop)
        return Started(file)

    def _do(self, job: _Job, then: Then, work: Callable[..., Any], *given: Any) -> None:
        """Do something on the disk: beside, for a large file or on a slow disk, and else at once."""
        if job.pull.is_large or self._slow >= _OFTEN:
            job.work.append((self._disk.submit(work, *given), then))
        else:
            start = system.clock()
            job.take(then, work, *given)
            self._slow = self._slow + 1 if system.clock() - start > _SLOW else 0

    def _ask(self) -> None:
        now = system.clock()
        for job in list(self._jobs.values()):
            while len(self._wire) < self._places and (cursor := job.pull.next(now)):
                Attempt(job.pull, cursor, self._origin, self._ended).start(self._wire)

    def _ended(self, attempt: Attempt, error: Exception | None) -> None:
        pull, cursor = attempt.pull, attempt.cursor
        self._do(self._jobs[pull], _ignored, pull.finish, cursor.start, cursor.place)
        pull.ended(cursor, error, system.clock())

    def _wait(self) -> None:
        """Let time pass until something may have happened."""
        now = system.clock()
        pauses = [due - now for pull in self._jobs if (due := pull.due()) is not None and due > now]
        work = [future for job in self._jobs.values() for future, _ in job.work]
        seconds = min([*pauses, _LOOK])
        if len(self._wire):
            self._wire.step(0.0 if any(future.done() for future in work) else seconds)
        elif work:
            wait(work, seconds, FIRST_COMPLETED)
        elif pauses:
            system.wait(min(pauses))

    def _told(self, job: _Job) -> Iterator[Event]:
        """Yield what has happened to a file, and go on with it."""
        pull = job.pull
        job.take_back()
        if pull.error is None and job.begun and not job.work and not job.published and pull.is_whole:
            self._do(job, job.has_published, pull.publish)
        yield from _bytes(pull)
        if pull.error:
            self._wire.drop(lambda listener: isinstance(listener, Attempt) and listener.pull is pull)
            if not job.work and not pull.begin_anew():
                yield self._end(job, _failure(pull.file, pull.error))
        elif job.published or job.begun is False:
            yield self._end(job, Done(pull.file, job.published))

    def _end(self, job: _Job, event: Event) -> Event:
        del self._jobs[job.pull]
        job.pull.close()
        return event

    def close(self) -> list[tuple[PlannedFile, Pulled]]:
        """Break off what is under way, and return what came to its place though nobody was told.

        What is finished of large files is kept.
        """
        self._stop.set()
        self._wire.close()
        self._disk.shutdown(wait=True, cancel_futures=True)
        self._pen.settle()
        for pull, job in self._jobs.items():
            job.take_back()
            if job.published is None:
                pull.fail(StoppedError(f"stopped; {AGAIN} to continue"))
            pull.close()
        self._pen.close()
        return [(pull.file, job.published) for pull, job in self._jobs.items() if job.published]


def _ignored(_: object) -> None:
    """Take a result that says nothing."""


def _bytes(pull: Pull) -> Iterator[Event]:
    if pull.resumed:
        yield Resumed(pull.file, pull.resumed)
    if pull.came:
        yield Advanced(pull.file, pull.came)
    if pull.lost:
        yield Dropped(pull.file, pull.lost)
    pull.resumed = pull.came = pull.lost = 0


def _failure(file: PlannedFile, error: Exception) -> Event:
    """Return how a file ended that cannot be had."""
    if isinstance(error, DeniedError):
        return Denied(file, str(error))
    if isinstance(error, OSError):
        return Failed(file, error if isinstance(error, LaionFMRIError) else _explained(error, file))
    return Failed(file, RemoteError(f"{file.key}: {type(error).__name__}: {error}"))


def _explained(error: OSError, file: PlannedFile) -> OSError:
    """Return an error of the system with what to do, where there is something to do."""
    if error.errno in system.HANDLES:
        return TooManyOpenError(f"{file.path}: {system.TOO_MANY_OPEN}")
    return error
