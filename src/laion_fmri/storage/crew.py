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
from laion_fmri.storage.plan import PlannedFile
from laion_fmri.storage.pull import AGAIN, Pull
from laion_fmri.storage.wire import Wire

_MOST = 64  # requests at once
_LOOK = 0.1  # seconds after which it is looked what the disk has done


class _Job:
    """A file under way, and what is done on the disk for it."""

    def __init__(self, pull: Pull) -> None:
        self.pull = pull
        self.work: list[Future[Any]] = []
        self.begun: Future[bool] | None = None
        self.published: Future[Pulled] | None = None


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
        self._jobs: dict[Pull, _Job] = {}
        self._stop = Flag()
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
            for job in list(self._jobs.values()):
                yield from self._told(job)

    def _begin(self, file: PlannedFile) -> Event:
        if self._lost:
            return Failed(file, self._lost)
        job = _Job(Pull(file, self._origin.etag_is_md5))
        self._jobs[job.pull] = job
        job.begun = self._do(job, job.pull.begin, self._folders, self._stop)
        return Started(file)

    def _do(self, job: _Job, work: Callable[..., Any], *given: Any) -> Future[Any]:
        """Do something on the disk: beside, for a large file, and at once, for a small one."""
        if job.pull.is_large:
            future = self._disk.submit(work, *given)
        else:
            future = Future()
            try:
                future.set_result(work(*given))
            except Exception as error:
                future.set_exception(error)
        job.work.append(future)
        return future

    def _ask(self) -> None:
        now = system.clock()
        for job in list(self._jobs.values()):
            while len(self._wire) < self._places and (cursor := job.pull.next(now)):
                Attempt(job.pull, cursor, self._origin, self._ended).start(self._wire)

    def _ended(self, attempt: Attempt, error: Exception | None) -> None:
        pull, cursor = attempt.pull, attempt.cursor
        self._do(self._jobs[pull], pull.finish, cursor.start, cursor.place)
        pull.ended(cursor, error, system.clock())

    def _wait(self) -> None:
        """Let time pass until something may have happened."""
        now = system.clock()
        pauses = [due - now for pull in self._jobs if (due := pull.due()) is not None and due > now]
        work = [future for job in self._jobs.values() for future in job.work]
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
        self._judge(job)
        yield from _bytes(pull)
        if pull.error:
            self._wire.drop(lambda listener: isinstance(listener, Attempt) and listener.pull is pull)
            if not job.work:
                yield from self._given_up(job, pull.error)
        elif job.published and job.published.done():
            yield self._end(job, Done(pull.file, job.published.result()))
        elif job.begun and job.begun.done() and not job.begun.result():
            yield self._end(job, Done(pull.file, None))
        elif job.begun and not job.work and pull.is_whole:
            job.published = self._do(job, pull.publish)

    def _given_up(self, job: _Job, error: Exception) -> Iterator[Event]:
        job.published = None
        if not job.pull.begin_anew():
            yield self._end(job, _failure(job.pull.file, error))

    def _judge(self, job: _Job) -> None:
        for future in [future for future in job.work if future.done()]:
            job.work.remove(future)
            error = future.exception()
            if isinstance(error, Exception):
                job.pull.fail(error)

    def _end(self, job: _Job, event: Event) -> Event:
        del self._jobs[job.pull]
        job.pull.close()
        return event

    def close(self) -> None:
        """Break off what is under way; what is finished of large files is kept."""
        self._stop.set()
        self._wire.close()
        self._disk.shutdown(wait=True, cancel_futures=True)
        for pull in self._jobs:
            pull.fail(StoppedError(f"stopped; {AGAIN} to continue"))
            pull.close()


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
