"""Checksums of files in the data directory, each computed once for as long as size and time of the file stay."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

_KEPT = Path(".laion_fmri", "sha256.json")


def sha256_of(root: Path, path: str) -> str:
    """Return the hexadecimal SHA-256 of a file.

    It is kept in the data directory beside the size and the time of the file, and computed anew when one of these is
    another. A data directory that cannot be written is no error.

    Parameters
    ----------
    root : Path
        The data directory.
    path : str
        The file, relative to it.
    """
    place = root / path
    stat = place.stat()
    stamp = [stat.st_size, stat.st_mtime_ns]
    kept = _read(root)
    entry = kept.get(path)
    if isinstance(entry, dict) and entry.get("stamp") == stamp and isinstance(entry.get("sha256"), str):
        return str(entry["sha256"])
    with place.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _write(root, {**kept, path: {"stamp": stamp, "sha256": digest}})
    return digest


def _read(root: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads((root / _KEPT).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _write(root: Path, digests: dict[str, Any]) -> None:
    target = root / _KEPT
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    with contextlib.suppress(OSError):
        target.parent.mkdir(exist_ok=True)
        try:
            part.write_text(json.dumps(digests, indent=2), encoding="utf-8")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
