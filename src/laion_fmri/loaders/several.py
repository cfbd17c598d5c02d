"""Several files at once: what tells them apart, and the folder that they lie in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from laion_fmri.loaders import LocalFile


def differing(files: Sequence[LocalFile]) -> list[str]:
    """Return the entities in which files differ."""
    return [name for name in files[0].entities if len({file.entities[name] for file in files}) > 1]


def one_or_each(files: Sequence[LocalFile], contents: Sequence[Any]) -> Any:
    """Return the content of a single file, or a dict of those of several.

    Its keys are the values of the entity in which the files differ (``"01"``), or tuples of values where they differ
    in several.
    """
    if len(contents) == 1:
        return contents[0]
    names = differing(files)
    keys = [tuple(file.entities[name] for name in names) for file in files]
    return dict(zip([key[0] if len(key) == 1 else key for key in keys], contents, strict=True))


def folder_of(file: LocalFile, rest: str | None) -> Path:
    """Return the folder of a file, or where the entity `rest` is the rest of its path, the folder before that.

    Examples
    --------
    >>> folder_of(LocalFile(Path("recons/sub-03/surf/lh.white"), {"file": "surf/lh.white"}), "file").as_posix()
    'recons/sub-03'
    """
    return file.path.parents[file.entities[rest].count("/") if rest else 0]
