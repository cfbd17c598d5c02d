"""Options of reading betas and maps, on the miniature and compared with plain nibabel, NumPy and pandas."""

from __future__ import annotations

import re

import nibabel
import numpy as np
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.choice import choose
from laion_fmri.catalog.models import Option
from laion_fmri.catalog.regions import parse
from laion_fmri.errors import SelectionError

GLM = "derivatives/glmsingle-tedana"
CATEGORIES = {"FFA1": "face", "FFA2": "face", "OFA": "face", "lobjects": "object", "laionventral": "laion"}
ONE = {"subject": "03", "ses": "01"}
TWO = {"subject": "03", "ses": ["01", "02"]}


def values(path):
    return np.asarray(nibabel.load(path).dataobj)


def brain(folder, subject="03"):
    name = f"sub-{subject}_ses-PrismaAnat_space-T1w_res-1pt8_desc-brain_mask.nii.gz"
    return values(folder / f"derivatives/anatomical/sub-{subject}/ses-PrismaAnat/anat/{name}") != 0


def roi(folder, label, subject="03"):
    name = f"sub-{subject}_space-T1w_res-1pt8_label-{label}_mask.nii.gz"
    return values(folder / f"derivatives/rois/sub-{subject}/{CATEGORIES.get(label, 'retinotopy')}/{name}") != 0


def category(folder, name, subject="03"):
    paths = sorted((folder / f"derivatives/rois/sub-{subject}/{name}").glob("*res-1pt8*mask.nii.gz"))
    return np.logical_or.reduce([values(path) != 0 for path in paths])


def responses(folder, session="01", subject="03"):
    """Return (trial, voxel) of one session: the whole array, then the mask."""
    stem = f"sub-{subject}_ses-{session}_task-images_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
    return values(folder / f"{GLM}/sub-{subject}/ses-{session}/func/{stem}")[brain(folder, subject)].T


@pytest.fixture
def betas(here):
    """Read betas both ways, which must agree."""
    return read_both(laion_fmri.open_catalog().betas)


def read_both(source):
    def read(**given):
        eager, lazy = source.read(**given), source.to_dask(**given)
        xr.testing.assert_identical(eager, lazy.compute(scheduler="synchronous"))
        return eager

    return read


def voxels_at(array):
    """Return the voxels of an array as a set of (i, j, k)."""
    return set(zip(array.i.values.tolist(), array.j.values.tolist(), array.k.values.tolist(), strict=True))


def where(mask):
    return set(map(tuple, np.argwhere(mask).tolist()))


# --- queries of regions


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("A", ((True, "A"),)),
        ("A-1", ((True, "A-1"),)),
        (" A+B - C ", ((True, "A"), (True, "B"), (False, "C"))),
        ("(A)-(B)", ((True, ((True, "A"),)), (False, ((True, "B"),)))),
        ("A - (B - C-1)", ((True, "A"), (False, ((True, "B"), (False, "C-1"))))),
    ],
)
def test_a_query_is_names_signs_and_parentheses(text, meaning):
    assert parse(text) == meaning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "character 1: expected a name"),
        ("A +", "character 4: expected a name"),
        ("A B", "character 3: expected + or -"),
        ("(A + B", "character 7: expected + or -, or )"),
        ("A)", "character 2: expected + or -, or the end"),
        ("A -B", "character 3: a minus has blanks around it"),
        ("A- B", "character 2: a minus has blanks around it"),
        ("- A", "character 1: a minus has blanks around it"),
        ("A & B", "character 3: '&' is no part"),
        ("A + ()", "character 6: expected a name"),
    ],
)
def test_a_text_that_is_no_query_is_refused_at_its_place(text, message):
    with pytest.raises(SelectionError, match=re.escape(message)):
        parse(text)


def test_a_wrong_query_is_refused_at_the_call_with_entry_and_option():
    cat = laion_fmri.open_catalog()
    with pytest.raises(SelectionError, match=r"betas: roi='V1v -V1d', character 5"):
        cat.betas(roi="V1v -V1d")
    with pytest.raises(SelectionError, match=r"betas: roi\['early'\]='V1v \+', character 6"):
        cat.betas(roi={"early": ["V1d", "V1v +"]})
    for wrong in ({}, {"a+b": "V1v"}, {" ": "V1v"}, {1: "V1v"}, {"early": 3}, [], 3):
        with pytest.raises(SelectionError, match="betas: roi"):
            cat.betas(roi=wrong)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "laionventral - (V1v + V1d + V2v)",
            lambda roi, _: roi("laionventral") & ~(roi("V1v") | roi("V1d") | roi("V2v")),
        ),
        ("face - FFA-1", lambda roi, category: category("face") & ~roi("FFA1")),
        ("face - FFA-1 + FFA1", lambda _, category: category("face")),
        ("V1", lambda roi, _: roi("V1v") | roi("V1d")),
        (["V4", "V1 - V1d"], lambda roi, _: roi("hV4") | (roi("V1v") & ~roi("V1d"))),
        ("highventral", lambda roi, category: roi("laionventral") & ~category("retinotopy")),
        ({"a": "V1v", "b": ["face", "hV4"]}, lambda roi, category: roi("V1v") | category("face") | roi("hV4")),
    ],
)
def test_a_query_keeps_the_voxels_that_it_means(betas, here, query, expected):
    wanted = expected(lambda label: roi(here, label), lambda name: category(here, name))
    read = betas(**ONE, roi=query)
    inside = brain(here)
    assert 0 < (wanted & inside).sum() < inside.sum()
    assert voxels_at(read) == where(wanted & inside)
    np.testing.assert_array_equal(read, responses(here)[:, wanted[inside]])


def test_the_region_of_a_voxel_is_the_labels_of_the_query_that_it_is_in(betas, here):
    read = betas(**ONE, roi="face + laion + object")
    labels = dict.fromkeys(
        path.name.split("label-")[1].split("_")[0]
        for name in ("face", "laion", "object")
        for path in sorted((here / f"derivatives/rois/sub-03/{name}").glob("*res-1pt8*mask.nii.gz"))
    )
    masks = {
        label: values(next(here.rglob(f"*sub-03_space-T1w_res-1pt8_label-{label}_mask.nii.gz"))) for label in labels
    }
    for i, j, k, region in zip(*(read[name].values for name in ("i", "j", "k", "region")), strict=True):
        assert region == "+".join(label for label in labels if masks[label][i, j, k])
    assert any("+" in region for region in read.region.values)


def test_the_region_of_a_mapping_is_its_names_in_its_order(betas, here):
    read = betas(**ONE, roi={"rest": "laion", "faces": "face", "early": "earlyvisual"})
    masks = {"rest": category(here, "laion"), "faces": category(here, "face")}
    masks["early"] = np.logical_or.reduce([roi(here, f"V{n}{part}") for n in (1, 2, 3) for part in "vd"])
    for i, j, k, region in zip(*(read[name].values for name in ("i", "j", "k", "region")), strict=True):
        assert region == "+".join(name for name, mask in masks.items() if mask[i, j, k])
    assert {"faces", "early"} < set(read.region.values)
    assert read.attrs["roi"] == "rest: laion; faces: face; early: earlyvisual"


def test_maps_take_the_same_queries(here):
    source = laion_fmri.open_catalog().noise_ceiling
    read = read_both(source)(**ONE, roi={"V1 alone": "V1 - laion"})
    assert voxels_at(read) == where((roi(here, "V1v") | roi(here, "V1d")) & ~category(here, "laion") & brain(here))
    assert set(read.region.values) == {"V1 alone"}


@pytest.mark.parametrize("query", ["V1v - V1", {"a": "V1v", "b": "V1 - V1"}])
def test_a_query_without_a_voxel_is_refused(here, query):
    with pytest.raises(SelectionError, match=r"roi=.*V1'.*none of its voxels"):
        laion_fmri.open_catalog().betas(**ONE).read(roi=query)


def test_an_unknown_name_in_a_query_is_refused_with_the_nearest(here):
    with pytest.raises(SelectionError, match=r"roi='V1w' is none of the ROIs of subject 03.*did you mean V1 or V1"):
        laion_fmri.open_catalog().betas(**ONE).read(roi={"early": "face - (V1w)"})


def test_each_subject_has_its_own_region(here_all):
    read = read_both(laion_fmri.open_catalog().betas)(subject=["01", "03"], ses="01", roi="V1")
    for subject in ("01", "03"):
        own = read[:, read.voxel_subject == subject]
        assert voxels_at(own) == where(
            (roi(here_all, "V1v", subject) | roi(here_all, "V1d", subject)) & brain(here_all, subject)
        )
    assert set(read.region.values) == {"V1v", "V1d"}


def test_named_regions_of_the_catalog_are_what_the_option_takes():
    catalog = load_catalog()
    assert catalog.artifact("betas").options["roi"].named == catalog.definitions.regions
    assert {"V1", "V2", "V3", "V4"} <= set(catalog.definitions.regions)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"a": "b +"}, "character 4: expected a name"),
        ({"all": "b"}, "'all' is no name"),
        ({"a-b": "b"}, "'a-b' is no name"),
        ({"a": "b + c", "c": "d"}, "a is made of c, which is a named region too"),
    ],
)
def test_a_named_region_of_a_catalog_is_checked(named, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Option(description="ROIs.", type="regions", named=named)


# --- flags


def test_a_flag_is_true_or_false():
    betas = load_catalog().artifact("betas")
    flagged = betas.model_copy(update={"options": {"more": Option(description="More.", type="flag")}})
    assert choose("betas", flagged, {"more": True}).options == {"more": True}
    assert choose("betas", flagged, {"more": False}).options == {"more": None}
    for wrong in ("yes", 1, "True"):
        with pytest.raises(SelectionError, match=r"betas: more=.* is neither True nor False"):
            choose("betas", flagged, {"more": wrong})
