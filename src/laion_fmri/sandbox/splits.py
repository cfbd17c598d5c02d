"""Train/test splits of the made-up images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laion_fmri.catalog import CatalogFile, templates
from laion_fmri.catalog.gaps import in_gap
from laion_fmri.image_names import ImageName, parse_image_name
from laion_fmri.sandbox import files
from laion_fmri.sandbox.chance import generator
from laion_fmri.sandbox.stimuli import Stimuli

_FOLDS = 5
_SPLITTERS: dict[str, tuple[str, dict[str, Any]]] = {
    "tau": ("min_nn_stochastic", {"method": "min_nn_filter + stochastic_mmd_swap"}),
    "cluster_k5": ("min_nn_stochastic", {"method": "kmeans_clip_k5_holdout"}),
    "ood": ("ood_holdout", {"method": "ood_dataset_holdout"}),
    "random": ("random_kfold", {"method": "shuffled_5fold_cv", "k": _FOLDS}),
}


def write_splits(folder: Path, catalog: CatalogFile, stimuli: Stimuli) -> None:
    """Write every split of the pools that the subjects of a miniature have."""
    if "splits" not in catalog.sources:
        return
    artifact = catalog.artifact("splits")
    said = {name: parse_image_name(name) for name in stimuli.names}
    unusual = sorted(name for name, image in said.items() if image.ood)
    for pool, about, members in _pools(said, stimuli.subjects):
        for split in artifact.entities["split"].known:
            values = {"pool": pool, "split": split}
            if not in_gap(values, artifact.gaps):
                family, fold = _fold(split)
                chance = generator(stimuli.seed, "splits", pool, family)
                test = unusual if family == "ood" else _fifth(members, fold, chance, even=family != "cluster_k5")
                path = folder / templates.fill(artifact.path[0], values)
                files.write_json(path, _content(split, about, sorted({*members} - {*test}), test))


def _pools(said: Mapping[str, ImageName], subjects: tuple[str, ...]) -> list[tuple[str, str, list[str]]]:
    """Return the pools: name, what their files say of them, which is not their name, and their images."""
    regular = {name: image for name, image in said.items() if not image.ood}
    shared = [name for name, image in regular.items() if image.shared]
    pools = [("shared", f"LAION non-OOD shared ({len(shared)} images)", shared)]
    for subject in subjects:
        pool = f"sub-{subject}"
        mine = [name for name, image in regular.items() if image.owner in (None, pool)]
        pools.append((pool, "full pool of a participant (unique + LAION non-OOD shared)", mine))
    return [*pools, ("pooled", f"All subjects, regular images ({len(regular)} images)", [*regular])]


def _fold(split: str) -> tuple[str, int]:
    """Return the family of a split and the number of its fold: ``random_3`` is (``random``, 3)."""
    family, _, number = split.rpartition("_")
    return (family, int(number)) if number.isdecimal() else (split, 0)


def _fifth(members: list[str], fold: int, chance: np.random.Generator, *, even: bool) -> list[str]:
    """Return the images of one fold, sorted; folds are of one size, or of whatever size."""
    folds: NDArray[np.int64] = np.arange(len(members)) % _FOLDS
    if not even:
        folds[_FOLDS:] = chance.integers(_FOLDS, size=len(folds[_FOLDS:]))
    folds = chance.permutation(folds)
    return sorted(name for name, number in zip(members, folds, strict=True) if number == fold)


def _content(split: str, about: str, train: list[str], test: list[str]) -> dict[str, Any]:
    family, fold = _fold(split)
    splitter, params = _SPLITTERS[family]
    return {
        "name": split,
        "pool": about,
        "splitter": splitter,
        "params": params if family in ("tau", "ood") else {**params, "fold": fold},
        "n_train": len(train),
        "n_test": len(test),
        "variants": [{"variant_id": 0, "train_ids": train, "test_ids": test}],
    }
