"""Bars on a terminal: one for the whole transfer, and one for each large file under way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from laion_fmri.progress import OnEvent, Tally, is_shown_alone, state_text
from laion_fmri.storage.events import ENDS, Advanced, Event, Started

_BETWEEN = 0.25  # seconds between two changes of what is shown
_LONGEST_NAME = 40


@contextmanager
def bars(tally: Tally) -> Iterator[OnEvent]:
    """Show bars on standard error while the block runs; give the listener to tell."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, auto_refresh=False, transient=False) as shown:
        whole = shown.add_task(state_text(tally, 0), total=tally.total)
        alone: dict[str, TaskID] = {}
        last = 0.0

        def draw(now: float) -> None:
            shown.update(whole, completed=tally.here, total=tally.total, description=state_text(tally, now))
            for key, task in alone.items():
                shown.update(task, completed=tally.of_file(key))
            shown.refresh()

        def tell(event: Event) -> None:
            nonlocal last
            now, key = time.monotonic(), event.file.key
            tally.add(event, now)
            if is_shown_alone(event):
                if isinstance(event, Started):
                    name = event.file.path.rpartition("/")[2]
                    alone[key] = shown.add_task(_short(name), total=event.file.size)
                elif isinstance(event, ENDS) and key in alone:
                    shown.remove_task(alone.pop(key))
            if now - last >= _BETWEEN or (tally.ended == tally.files and not isinstance(event, Advanced)):
                last = now
                draw(now)

        draw(time.monotonic())
        yield tell


def _short(name: str) -> str:
    """Return a name whose middle is left out where it is long."""
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}...{name[-half:]}"
