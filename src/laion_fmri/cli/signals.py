"""Signals that end a command: the first in good order; a later one at once, if that takes too long."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM)
_IN_ORDER = 1.0  # seconds that the good order has before another signal counts
_SHELL = 128  # what a shell adds to the number of the signal that ended a process


class EndedError(BaseException):
    """A signal asked this process to end; what is under way is put in order first.

    Attributes
    ----------
    exit_code : int
        What the command ends with: 130 after Ctrl-C, 143 after SIGTERM.
    """

    def __init__(self, number: int) -> None:
        self.exit_code = _SHELL + number
        super().__init__(number)


@contextmanager
def ending_signals() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `EndedError` while the block runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: FrameType | None) -> None:
    since = time.monotonic()

    def end_at_once(number: int, _: FrameType | None) -> None:
        if time.monotonic() - since > _IN_ORDER:
            sys.stderr.write("laion-fmri: ended at once; run the same again to continue\n")
            sys.stderr.flush()
            os._exit(_SHELL + number)

    for one in _ENDING:
        signal.signal(one, end_at_once)
    raise EndedError(number)
