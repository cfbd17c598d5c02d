"""Loader ``split``: train/test splits of images, JSON files with lists of names. No options, no joins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from laion_fmri.catalog.image_names import ImageNames
from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import listed
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.json import read_object
from laion_fmri.loaders.several import one_or_each

_KEYS = {"name": str, "splitter": str, "params": dict, "n_train": int, "n_test": int, "variants": list}
_SIDES = {"train_ids": "n_train", "test_ids": "n_test"}
_FEW = 3


@dataclass(frozen=True)
class Split:
    """How the images of a pool are divided.

    Attributes
    ----------
    name : str
        Of the split.
    pool : str
        The images that are divided.
    splitter : str
        What divided them.
    params : dict
        Its parameters.
    n_train, n_test : int
        Images to train on and to test, of each variant.
    variants : list of dict
        ``variant_id``, an int, and the names of the images: ``train_ids`` and ``test_ids``.
    """

    name: str
    pool: str
    splitter: str
    params: Mapping[str, Any]
    n_train: int
    n_test: int
    variants: list[dict[str, Any]]

    def __repr__(self) -> str:
        return f"<split {self.name} of {self.pool}: {self.n_train} images to train on, {self.n_test} to test>"

    @property
    def split_family(self) -> str:
        """The name without the number of a fold: ``random`` of ``random_3``."""
        return re.sub("_[0-9]+$", "", self.name)


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> Any:
    """Read splits.

    Parameters
    ----------
    request : Request
        One or more files.

    Returns
    -------
    Split
        The split of a single file; its ``variants`` have the names of the images. Several files: a dict of splits, by
        the value of the entity in which the files differ, or by the tuple of values where they differ in several.

    Raises
    ------
    DataFormatError
        If a file is not a split of this name, if an image stands on both sides or twice on one, if there are other
        numbers of them than the file says, or if a name is none of an image.
    """
    return one_or_each(request.files, [_split(file, request.artifact.layout.names) for file in request.files])


def to_dask(request: Request) -> NoReturn:
    """Refuse: a split is small."""
    names = listed(file.path.name for file in request.files)
    raise SelectionError(f"a split has no lazy form ({names}); it is small, use read()")


def _split(file: LocalFile, rules: ImageNames | None) -> Split:
    """Return a split. Its pool is that of the file's place: the file itself describes it in a sentence."""
    held = read_object(file.path)
    mistake = next(_mistakes(held, file.entities["split"], rules), None)
    if mistake:
        raise DataFormatError(f"{file.path}: {mistake}; download it again")
    return Split(**{**{key: held[key] for key in _KEYS}, "pool": file.entities["pool"]})


def _mistakes(held: Mapping[str, Any], name: str, rules: ImageNames | None) -> Iterator[str]:
    """Yield what is wrong with a split; what comes later relies on what came before."""
    for key, kind in _KEYS.items():
        if type(held.get(key)) is not kind:
            yield f"{key} has to be of type {kind.__name__} and is {_shown(held, key)}"
    if held["name"] != name:
        yield f"it is the split {held['name']} in place of {name}"
    ids = [variant.get("variant_id") if isinstance(variant, dict) else None for variant in held["variants"]]
    if not ids or any(type(one) is not int for one in ids) or len(set(ids)) < len(ids):
        yield f"its variants have to be numbered, and their variant_id are {ids}"
    for variant in held["variants"]:
        for mistake in _mistakes_of_variant(variant, held, rules):
            yield f"variant {variant['variant_id']}: {mistake}"


def _mistakes_of_variant(
    variant: Mapping[str, Any], held: Mapping[str, Any], rules: ImageNames | None
) -> Iterator[str]:
    from laion_fmri.loaders.cells import wrong_name

    for side, count in _SIDES.items():
        names = variant.get(side)
        if type(names) is not list or not all(isinstance(one, str) for one in names):
            yield f"{side} has to be a list of names and is {_shown(variant, side)}"
        elif len(names) != held[count]:
            yield f"{side} has {len(names):,} names, and {count} says {held[count]:,}"
        elif twice := [one for one, times in Counter(names).items() if times > 1]:
            yield f"{side} has names twice: {listed(twice, _FEW)}"
        elif rules and (wrong := wrong_name(names, rules)):
            yield f"{side}, place {wrong[0]}: {wrong[1]}"
    both = set(variant["train_ids"]) & set(variant["test_ids"])
    if both:
        yield f"images stand on both sides: {listed(sorted(both), _FEW)}"


def _shown(held: Mapping[str, Any], key: str) -> str:
    return f"of type {type(held[key]).__name__}" if key in held else "missing"
