"""Train/test splits of the images, as the dataset defines them: by name and pool, read from the data directory.

A pool is the images that are divided: those that every subject saw, those of one subject, or those of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.entities import ALL, one_or_many
from laion_fmri.catalog.gaps import there_is
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import SelectionError
from laion_fmri.image_names import ood_types as known_ood_types
from laion_fmri.image_names import parse_image_name
from laion_fmri.loaders.split import Split
from laion_fmri.local import artifact_source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Split",
    "get_split_masks",
    "get_train_test_ids",
    "list_ood_types",
    "list_pools",
    "list_splits",
    "load_all_splits",
    "load_split",
]

_ARTIFACT = "splits"
_LABELS = ("label", "image", "image_name")  # where what this package reads has the names of images


def list_pools() -> list[str]:
    """Return the names of the pools.

    Examples
    --------
    >>> list_pools()
    ['shared', 'sub-01', 'sub-03', 'sub-05', 'sub-06', 'sub-07', 'pooled']
    """
    return list(load_catalog().artifact(_ARTIFACT).entities["pool"].known)


def list_splits(pool: str | None = None) -> list[str]:
    """Return the names of the splits: of a pool, or of any.

    Parameters
    ----------
    pool : str, optional
        One of `list_pools`.

    Raises
    ------
    SelectionError
        A ValueError, if there is no such pool.

    Examples
    --------
    >>> list_splits("pooled")
    ['tau', 'cluster_k5_0', 'cluster_k5_1', 'cluster_k5_2', 'cluster_k5_3', 'cluster_k5_4']
    """
    artifact = load_catalog().artifact(_ARTIFACT)
    chosen = {} if pool is None else {"pool": _one("pool", pool)}
    artifact_source(_ARTIFACT)(**chosen)
    return there_is("split", chosen, artifact.entities, artifact.gaps)


def list_ood_types() -> list[str]:
    """Return the ways in which images are out of distribution, which `get_train_test_ids` can tell apart.

    Examples
    --------
    >>> sorted(list_ood_types())[:3]
    ['cropped', 'gabor', 'gaudy']
    """
    return list(known_ood_types())


def load_split(name: str, pool: str) -> Split:
    """Return a split. Reads the data directory; never downloads.

    Parameters
    ----------
    name : str
        One of `list_splits`.
    pool : str
        One of `list_pools`.

    Raises
    ------
    SelectionError
        A ValueError, if there is no such split or pool, or the pool has not this split.
    DataNotDownloadedError
        If it is not downloaded; the message has the command that fetches it.
    DataFormatError
        If its file is damaged.

    Examples
    --------
    >>> split = load_split("random_3", "shared")
    >>> split.split_family, len(split.variants[0]["test_ids"]) == split.n_test
    ('random', True)
    """
    split: Split = artifact_source(_ARTIFACT)(pool=_one("pool", pool), split=_one("name", name)).read()
    return split


def load_all_splits(pool: str) -> dict[str, Split]:
    """Return every split of a pool by its name; errors are those of `load_split`.

    Examples
    --------
    >>> [name for name, split in load_all_splits("sub-03").items() if split.split_family == "random"]
    ['random_0', 'random_1', 'random_2', 'random_3', 'random_4']
    """
    artifact_source(_ARTIFACT)(pool=_one("pool", pool), split=ALL).present()
    return {name: load_split(name, pool) for name in list_splits(pool)}


def get_train_test_ids(
    name: str, pool: str, variant_id: int = 0, ood_types: str | Iterable[str] | None = None
) -> tuple[list[str], list[str]]:
    """Return the names of the images to train on, and of those to test.

    Parameters
    ----------
    name, pool : str
        As for `load_split`.
    variant_id : int
        Which variant of the split.
    ood_types : str or list of str, optional
        Test only images that are out of distribution in these ways, of `list_ood_types`; for splits that test such
        images.

    Raises
    ------
    SelectionError
        Also if there is no such variant or type, or if the split tests no image that is out of distribution.

    Examples
    --------
    >>> train, test = get_train_test_ids("tau", pool="shared")
    >>> set(train) & set(test)
    set()
    """
    wanted = None if ood_types is None else _checked_types(ood_types)
    split = load_split(name, pool)
    variants = {variant["variant_id"]: variant for variant in split.variants}
    if variant_id not in variants:
        raise SelectionError(f"variant_id={variant_id!r}: {name} of {pool} has {listed(map(str, variants))}")
    train, test = list(variants[variant_id]["train_ids"]), list(variants[variant_id]["test_ids"])
    return train, test if wanted is None else _of_types(test, wanted, split)


def get_split_masks(
    trials: Any, name: str, pool: str, variant_id: int = 0, ood_types: str | Iterable[str] | None = None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which trials to train on, and which to test. A trial may be in neither.

    Parameters
    ----------
    trials : DataFrame, DataArray, or list of str
        Trials with the names of their images: column or coordinate ``label`` (or ``image``, ``image_name``, where rows
        are images), or the names themselves.
    name, pool, variant_id, ood_types
        As for `get_train_test_ids`, whose errors are raised too.

    Returns
    -------
    train, test : bool arrays, shape (n_trials,)
        Entry i belongs to trial i.

    Raises
    ------
    SelectionError
        Also if the trials have no names of images.

    Examples
    --------
    >>> from laion_fmri import load_subject
    >>> trials = load_subject("sub-03").get_trial_info("ses-01")
    >>> train, test = get_split_masks(trials, "random_0", pool="sub-03")
    >>> train.shape == (len(trials),), (train & test).any()
    (True, np.False_)
    """
    import numpy as np

    labels = _labels(trials)
    sides = get_train_test_ids(name, pool, variant_id, ood_types)
    train, test = (np.fromiter((label in side for label in labels), bool, len(labels)) for side in map(set, sides))
    return train, test


def _one(argument: str, value: object) -> str:
    if not isinstance(value, str) or value == ALL:
        raise SelectionError(f"{argument}={value!r} is not one name; give text")
    return value


def _checked_types(wanted: str | Iterable[str]) -> list[str]:
    known = list_ood_types()
    types = one_or_many(wanted)
    for one in types:
        if one not in known:
            raise SelectionError(f"ood_types={one!r} is not one of {listed(known)}{did_you_mean(str(one), known)}")
    if not types:
        raise SelectionError("ood_types names nothing; leave it out to test all")
    return types


def _of_types(test: list[str], wanted: list[str], split: Split) -> list[str]:
    types = {name: parse_image_name(name).ood_type for name in test}
    if not any(types.values()):
        raise SelectionError(f"ood_types: {split.name} of {split.pool} tests no image that is out of distribution")
    return [name for name in test if types[name] in wanted]


def _labels(trials: Any) -> list[str]:
    import numpy as np

    held = getattr(trials, "columns", getattr(trials, "coords", ()))
    column = next((name for name in _LABELS if name in held), None)
    labels = np.asarray(trials if column is None else trials[column], dtype=object)
    if labels.ndim != 1:
        has = listed(map(str, held)) or "none"
        raise SelectionError(f"trials has no column or coordinate {' or '.join(_LABELS)}; it has {has}")
    for label in labels:
        if not isinstance(label, str):
            raise SelectionError(f"trials has {label!r} in place of the name of an image")
    return list(labels)
