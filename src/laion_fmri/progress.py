"""The progress of a transfer: a bar on a terminal, plain lines elsewhere, from the same events."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from laion_fmri.storage.plan import Action, Plan
from laion_fmri.storage.transfer import Advanced, Denied, Done, Event, Failed

OnEvent = Callable[[Event], None]

_SECONDS_BETWEEN_LINES = 10.0
_STEP = 1000


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


@contextmanager
def progress(plan: Plan) -> Iterator[OnEvent]:
    """Show the transfer of a plan on standard error while the block runs; give the listener to tell."""
    if not plan.of(Action.DOWNLOAD):
        yield lambda event: None
    elif sys.stderr.isatty():
        with _bar(plan) as listener:
            yield listener
    else:
        yield _lines(plan)


@contextmanager
def _bar(plan: Plan) -> Iterator[OnEvent]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    files = len(plan.of(Action.DOWNLOAD))
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as bars:
        task = bars.add_task(f"0/{files} files", total=plan.bytes_to_download)
        ended = 0

        def tell(event: Event) -> None:
            nonlocal ended
            if isinstance(event, Advanced):
                bars.advance(task, event.bytes)
            elif isinstance(event, Done | Denied | Failed):
                ended += 1
                bars.update(task, description=f"{ended}/{files} files")

        yield tell


def _lines(plan: Plan) -> OnEvent:
    files, total = len(plan.of(Action.DOWNLOAD)), plan.bytes_to_download
    sys.stderr.write(f"[laion-fmri] downloading {files} files, {size_text(total)}\n")
    received = ended = 0
    last = time.monotonic()

    def tell(event: Event) -> None:
        nonlocal received, ended, last
        if isinstance(event, Advanced):
            received += event.bytes
        elif isinstance(event, Done | Denied | Failed):
            ended += 1
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            sys.stderr.write(f"[laion-fmri] {ended}/{files} files, {size_text(received)} of {size_text(total)}\n")

    return tell


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
