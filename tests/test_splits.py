"""Train/test splits in Python: names in, lists and masks out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.errors import DataNotDownloadedError, SelectionError
from laion_fmri.splits import (
    get_split_masks,
    get_train_test_ids,
    list_ood_types,
    list_pools,
    list_splits,
    load_all_splits,
    load_split,
)

REAL = Path(__file__).parents[2] / "shared" / "data" / "splits"  # files of the dataset, where somebody put them
HERE = ("shared", "sub-01", "sub-03", "pooled")
FOLDS = [f"cluster_k5_{n}" for n in range(5)]
TWELVE = {"tau", "ood", *FOLDS, *(f"random_{n}" for n in range(5))}


def names_of(miniature, **wanted):
    table = pd.read_csv(miniature / "stimuli" / "task-images_metadata.csv", keep_default_na=False)
    for column, value in wanted.items():
        table = table[table[column] == value]
    return set(table["image_name"])


def members(miniature, pool):
    regular = names_of(miniature) - names_of(miniature, dataset="OOD")
    if pool == "pooled":
        return regular
    shared = regular & names_of(miniature, unique_or_shared="shared")
    return shared if pool == "shared" else shared | names_of(miniature, participant=pool)


def test_the_pools_and_their_splits_are_known_without_any_file(no_config):
    assert list_pools() == ["shared", "sub-01", "sub-03", "sub-05", "sub-06", "sub-07", "pooled"]
    assert set(list_splits()) == set(list_splits("shared")) == set(list_splits("sub-07")) == TWELVE
    assert list_splits("pooled") == ["tau", *FOLDS]
    assert len(list_ood_types()) == 9


@pytest.mark.parametrize("pool", HERE)
def test_every_split_of_a_pool_divides_it(here_all, miniature, pool):
    splits = load_all_splits(pool)
    assert list(splits) == list_splits(pool)
    pooled, unusual = members(miniature, pool), names_of(miniature, dataset="OOD")
    for name, split in splits.items():
        train, test = get_train_test_ids(name, pool)
        assert (split.name, split.pool, split.n_train, split.n_test) == (name, pool, len(train), len(test))
        assert set(train) | set(test) == (pooled | unusual if name == "ood" else pooled)
        assert set(test) == unusual if name == "ood" else set(test) < pooled
        assert not set(train) & set(test)


@pytest.mark.parametrize("pool", HERE)
def test_the_folds_of_a_family_are_disjoint_and_cover_the_pool(here_all, miniature, pool):
    families = Counter(split.split_family for split in load_all_splits(pool).values())
    assert families == {"tau": 1, "cluster_k5": 5} | ({} if pool == "pooled" else {"ood": 1, "random": 5})
    for family in {"cluster_k5", "random"} & set(families):
        tested = Counter(name for n in range(5) for name in get_train_test_ids(f"{family}_{n}", pool)[1])
        assert set(tested.values()) == {1}
        assert set(tested) == members(miniature, pool)


def test_types_narrow_the_images_that_are_tested_and_no_others(here_all):
    train, test = get_train_test_ids("ood", "shared")
    parts = {kind: get_train_test_ids("ood", "shared", ood_types=kind) for kind in list_ood_types()}
    assert all(part[0] == train for part in parts.values())
    assert sorted(name for _, part in parts.values() for name in part) == test
    assert all(f"_OOD_{kind}_" in name for kind, (_, part) in parts.items() for name in part)
    both = get_train_test_ids("ood", "shared", ood_types=["shape", "gaudy"])[1]
    assert set(both) == {*parts["shape"][1], *parts["gaudy"][1]} != set()


def test_masks_have_an_entry_for_every_trial_in_its_place(here_all):
    trials = laion_fmri.open_catalog().trials(subject="03", ses=["01", "02"]).read()
    train, test = get_split_masks(trials, "random_1", pool="sub-03")
    ids = get_train_test_ids("random_1", "sub-03")
    assert train.dtype == test.dtype == bool
    np.testing.assert_array_equal(train, trials["label"].isin(ids[0]))
    np.testing.assert_array_equal(test, trials["label"].isin(ids[1]))
    assert train.any()
    assert test.any()
    assert not (train & test).any()
    assert (~(train | test) == trials["label"].str.contains("_OOD_")).all()


def test_masks_are_the_same_however_the_trials_are_given(here_all):
    source = laion_fmri.open_catalog().betas(subject="03", ses="01")
    betas, average = source.read(roi="V1v"), source.read(roi="V1v", average="image")
    labels = betas["label"].to_numpy()
    expected = get_split_masks(list(labels), "tau", "sub-03")
    frame = pd.DataFrame({"label": labels}, index=np.arange(len(labels))[::-1])
    for trials in (
        betas,
        betas["label"],
        xr.DataArray(labels),
        labels,
        frame,
        frame["label"],
        pd.Index(labels),
        tuple(labels),
    ):
        for mask, right in zip(get_split_masks(trials, "tau", "sub-03"), expected, strict=True):
            np.testing.assert_array_equal(mask, right)
    train, _ = get_split_masks(average, "tau", "sub-03")
    assert train.shape == (average.sizes["image"],)
    assert set(average["image"].to_numpy()[train]) == set(labels[expected[0]])


def test_rows_that_are_images_have_masks_too(here_all):
    catalog = laion_fmri.open_catalog()
    test = set(get_train_test_ids("tau", "shared")[1])
    about, seen = catalog.stimulus_metadata.read(), catalog.embeddings(model="CLIP").read()
    assert set(about["image_name"][get_split_masks(about, "tau", "shared")[1]]) == test
    assert set(seen["image"].to_numpy()[get_split_masks(seen, "tau", "shared")[1]]) == test


def test_masks_pass_types_and_variants_on(here_all):
    trials = laion_fmri.open_catalog().trials(subject="03", ses="01").read()
    _, every = get_split_masks(trials, "ood", "sub-03")
    _, shapes = get_split_masks(trials, "ood", "sub-03", 0, ["shape"])
    assert 0 < shapes.sum() < every.sum()
    with pytest.raises(SelectionError, match="variant_id=1"):
        get_split_masks(trials, "ood", "sub-03", variant_id=1)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: list_splits("sub-3"), "did you mean 'sub-03'"),
        (lambda: load_split("tau", "pool"), "pool='pool' is not one of shared"),
        (lambda: load_split("tau", "all"), "pool='all' is not one name"),
        (lambda: load_split(["tau"], "shared"), r"name=\['tau'\] is not one name"),
        (lambda: load_split("taus", "shared"), "did you mean 'tau'"),
        (lambda: load_split("random_0", "pooled"), "and split=random_0 together; with pool=pooled there is split=tau"),
        (lambda: load_all_splits("sub-02"), "is not one of shared"),
        (lambda: get_train_test_ids("ood", "shared", ood_types=["shapes"]), "did you mean `shape`"),
        (lambda: get_train_test_ids("ood", "shared", ood_types=[]), "ood_types names nothing"),
        (lambda: get_train_test_ids("tau", "shared", ood_types="shape"), "tau of shared tests no image that is out of"),
        (lambda: get_train_test_ids("tau", "shared", variant_id=2), "variant_id=2: tau of shared has 0"),
        (
            lambda: get_split_masks(pd.DataFrame({"a": [1]}), "tau", "shared"),
            "no column or coordinate label .*; it has a$",
        ),
        (lambda: get_split_masks(xr.DataArray([[1.0]]), "tau", "shared"), "has no column or coordinate label .* none$"),
        (lambda: get_split_masks(xr.DataArray([1.5]), "tau", "shared"), "trials has 1.5 in place of the name of an"),
        (lambda: get_split_masks([1, 2], "tau", "shared"), "trials has 1 in place of the name of an image"),
        (lambda: get_split_masks("a.jpg", "tau", "shared"), "has no column or coordinate label"),
    ],
)
def test_what_does_not_exist_is_refused_naming_what_does(here_all, call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_nothing_is_downloaded_and_what_is_missing_is_named_with_its_command(server, data_dir):
    with pytest.raises(DataNotDownloadedError, match=r"laion-fmri download-splits --pool shared --split tau$"):
        get_train_test_ids("tau", "shared")
    with pytest.raises(DataNotDownloadedError, match=r"laion-fmri download-splits --pool sub-03$"):
        load_all_splits("sub-03")
    assert not (data_dir / "splits").exists()


def test_the_same_seed_gives_the_same_splits_whatever_else_is_in_the_miniature(miniature, tmp_path):
    laion_fmri.sandbox.make_dataset(tmp_path / "again")
    for pool in HERE:
        for name in list_splits(pool):
            key = f"splits/data/{pool}/{name}.json"
            assert (tmp_path / "again" / key).read_bytes() == (miniature / key).read_bytes()


@pytest.fixture
def real(fresh_dir):
    if not REAL.is_dir():
        pytest.skip(f"no files of the dataset in {REAL}")
    (fresh_dir / "splits").mkdir()
    (fresh_dir / "splits" / "data").symlink_to(REAL)
    return {path.relative_to(REAL).as_posix() for path in REAL.glob("*/*.json")}


def test_the_files_of_the_dataset_are_read(real):
    sizes = {"shared": 1121, "sub-03": 5833}
    for key in real:
        pool, _, file = key.partition("/")
        name = file.removesuffix(".json")
        train, test = get_train_test_ids(name, pool)
        assert len(train) + len(test) == sizes[pool] + (371 if name == "ood" else 0)
        assert test
        if name == "ood":
            counts = {kind: len(get_train_test_ids(name, pool, ood_types=kind)[1]) for kind in list_ood_types()}
            assert sum(counts.values()) == len(test) == 371
            assert (counts["shape"], counts["illusion-natural"]) == (82, 8)
