"""Which ROI files a query means; pure over names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.words import nearest
from laion_fmri.errors import SelectionError


def choose_rois(query: str | Sequence[str], names: Sequence[Collection[str]], where: str) -> list[int]:
    """Return the files that a query means.

    Parameters
    ----------
    query : str or sequence of str
        A name, ``"all"``, or a list of those, which means their union.
    names : sequence of collections of str
        The names that each file answers to: its own and that of the set it belongs to.
    where : str
        Whose files these are, for messages.

    Returns
    -------
    list of int
        Indices into `names`, ascending, each once.

    Raises
    ------
    SelectionError
        If nothing answers to a name; lists the nearest and all valid ones.

    Examples
    --------
    >>> choose_rois(["hand", "V1"], [("early", "V1"), ("early", "V2"), ("motor", "hand")], "subject 1")
    [0, 2]
    """
    wanted = {query} if isinstance(query, str) else set(query)
    valid = sorted({name for own in names for name in own}, key=str.lower)
    for word in sorted(wanted - {ALL, *valid}):
        near = nearest(word, valid)
        hint = f" did you mean {' or '.join(near)}?" if near else ""
        raise SelectionError(
            f"roi={word!r} is none of the ROIs of {where} that are here;{hint} "
            f"Valid: {ALL}, {', '.join(valid)}. Download other ROIs first"
        )
    return [i for i, own in enumerate(names) if ALL in wanted or not wanted.isdisjoint(own)]
