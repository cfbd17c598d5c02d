"""Where local stores are: below the data directory, in a folder of their own, that of an artifact called like it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_STORES = Path(".laion_fmri", "store")


@dataclass(frozen=True)
class LocalStore:
    """A store that is here.

    Attributes
    ----------
    artifact : str
        Whose values it holds.
    path : Path
        Its folder, which may be removed at any time.
    bytes, files : int
        What it takes of the disk.
    """

    artifact: str
    path: Path
    bytes: int
    files: int


def stores_folder(root: Path, artifact: str) -> Path:
    """Return the folder of the stores of an artifact, whether it exists or not."""
    return root / _STORES / artifact


def local_stores(root: Path) -> list[LocalStore]:
    """Return the stores below a data directory, by artifact and name; not those that are being written."""
    return [store_at(path) for path in sorted((root / _STORES).glob("*/[!.]*")) if path.is_dir()]


def store_at(path: Path) -> LocalStore:
    """Return the store in a folder."""
    sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    return LocalStore(path.parent.name, path, sum(sizes), len(sizes))
