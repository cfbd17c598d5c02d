"""The data directory: the state that a plan needs to know, and the names of files that are not whole yet."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")


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


def part_of(target: Path) -> Path:
    """Return a new private name beside a file, for as long as it is not whole."""
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")


def is_part(path: Path) -> bool:
    """Tell whether a path is a private name as of `part_of`."""
    return _PART.fullmatch(path.name) is not None
