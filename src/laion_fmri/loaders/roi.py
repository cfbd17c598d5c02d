"""What a query of regions means: which files, and which of their voxels; pure over names and masks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce

import numpy as np

from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.regions import Query, parse
from laion_fmri.catalog.templates import stripped
from laion_fmri.catalog.words import nearest
from laion_fmri.errors import SelectionError
from laion_fmri.loaders.nifti import Array


def meaning(texts: str | Sequence[str], named: Mapping[str, Query], left_out: str) -> Query:
    """Return what a text means, or a list of texts, which is their union.

    Parameters
    ----------
    texts : str or sequence of str
        Queries.
    named : mapping of str to Query
        What the names of regions stand for.
    left_out : str
        Characters that the names of files lack.

    Examples
    --------
    >>> meaning(["hand-1 - thumb", "leg"], {"leg": parse("foot + knee")}, "-")
    ((True, ((True, 'hand1'), (False, 'thumb'))), (True, ((True, ((True, 'foot'), (True, 'knee'))),)))
    """

    def spelt(query: Query) -> Query:
        return tuple((added, word(term) if isinstance(term, str) else spelt(term)) for added, term in query)

    def word(name: str) -> str | Query:
        return spelt(named[name]) if name in named else stripped(name, left_out)

    return tuple((True, spelt(parse(text))) for text in ([texts] if isinstance(texts, str) else texts))


def files_named(word: str, names: Sequence[Collection[str]], where: str, regions: Collection[str] = ()) -> list[int]:
    """Return the files that a name means.

    Parameters
    ----------
    word : str
        A name, or ``"all"``.
    names : sequence of collections of str
        The names that each file answers to: its own and that of the set it belongs to.
    where : str
        Whose files these are, for messages.
    regions : collection of str
        Further valid names, for messages.

    Returns
    -------
    list of int
        Indices into `names`, ascending.

    Raises
    ------
    SelectionError
        If nothing answers to the name; lists the nearest and all valid ones.

    Examples
    --------
    >>> files_named("early", [("early", "V1"), ("motor", "hand"), ("early", "V2")], "subject 1")
    [0, 2]
    """
    found = [index for index, own in enumerate(names) if word == ALL or word in own]
    if found:
        return found
    valid = sorted({*regions, *(name for own in names for name in own)}, key=str.lower)
    near = nearest(word, valid)
    hint = f" did you mean {' or '.join(near)}?" if near else ""
    raise SelectionError(
        f"roi={word!r} is none of the ROIs of {where} that are here;{hint} "
        f"Valid: {ALL}, {', '.join(valid)}. Download other ROIs first"
    )


def voxels_of(query: Query, mask: Callable[[str], Array]) -> Array:
    """Return the voxels that a query means, from the masks of its names.

    Examples
    --------
    >>> masks = {"hand": np.array([True, True, False]), "thumb": np.array([False, True, False])}
    >>> voxels_of(parse("hand - thumb"), masks.__getitem__)
    array([ True, False, False])
    """

    def step(so_far: Array, signed: tuple[bool, str | Query]) -> Array:
        added, term = signed
        voxels = mask(term) if isinstance(term, str) else voxels_of(term, mask)
        return so_far | voxels if added else so_far & ~voxels

    return reduce(step, query, np.array(False))


def joined_names(masks: Mapping[str, Array]) -> Array:
    """Return for each voxel the names of the masks that it is in, joined by ``+``.

    Examples
    --------
    >>> joined_names({"hand": np.array([True, True, False]), "thumb": np.array([False, True, False])}).tolist()
    ['hand', 'hand+thumb', '']
    """
    inside = np.stack([*masks.values()])
    _, first, group = np.unique(np.packbits(inside, axis=0), axis=1, return_index=True, return_inverse=True)
    names = np.array([*masks])
    texts = ["+".join(names[inside[:, voxel]]) for voxel in first]
    return np.array(texts, str)[group.ravel()]
