"""Names that a caller chooses rows by; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from laion_fmri.catalog.words import listed, nearest
from laion_fmri.errors import SelectionError


def require_names(option: str, wanted: Iterable[str], known: Collection[str], where: object) -> None:
    """Raise SelectionError, naming up to five unknown names and the nearest to the first, unless all are known.

    Examples
    --------
    >>> require_names("images", ["dog.png"], {"dog.jpg"}, "animals.h5")
    Traceback (most recent call last):
    laion_fmri.errors.SelectionError: images: animals.h5 has no dog.png; the nearest to dog.png is dog.jpg
    """
    unknown = [name for name in dict.fromkeys(wanted) if name not in known]
    if unknown:
        near = nearest(unknown[0], known, most=1)
        hint = f"the nearest to {unknown[0]} is {near[0]}" if near else "give names that it has, letter for letter"
        raise SelectionError(f"{option}: {where} has no {listed(unknown, most=5)}; {hint}")
