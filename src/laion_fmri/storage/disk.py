"""The state of the data directory that a plan needs to know."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path


def local_sizes(root: Path, paths: Iterable[str]) -> dict[str, int]:
    """Return the size in bytes of every path below `root` that is a file."""
    sizes = {}
    for path in paths:
        place = root / path
        try:
            if place.is_file():
                sizes[path] = place.stat().st_size
        except (OSError, ValueError):
            continue
    return sizes


def free_bytes(root: Path) -> int:
    """Return the bytes free on the file system that holds `root`."""
    return shutil.disk_usage(root).free
