"""Image names in the grammar of the dataset, and which of them a session shows."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from laion_fmri.catalog import load_catalog
from laion_fmri.image_names import ImageName, parse_image_name

_DISTINCT = 0.73  # images per trial of a session: most are shown once, the others two or three times
_SHARED = 0.42  # of the images of a session

_SHARED_NAMES = (
    "shared_12rep_LAION_cluster_{cluster}_i{n}.jpg",
    "shared_12rep_THINGS+_kmeans_{kmeans}_{concept}.jpg",
    "shared_4rep_NSD_special100_{n}.jpg",
    "shared_4rep_OOD_shape_{concept}_{n}.png",
    "shared_4rep_OOD_relations_{concept}_{n}.jpg",
    "shared_12rep_LAION_cluster_{cluster}_sorted-out_i{n}.jpg",
    "shared_4rep_OOD_cropped_{concept}.{n}.png",
    "shared_12rep_THINGS+_kmeans_{kmeans}_{concept}.jpg",
    "shared_4rep_NSD_special1000_{n}.jpg",
    "shared_12rep_LAION_cluster_{cluster}_i{n}.jpg",
    "shared_4rep_OOD_unusual_{concept}_{n} .jpg",
    "shared_4rep_OOD_selfmade_{n}.jpg",
    "shared_12rep_LAION_cluster_{cluster}_i{n}.jpg",
    "shared_4rep_OOD_gaudy_{concept}_{n}.jpg",
    "shared_4rep_OOD_illusion-classic_{n}.png",
    "shared_4rep_OOD_shape_{concept}_{n}.jpg",
    "shared_4rep_OOD_gabor_{n}.jpg",
    "shared_4rep_OOD_illusion-natural_{n}.jpg",
)
_UNIQUE_NAMES = (
    "unique_LAION_initial_cluster_{cluster}_i{n}_{owner}.jpg",
    "unique_LAION_initial_cluster_{cluster}_i{n}_{owner}.jpg",
    "unique_THINGS+_{concept}_{n}_{owner}.jpg",
    "unique_LAION_fillup_cluster_{cluster}_i{n}_{owner}.jpg",
    "unique_LAION_initial_cluster_{cluster}_i{n}_{owner}.jpg",
    "unique_THINGS_{concept}_{n}_{owner}.jpg",
    "unique_LAION_new_cluster_{cluster}_i{n}_{owner}.jpg",
)
_CONCEPTS = ("anteater", "bow_tie", "ice_cream", "lighthouse", "t-shirt", "pocket_watch", "zebra")


def shared_images(trials: int) -> list[str]:
    """Return the images that every subject sees, as many as sessions of `trials` trials call for.

    Examples
    --------
    >>> shared_images(60)[:2]
    ['shared_12rep_LAION_cluster_0_i0.jpg', 'shared_12rep_THINGS+_kmeans_1_bow_tie.jpg']
    """
    return [_name(_SHARED_NAMES, n) for n in range(_pool(_shared_in_session(trials)))]


def unique_images(trials: int, subject: str) -> list[str]:
    """Return the images that only this subject sees; their names end in its code, which is not its label."""
    count = _distinct(trials) - _shared_in_session(trials)
    return [_name(_UNIQUE_NAMES, n, owner=_code(subject)) for n in range(_pool(count))]


def session_labels(
    shared: list[str], unique: list[str], trials: int, session: int, chance: np.random.Generator
) -> list[str]:
    """Return the image of each trial of a session.

    Parameters
    ----------
    shared, unique : list of str
        All images of the subject, in the order in which its sessions come to them.
    trials : int
        Trials of the session.
    session : int
        Sessions before this one; half of a session's images return in the next.
    chance : Generator
        Decides order and repetitions.

    Returns
    -------
    list of str
        Every image once, twice or three times.
    """
    count = _shared_in_session(trials)
    images = _part(shared, count, session) + _part(unique, _distinct(trials) - count, session)
    once = chance.permutation(images).tolist()
    more = trials - len(once)
    thrice = more // 4
    labels: list[str] = chance.permutation(once + once[: more - thrice] + once[:thrice]).tolist()
    return labels


def planned_repetitions(name: str) -> int:
    """Return how often an image is shown to a subject over all sessions of the real dataset."""
    return _said(name).repetitions


def is_shared(name: str) -> bool:
    """Tell whether every subject sees an image."""
    return _said(name).shared


def pool(name: str) -> str:
    """Return the set of images that an image was taken from.

    Examples
    --------
    >>> pool("unique_THINGS+_zebra_6_p01.jpg")
    'THINGSplus'
    """
    return _said(name).source


def owner(name: str) -> str | None:
    """Return the only subject that sees an image, as a BIDS identifier.

    Examples
    --------
    >>> owner("unique_THINGS+_zebra_6_p02.jpg")
    'sub-06'
    """
    return _said(name).owner


def concept(name: str) -> str | None:
    """Return what the name of an image says it shows, in words.

    Examples
    --------
    >>> concept("shared_12rep_THINGS+_kmeans_1_bow_tie.jpg")
    'bow tie'
    """
    return next((word.replace("_", " ") for word in _CONCEPTS if f"_{word}" in name), None)


@cache
def _said(name: str) -> ImageName:
    return parse_image_name(name)


def _code(subject: str) -> str:
    """Return the code by which the names of images call a subject."""
    rules = load_catalog().definitions.image_names
    owners = rules.owners if rules else {}
    return next(code for code, owner in owners.items() if owner == f"sub-{subject}")


def _name(names: tuple[str, ...], n: int, owner: str = "") -> str:
    concept = _CONCEPTS[n % len(_CONCEPTS)]
    return names[n % len(names)].format(cluster=n * 37 % 5499, n=n, kmeans=n % 240, concept=concept, owner=owner)


def _distinct(trials: int) -> int:
    return math.ceil(_DISTINCT * trials)


def _shared_in_session(trials: int) -> int:
    return round(_SHARED * _distinct(trials))


def _pool(in_session: int) -> int:
    return math.ceil(1.5 * in_session)


def _part(images: list[str], count: int, session: int) -> list[str]:
    start = session * (count // 2)
    return [images[(start + n) % len(images)] for n in range(count)]
