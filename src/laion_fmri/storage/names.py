"""Names that a listing or a manifest may give to local files, on every operating system."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection

_WORD = "[A-Za-z0-9_+=-]++"
_DEVICE = r"(?i:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:[./]|\Z)"
_ORDINARY = re.compile(rf"(?!{_DEVICE}){_WORD}(?:\.{_WORD}|/(?!{_DEVICE}){_WORD})*+")
_RESERVED = re.compile(rf"(?:\A|/){_DEVICE}")
_FORBIDDEN = frozenset('<>:"|?*\\')
_LONGEST_PART, _LONGEST = 255, 1024  # bytes


def mistake(path: str) -> str | None:
    """Return why a relative path with ``/`` is not safe as a local one; None for one that is.

    Examples
    --------
    >>> mistake("sub-03/anat/sub-03_T1w.nii.gz")
    >>> mistake("../outside")
    'its name would lead out of the data directory'
    >>> mistake("derivatives/NUL.txt")
    'its name is reserved on Windows'
    """
    return None if _ORDINARY.fullmatch(path) and len(path) <= _LONGEST_PART else _mistake(path)


def _mistake(path: str) -> str | None:
    parts = path.split("/")
    if not path or path.startswith("/") or {"", ".", ".."} & {*parts}:
        return "its name would lead out of the data directory"
    if not path.isprintable():
        return "its name has characters that do not show"
    if _FORBIDDEN & {*path}:
        return "its name has a character that Windows does not allow"
    if any(part[-1] in ". " for part in parts):
        return "its name ends in a dot or a blank, which Windows leaves out"
    if _RESERVED.search(path):
        return "its name is reserved on Windows"
    return "its name is too long for a file system" if _too_long(path) else None


def _too_long(path: str) -> bool:
    whole = path.encode("utf-8", "surrogatepass")
    return len(whole) > _LONGEST or any(len(part) > _LONGEST_PART for part in whole.split(b"/"))


def printable(name: str) -> str:
    """Return a name as it may be shown: characters that would do something to a terminal are escaped."""
    return name if name.isprintable() else ascii(name)[1:-1]


def clashes(paths: Collection[str]) -> dict[str, str]:
    """Return why some paths cannot lie beside others of a collection, which has each as often as there are files.

    Examples
    --------
    >>> clashes(["a/B.txt", "a/b.txt", "c", "c/d"])
    {'a/B.txt': 'another key has the same local path, but for the case of its letters', \
'a/b.txt': 'another key has the same local path, but for the case of its letters', \
'c': 'another key needs a folder of this name'}
    """
    folded = [_folded(path) for path in paths]
    distinct, folders = set(folded), set[str]()
    for path in folded:
        while (path := path.rpartition("/")[0]) and path not in folders:
            folders.add(path)
    if len(distinct) == len(folded) and distinct.isdisjoint(folders):
        return {}
    as_folded, as_is = Counter(folded), Counter(paths)
    found = {}
    for path, same in zip(paths, folded, strict=True):
        if as_is[path] > 1:
            found[path] = "another key has the same local path"
        elif as_folded[same] > 1:
            found[path] = "another key has the same local path, but for the case of its letters"
        elif same in folders:
            found[path] = "another key needs a folder of this name"
    return found


def _folded(path: str) -> str:
    """Return what names share that a file system may take for one."""
    return path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
