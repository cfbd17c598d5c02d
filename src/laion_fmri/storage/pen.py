"""What writes while others listen: one thread, to which no more is given than it can do soon."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_MOST = 8  # tasks that wait; what waits longer has left the caches of the processor


class Pen:
    """A thread that does what another one gives it, in that order."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pen")
        self._given: deque[Future[None]] = deque()

    def do(self, work: Callable[..., None], *given: Any) -> Future[None]:
        """Let a function be called with its arguments; where too much is to be done already, wait."""
        if len(self._given) >= _MOST:
            self._given.popleft().exception()
        task = self._thread.submit(work, *given)
        self._given.append(task)
        return task

    def settle(self) -> None:
        """Wait until all is done, also what was given by a call that was interrupted."""
        self._thread.submit(lambda: None).result()

    def close(self) -> None:
        """End it, once all is done."""
        self._thread.shutdown(wait=True)
