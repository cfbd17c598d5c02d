"""The progress of a transfer: a bar on a terminal, plain lines elsewhere, or lines of JSON, from the same events."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from laion_fmri.storage import pieces
from laion_fmri.storage.events import ENDS, Advanced, Counted, Denied, Done, Dropped, Event, Failed, Resumed, Started
from laion_fmri.storage.plan import Action, Plan

OnEvent = Callable[[Event], None]

_as_json: ContextVar[bool] = ContextVar("as_json", default=False)
_LINES, _BARS = 10.0, 0.25  # seconds between two lines; between two looks of a bar
_RECENT = 15.0  # seconds over which speed is measured
_STEP = 1000
_MINUTE, _HOUR = 60, 3600
_NAMES = {Started: "started", Resumed: "resumed", Advanced: "advanced", Dropped: "dropped", Done: "done"}
_NAMES |= {Denied: "denied", Failed: "failed"}


@dataclass
class Tally:
    """Where a transfer is.

    Attributes
    ----------
    files, ended : int
        Files in all, and those that came to an end.
    total : int
        Bytes of the files, but for what those that ended otherwise than whole still lacked.
    here : int
        Bytes of them that are here, from this run or an earlier one.
    received : int
        Bytes that came over the wire, also those that had to come again.
    """

    files: int
    total: int
    ended: int = 0
    here: int = 0
    received: int = 0
    _of_file: dict[str, int] = field(default_factory=dict)
    _recent: deque[tuple[float, int]] = field(default_factory=deque)

    @classmethod
    def of(cls, plan: Plan) -> Tally:
        """Return the tally of a plan before its transfer."""
        return cls(len(plan.of(Action.DOWNLOAD)), plan.bytes_to_download)

    def add(self, event: Event, now: float) -> None:
        """Count an event that happened at a time in seconds."""
        if isinstance(event, Counted):
            self._have(event.file.key, -event.bytes if isinstance(event, Dropped) else event.bytes)
            if isinstance(event, Advanced):
                self.received += event.bytes
                self._note(now)
        elif isinstance(event, ENDS):
            self.ended += 1
            had = self._of_file.pop(event.file.key, 0)
            if not isinstance(event, Done):
                self.here -= had
                self.total -= event.file.size

    def _have(self, key: str, count: int) -> None:
        self.here += count
        self._of_file[key] = self._of_file.get(key, 0) + count

    def _note(self, now: float) -> None:
        if not self._recent or now - self._recent[-1][0] >= _BARS:
            self._recent.append((now, self.received))
            while now - self._recent[0][0] > _RECENT:
                self._recent.popleft()

    def of_file(self, key: str) -> int:
        """Return how many bytes of a file under way are here."""
        return self._of_file.get(key, 0)

    def speed(self, now: float) -> float:
        """Return the bytes per second that came over the wire lately; 0 where that is not known yet."""
        if not self._recent or now - self._recent[0][0] < _BARS:
            return 0.0
        since, received = self._recent[0]
        return (self.received - received) / (now - since)

    def seconds_left(self, now: float) -> float | None:
        """Return how long the rest takes at the speed of lately; what is skipped or resumed does not make it faster."""
        speed = self.speed(now)
        return (self.total - self.here) / speed if speed else None


def size_text(size: float) -> str:
    """Return bytes as people read them.

    Examples
    --------
    >>> size_text(950), size_text(1_100_000_000)
    ('950 B', '1.1 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < _STEP:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} TB"


def time_text(seconds: float) -> str:
    """Return a duration as people read it.

    Examples
    --------
    >>> time_text(42), time_text(200), time_text(9000)
    ('42 s', '3 min 20 s', '2 h 30 min')
    """
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def state_text(tally: Tally, now: float) -> str:
    """Return where a transfer is, in one line.

    Examples
    --------
    >>> state_text(Tally(files=3, total=2_000_000, ended=1, here=500_000), now=0)
    '1/3 files, 500.0 kB of 2.0 MB'
    """
    parts = [f"{tally.ended}/{tally.files} files", f"{size_text(tally.here)} of {size_text(tally.total)}"]
    left = tally.seconds_left(now)
    if left is not None:
        parts += [f"{size_text(tally.speed(now))}/s", f"{time_text(left)} left"]
    return ", ".join(parts)


@contextmanager
def as_json_lines(wanted: bool) -> Iterator[None]:
    """Tell the progress of transfers as lines of JSON while the block runs, if that is wanted."""
    token = _as_json.set(wanted)
    try:
        yield
    finally:
        _as_json.reset(token)


@contextmanager
def progress(plan: Plan) -> Iterator[OnEvent]:
    """Show the transfer of a plan on standard error while the block runs; give the listener to tell."""
    if _as_json.get():
        yield _json_lines(Tally.of(plan))
    elif not plan.of(Action.DOWNLOAD):
        yield lambda event: None
    elif sys.stderr.isatty():
        from laion_fmri.bars import bars

        with bars(Tally.of(plan)) as listener:
            yield listener
    else:
        yield _lines(Tally.of(plan))


def _lines(tally: Tally) -> OnEvent:
    sys.stderr.write(f"[laion-fmri] downloading {tally.files} files, {size_text(tally.total)}\n")
    last = time.monotonic()

    def tell(event: Event) -> None:
        nonlocal last
        now = time.monotonic()
        tally.add(event, now)
        if now - last >= _LINES:
            last = now
            sys.stderr.write(f"[laion-fmri] {state_text(tally, now)}\n")

    return tell


def _json_lines(tally: Tally) -> OnEvent:
    """Tell every event but bytes at once, and where the transfer is from time to time."""
    last = 0.0

    def tell(event: Event) -> None:
        nonlocal last
        now = time.monotonic()
        tally.add(event, now)
        if isinstance(event, Advanced) and now - last < _BARS:
            return
        last = now
        sys.stderr.write(json.dumps(event_data(event, tally, now)) + "\n")

    return tell


def event_data(event: Event, tally: Tally, now: float) -> dict[str, Any]:
    """Return an event, and where the transfer is after it, as plain data."""
    details = {name: getattr(event, name) for name in ("bytes", "reason") if hasattr(event, name)}
    return {
        "event": _NAMES[type(event)],
        "key": event.file.key,
        "path": event.file.path,
        "size": event.file.size,
        **details,
        "files": tally.files,
        "files_ended": tally.ended,
        "bytes_total": tally.total,
        "bytes_here": tally.here,
        "bytes_received": tally.received,
        "bytes_per_second": round(tally.speed(now)),
        "seconds_left": None if (left := tally.seconds_left(now)) is None else round(left, 1),
    }


def is_shown_alone(event: Event) -> bool:
    """Tell whether a file is large enough for a bar of its own."""
    return event.file.size > pieces.PIECE


def summary(report_counts: dict[str, int], received: int, seconds: float) -> str:
    """Return the closing line of a download.

    Examples
    --------
    >>> summary({"downloaded": 2, "skipped": 0, "denied": 0, "failed": 0}, 4_000_000, 2.0)
    '2 downloaded, 0 skipped, 0 denied, 0 failed; 4.0 MB in 2.0 s (2.0 MB/s)'
    """
    counts = ", ".join(f"{count} {what}" for what, count in report_counts.items())
    speed = f" ({size_text(received / seconds)}/s)" if received and seconds > 0 else ""
    return f"{counts}; {size_text(received)} in {seconds:.1f} s{speed}"
