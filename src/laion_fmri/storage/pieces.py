"""Which parts of a file are fetched one by one, so that several are under way at once and a later run goes on."""

from __future__ import annotations

from collections.abc import Iterable

PIECE = 1 << 24
"""Bytes of a part; files that are not longer are fetched whole."""

AT_ONCE = 1 << 19
"""Bytes of a part that are handed on, and written, together."""

SMALL = 1 << 20
"""Bytes of a file whose writing is not worth another thread."""

LANES = 8
"""Parts of files that are fetched at once, beside the files themselves."""

Span = tuple[int, int]


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that meet or overlap as one.

    Examples
    --------
    >>> joined([(8, 9), (0, 4), (4, 6)])
    [(0, 6), (8, 9)]
    """
    whole: list[Span] = []
    for start, stop in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(stop, whole[-1][1]))
        else:
            whole.append((start, stop))
    return whole


def missing(size: int, done: Iterable[Span], piece: int) -> list[Span]:
    """Return what is still to be fetched of a file, in parts that begin and end at multiples of `piece`.

    Parameters
    ----------
    size : int
        Bytes of the file.
    done : iterable of (start, stop)
        What is here.
    piece : int
        Most bytes of a part.

    Examples
    --------
    >>> missing(25, [(0, 13)], piece=10)
    [(13, 20), (20, 25)]
    """
    gaps, place = [], 0
    for start, stop in [*joined(done), (size, size)]:
        gaps.append((place, start))
        place = stop
    return [
        (max(start, at), min(stop, at + piece))
        for start, stop in gaps
        for at in range(start - start % piece, stop, piece)
        if start < stop
    ]
