"""When to ask a remote again, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import ParamSpec, TypeVar

from laion_fmri.errors import PassingError, UnreachableError
from laion_fmri.storage import system

Answer = TypeVar("Answer")
Asked = ParamSpec("Asked")


@dataclass(frozen=True)
class Patience:
    """How long a remote is waited for.

    Attributes
    ----------
    connect : float
        Seconds until a connection stands.
    silence : float
        Seconds without a single byte.
    window, slowest : float
        A connection that gives less than `slowest` bytes per second, over `window` seconds, has stalled.
    tries : int
        Failures in a row after which a file is given up.
    progress : int
        Bytes that have to come for a failure to begin a new row.
    pause, longest_pause : float
        Seconds before the second try, and at most; they double with each failure, and chance shortens them, so that
        many clients do not come back at once.
    longest_asked : float
        The longest that a remote may ask us to wait; for more, the file is given up.
    """

    connect: float = 10
    silence: float = 30
    window: float = 60
    slowest: float = 1000
    tries: int = 6
    progress: int = 1 << 16
    pause: float = 1
    longest_pause: float = 30
    longest_asked: float = 120


PATIENCE = Patience()


def next_try(error: Exception, failures: int, patience: Patience, chance: float) -> float | None:
    """Return the seconds to wait before the next try; None to give up.

    Parameters
    ----------
    error : Exception
        What went wrong; only a `PassingError` may be over the next time.
    failures : int
        Failures in a row without progress, this one too.
    patience : Patience
        The limits.
    chance : float
        From 0 to 1: how much of the pause is waited for, unless the remote says how long.

    Examples
    --------
    >>> next_try(PassingError("the connection broke"), 3, PATIENCE, chance=0.5)
    2.0
    >>> next_try(PassingError("busy", after=5), 1, PATIENCE, chance=0.5)
    5
    >>> next_try(PassingError("busy", after=864_000), 1, PATIENCE, chance=0.5) is None
    True
    """
    if not isinstance(error, PassingError) or failures >= patience.tries:
        return None
    if error.after is not None:
        return error.after if error.after <= patience.longest_asked else None
    return chance * min(patience.longest_pause, patience.pause * 2.0 ** (failures - 1))


def persist(stop: Event | None, ask: Callable[Asked, Answer], *args: Asked.args, **kwargs: Asked.kwargs) -> Answer:
    """Ask until there is an answer, or no hope; a remote that cannot be reached at all is not asked again.

    Parameters
    ----------
    stop : Event, optional
        Ends the pauses.
    ask : callable
        Called with all else.
    """
    failures = 0
    while True:
        try:
            return ask(*args, **kwargs)
        except UnreachableError:
            raise
        except PassingError as error:
            failures += 1
            seconds = next_try(error, failures, PATIENCE, system.chance())
            if seconds is None:
                raise
        system.wait(seconds, stop)
