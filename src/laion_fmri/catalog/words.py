"""The nearest right word for a wrong one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
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
    sought = wrong.lower()
    letters = Counter(sought)
    words = [(word, word.lower()) for word in dict.fromkeys(right)]
    limits = [_most_alike(sought, letters, lower) for _, lower in words]
    found: list[tuple[float, int]] = []
    enough = _ALIKE
    for place in sorted(range(len(words)), key=limits.__getitem__, reverse=True):
        if limits[place] < enough:
            break
        ratio = SequenceMatcher(None, sought, words[place][1]).ratio()
        if ratio >= enough:
            found = sorted([*found, (-ratio, place)])[:most]
            enough = -found[-1][0] if len(found) == most else _ALIKE
    return [words[place][0] for _, place in found]


def _most_alike(sought: str, letters: Mapping[str, int], word: str) -> float:
    """Return what the likeness cannot exceed: that of the same letters in the same order."""
    length = len(sought) + len(word)
    return 2 * sum(map(min, letters.values(), map(word.count, letters))) / length if length else 1.0


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
