"""Whole-subject recipes, against plain nibabel, NumPy and the split's own JSON; and what their page shows, run."""

from __future__ import annotations

import json
import re
import tracemalloc
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import laion_fmri
from laion_fmri import recipes
from laion_fmri.errors import SelectionError

GLM = "derivatives/glmsingle-tedana"
STEM = "sub-03_{ses}task-images_space-T1w"
PAGE = Path(__file__).parents[1] / "docs/recipes.md"
WHOLE = {"subject": "03", "ses": ["01", "02"], "zscore": "session", "nc_threshold": 20, "nc": "Noiseceiling12rep"}


def values(path):
    return np.asarray(nibabel.load(path).dataobj)


@pytest.fixture
def folder(here_all):
    """A data directory in which some voxels are NaN in some trials, in all trials, and never change."""
    (brain,) = here_all.glob("derivatives/anatomical/sub-03/*/anat/*res-1pt8_desc-brain_mask.nii.gz")
    ceiling = here_all / GLM / "sub-03" / f"{STEM.format(ses='')}_desc-Noiseceiling12rep_statmap.nii.gz"
    sometimes, always, never = np.argwhere((values(brain) != 0) & (values(ceiling) >= 20))[:3]
    for path in (here_all / GLM / "sub-03").glob("ses-*/func/*SingletrialBetas_statmap.nii.gz"):
        image = nibabel.load(path)
        data = np.asarray(image.dataobj).copy()
        data[(*sometimes, slice(2, 9))] = np.nan
        data[tuple(always)] = np.nan
        data[tuple(never)] = 0.1
        nibabel.save(nibabel.Nifti1Image(data, image.affine, image.header), path)
    return here_all


def by_hand(folder):
    """Return labels and z-scores of every trial at the voxels whose noise ceiling is 20 or more, in float64."""
    (brain,) = folder.glob("derivatives/anatomical/sub-03/*/anat/*res-1pt8_desc-brain_mask.nii.gz")
    mask = values(brain) != 0
    good = values(folder / GLM / "sub-03" / f"{STEM.format(ses='')}_desc-Noiseceiling12rep_statmap.nii.gz")[mask] >= 20
    labels, trials = [], []
    for ses in ("ses-01_", "ses-02_"):
        func = folder / GLM / "sub-03" / ses[:-1] / "func"
        data = values(func / f"{STEM.format(ses=ses)}_stat-effect_desc-SingletrialBetas_statmap.nii.gz")[mask].T
        data = data[:, good].astype(np.float64)
        deviation = np.nanstd(data, axis=0)
        trials.append((data - np.nanmean(data, axis=0)) / np.where(deviation > 0, deviation, 1))
        table = pd.read_csv(func / f"sub-03_{ses}task-images_desc-SingletrialBetas_trials.tsv", sep="\t")
        labels += table.label.tolist()
    return np.array(labels), np.concatenate(trials)


def sides(folder, split):
    """Return the images to train on, and those to test."""
    (variant,) = json.loads((folder / f"splits/data/sub-03/{split}.json").read_text())["variants"]
    return variant["train_ids"], variant["test_ids"]


@pytest.mark.parametrize("split", ["tau", "random_1"])
@pytest.mark.parametrize("average", ["image", None])
def test_a_whole_subject_is_divided_as_numpy_divides_it(folder, split, average):
    source = laion_fmri.open_catalog().betas(**WHOLE, average=average)
    parts = recipes.train_test(source, split, pool="sub-03")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, at the voxel that is always NaN
        labels, trials = by_hand(folder)
        for part, ids in zip(parts, sides(folder, split), strict=True):
            rows = np.flatnonzero(np.isin(labels, ids))
            expected, names = trials[rows], labels[rows]
            if average:
                names = list(dict.fromkeys(names))
                expected = np.stack([np.nanmean(trials[labels == name], axis=0) for name in names])
            assert 0 < len(names) < len(labels)
            np.testing.assert_array_equal(part.image if average else part.label, names)
            np.testing.assert_allclose(part, expected, rtol=1e-5, atol=2e-6)
    whole = source.read()
    row = "image" if average else "trial_key"
    for part in parts:
        same = whole[np.isin(whole[row], part[row])]
        xr.testing.assert_identical(part, same)
    assert np.isnan(parts[0][:, 1]).all()
    assert (parts[0][:, 2] == 0).all()


def test_no_repetition_of_a_test_image_is_trained_on(folder):
    source = laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"], roi="V1")
    train, test = recipes.train_test(source, "tau", pool="shared")
    assert train.repetition.max() > 0 < test.repetition.max()
    assert not set(train.label.values) & set(test.label.values)
    in_neither = source.read().sizes["trial"] - train.sizes["trial"] - test.sizes["trial"]
    assert in_neither > 0


def test_kinds_of_unusual_images_are_tested_alone(folder):
    source = laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"], roi="V1", average="image")
    _, everything = recipes.train_test(source, "ood", pool="shared")
    kinds = laion_fmri.image_names_table(everything.image.values).ood_type
    _, some = recipes.train_test(source, "ood", pool="shared", ood_types=kinds[0])
    xr.testing.assert_identical(some, everything[(kinds == kinds[0]).to_numpy()])


def test_dividing_takes_the_memory_of_a_row():
    data = np.random.default_rng(0).standard_normal((400, 20_000)).astype(np.float32)
    wanted = np.random.default_rng(1).permutation(400)[:300].tolist()
    expected = data[wanted]
    tracemalloc.start()
    recipes._bring_forward(data, wanted)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(data[:300], expected)
    assert peak < 5 * data[0].nbytes < data.nbytes / 20


def test_both_sides_are_views_of_what_was_read(folder):
    train, test = recipes.train_test(laion_fmri.open_catalog().betas(**WHOLE), "tau", pool="sub-03")
    assert train.values.base is not None
    assert train.values.base is test.values.base


def test_maps_have_no_images_to_divide(folder):
    with pytest.raises(SelectionError, match="in place of the name of an image"):
        recipes.train_test(laion_fmri.open_catalog().r2(subject="03"), "tau", pool="sub-03")


# --- the page


def test_what_the_page_shows_runs_from_top_to_bottom(here_all, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    xr.testing.assert_identical(names["betas"].load(), names["subject"].read(zscore="session"))
