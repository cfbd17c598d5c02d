"""What a file begins with: an error page is never taken for data."""

from __future__ import annotations

import re

_MAGIC = {".gz": b"\x1f\x8b", ".h5": b"\x89HDF\r\n\x1a\n"}
_BEFORE = rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<\?xml[^>]*>)*"
_PAGE = re.compile(_BEFORE + rb"<(?:!doctype\s+html|html|error)\b", re.IGNORECASE | re.DOTALL)
_PAGES = (".html", ".htm", ".xml")

ENOUGH = 512
"""Bytes that are looked at."""


def mismatch(name: str, start: bytes) -> str | None:
    """Return what is wrong with the first bytes of a file; None where nothing is.

    Parameters
    ----------
    name : str
        Name of the file; its end says what it holds.
    start : bytes
        Its first bytes, however few.

    Examples
    --------
    >>> mismatch("betas.nii.gz", b"<html>")
    'it begins with an error page'
    >>> mismatch("betas.nii.gz", bytes(8))
    'it does not begin as a .gz file does'
    """
    if not name.endswith(_PAGES) and _PAGE.match(start):
        return "it begins with an error page"
    for ending, magic in _MAGIC.items():
        if name.endswith(ending) and start[: len(magic)] != magic[: len(start)]:
            return f"it does not begin as a {ending} file does"
    return None
