"""The nearest right word for a wrong one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

_ALIKE = 0.6


def nearest(wrong: str, right: Iterable[str], most: int = 3) -> list[str]:
    """Return the words most like a wrong one, case aside, best first; equals in the order given.

    Examples
    --------
    >>> nearest("Subjct", ["ses", "subject"])
    ['subject']
    >>> nearest("1", ["01", "02", "10"])
    ['01', '10']
    """
    likeness = {word: SequenceMatcher(None, wrong.lower(), word.lower()).ratio() for word in right}
    near = (word for word, ratio in likeness.items() if ratio >= _ALIKE)
    return sorted(near, key=likeness.__getitem__, reverse=True)[:most]


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
