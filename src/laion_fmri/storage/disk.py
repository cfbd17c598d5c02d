"""The data directory: the state that a plan needs to know, and the names of files that are not whole yet."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISREG

_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part(\.log)?")


def local_stamps(root: Path, paths: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return size in bytes and time of writing in nanoseconds of every path below `root` that is a file."""
    stamps, start = {}, f"{root}/"
    for path in paths:
        try:
            found = os.stat(start + path)  # noqa: PTH116 - a Path for each of many files takes three times as long
        except (OSError, ValueError):
            continue
        if S_ISREG(found.st_mode):
            stamps[path] = (found.st_size, found.st_mtime_ns)
    return stamps


def free_bytes(root: Path) -> int:
    """Return the bytes free on the file system that holds `root`."""
    return shutil.disk_usage(root).free


def part_of(target: Path) -> Path:
    """Return a new private name beside a file, for as long as it is not whole."""
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")


def is_part(path: Path) -> bool:
    """Tell whether a path is a private name as of `part_of`."""
    return _PART.fullmatch(path.name) is not None
