"""The nearest right word for a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(wrong: str, right: Iterable[str], most: int = 3) -> list[str]:
    """Return the words most like a wrong one, case aside, best first.

    Examples
    --------
    >>> nearest("Subjct", ["ses", "subject"])
    ['subject']
    """
    words = {word.lower(): word for word in right}
    return [words[word] for word in difflib.get_close_matches(wrong.lower(), words, n=most, cutoff=0.5)]


def did_you_mean(wrong: str, right: Iterable[str]) -> str:
    """Return ``"; did you mean `x`?"``, or nothing where no word is near."""
    words = nearest(wrong, right, most=1)
    return f"; did you mean `{words[0]}`?" if words else ""


def listed(words: Iterable[str], most: int = 12) -> str:
    """Return words as a comma-separated list, cut after `most`.

    Examples
    --------
    >>> listed(["01", "02", "03"], most=2)
    '01, 02, ... (3 in all)'
    """
    everything = list(words)
    if len(everything) <= most:
        return ", ".join(everything)
    return f"{', '.join(everything[:most])}, ... ({len(everything)} in all)"
