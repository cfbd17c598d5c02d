"""Several files at once, in threads: decoding and picking let go of Python's lock."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

_MOST = 16  # each holds a volume of 12 MB


def cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def each(work: Callable[[Item], None], items: Sequence[Item]) -> None:
    """Do something with every item, with as many at once as there are cores; the first error ends it."""
    count = min(len(items), cores(), _MOST)
    if count <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(count, thread_name_prefix="read") as pool:
        deque(pool.map(work, items), maxlen=0)
