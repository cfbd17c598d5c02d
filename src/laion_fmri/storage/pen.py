"""What writes while others listen: one thread, to which no more is given than it can do soon.

A pool of threads with futures would do the same for twice the overhead, which shows at a gigabyte per second.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Semaphore, Thread
from typing import Any

_MOST = 8  # tasks that wait; what waits longer has left the caches of the processor


class Task:
    """Something that is done, or to be done, by a pen."""

    def __init__(self, work: Callable[..., None], given: tuple[Any, ...]) -> None:
        self._work = work
        self._given = given
        self._error: Exception | None = None
        self._open = Lock()
        self._open.acquire()

    def run(self) -> None:
        """Do it."""
        try:
            self._work(*self._given)
        except Exception as error:
            self._error = error
        finally:
            self._given = ()
            self._open.release()

    @property
    def is_done(self) -> bool:
        """Whether it is over."""
        return not self._open.locked()

    def outcome(self) -> Exception | None:
        """Wait until it is over, and return why it failed, if it did."""
        with self._open:
            return self._error


class Pen:
    """A thread that does what it is given, in that order. It begins with the first task."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._room = Semaphore(_MOST)
        self._thread: Thread | None = None
        self._is_closed = False

    def do(self, work: Callable[..., None], *given: Any) -> Task:
        """Let a function be called with its arguments; where too much is to be done already, wait.

        Once the pen is closed, nobody else calls it.
        """
        task = Task(work, given)
        if self._is_closed:
            task.run()
            return task
        if self._thread is None:
            self._thread = Thread(target=self._run, name="pen")
            self._thread.start()
        self._room.acquire()
        self._tasks.put(task)
        return task

    def _run(self) -> None:
        while task := self._tasks.get():
            task.run()
            self._room.release()

    def close(self) -> None:
        """End it, once all is done."""
        self._is_closed = True
        if self._thread:
            self._tasks.put(None)
            self._thread.join()
