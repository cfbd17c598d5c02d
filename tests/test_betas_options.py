"""Options of reading betas and maps, on the miniature and compared with plain nibabel, NumPy and pandas."""

from __future__ import annotations

import itertools
import re
import warnings
from collections import Counter

import nibabel
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.choice import choose
from laion_fmri.catalog.models import Option
from laion_fmri.catalog.regions import parse
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, SelectionError

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


# --- who a trial is


def trials(folder, session="01", subject="03"):
    stem = f"sub-{subject}_ses-{session}_task-images_desc-SingletrialBetas_trials.tsv"
    return pd.read_csv(folder / f"{GLM}/sub-{subject}/ses-{session}/func/{stem}", sep="\t")


def test_a_trial_has_a_key_that_is_the_same_in_every_selection(betas):
    alone = betas(subject="03", ses="02", roi="V4")
    assert alone.trial_key.values[[0, 7]].tolist() == ["sub-03_ses-02_0000", "sub-03_ses-02_0007"]
    both = betas(subject="03", ses=["02", "01"], roi="V4", stimuli="shared")
    assert len(set(both.trial_key.values)) == both.sizes["trial"]
    for key in ("sub-03_ses-02_0002", "sub-03_ses-01_0000"):
        (session, index) = (key[7:13], int(key[14:]))
        found = both[both.trial_key == key]
        assert (found.session.item(), found.beta_index.item()) == (session, index)
    kept = alone[np.isin(alone.trial_key, both.trial_key)]
    again = both[np.isin(both.trial_key, alone.trial_key)]
    np.testing.assert_array_equal(kept, again)
    assert kept.sizes["trial"] > 5


@pytest.mark.parametrize("sessions", [["01", "02"], ["02", "01"]])
def test_repetition_counts_earlier_trials_of_the_image_in_the_order_of_sessions(here_all, sessions):
    for subject in ("01", "03"):
        path = here_all / f"{GLM}/sub-{subject}/ses-02/func"
        (path,) = path.glob("*trials.tsv")
        table = pd.read_csv(path, sep="\t")
        table.loc[3, "label"] = trials(here_all, "01", subject).label[0]
        table.to_csv(path, sep="\t", index=False)
    seen, expected = Counter(), {}
    for subject in ("01", "03"):
        for session in ("01", "02"):
            for row, label in enumerate(trials(here_all, session, subject).label):
                expected[f"sub-{subject}_ses-{session}_{row:04d}"] = seen[subject, label]
                seen[subject, label] += 1
    read = read_both(laion_fmri.open_catalog().betas)(subject=["01", "03"], ses=sessions, roi="V4")
    assert dict(zip(read.trial_key.values, read.repetition.values, strict=True)) == expected
    assert expected["sub-03_ses-02_0003"] > 0


def test_a_trial_table_with_a_column_of_our_own_is_refused(here):
    (path,) = (here / f"{GLM}/sub-03/ses-01/func").glob("*trials.tsv")
    pd.read_csv(path, sep="\t").assign(repetition=0).to_csv(path, sep="\t", index=False)
    with pytest.raises(DataFormatError, match=r"trials.tsv has a column repetition"):
        laion_fmri.open_catalog().betas(**ONE).read()


# --- noise ceilings

VARIANTS = ["Noiseceiling4rep", "Noiseceiling12rep", "NoiseceilingAllrep"]


def ceiling_path(folder, variant, subject="03"):
    """Return where a map is; `variant` is a session or the name of a subject-level map."""
    if variant in VARIANTS:
        path = f"sub-{subject}_task-images_space-T1w_desc-{variant}_statmap.nii.gz"
    else:
        path = f"ses-{variant}/func/sub-{subject}_ses-{variant}_task-images_space-T1w_desc-Noiseceiling_statmap.nii.gz"
    return folder / f"{GLM}/sub-{subject}" / path


def ceiling(folder, variant, subject="03"):
    return values(ceiling_path(folder, variant, subject))[brain(folder, subject)]


@pytest.fixture
def unequal(here):
    """Noise ceilings of the sessions that differ."""
    path = ceiling_path(here, "02")
    image = nibabel.load(path)
    chance = np.random.default_rng(0).uniform(0.5, 1.5, image.shape)
    nibabel.save(nibabel.Nifti1Image((values(path) * chance).astype(np.float32), image.affine), path)
    return here


def test_every_noise_ceiling_is_a_coordinate_of_voxels(betas, unequal):
    here = unequal
    read = betas(**TWO, roi="V1", noise_ceilings=True)
    inside = (roi(here, "V1v") | roi(here, "V1d"))[brain(here)]
    names = {**{f"noise_ceiling_ses{ses}": ses for ses in ("01", "02")}, **{name: name for name in VARIANTS}}
    assert {name for name in read.coords if "ceiling" in name} == set(names)
    maps = {name: ceiling(here, variant)[inside] for name, variant in names.items()}
    for name, expected in maps.items():
        assert read[name].dims == ("voxel",)
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], expected)
    assert not any(np.array_equal(maps[one], maps[two]) for one, two in itertools.combinations(maps, 2))


def test_noise_ceilings_of_several_subjects_are_their_own(here_all):
    read = read_both(laion_fmri.open_catalog().betas)(subject=["01", "03"], ses="02", noise_ceilings=True, roi="V4")
    for subject in ("01", "03"):
        inside = roi(here_all, "hV4", subject)[brain(here_all, subject)]
        own = read.Noiseceiling12rep[read.voxel_subject == subject]
        np.testing.assert_array_equal(own, ceiling(here_all, "Noiseceiling12rep", subject)[inside])


def test_a_threshold_takes_a_noise_ceiling_of_the_subject(betas, unequal):
    here = unequal
    for variant in VARIANTS[:2]:
        reached = ceiling(here, variant) >= 20
        assert 0 < reached.sum() < len(reached)
        read = betas(**TWO, nc_threshold=20, nc=variant)
        np.testing.assert_array_equal(read[:60], responses(here)[:, reached])
    session = betas(**TWO, nc_threshold=20)
    one, two = (ceiling(here, session) >= 20 for session in ("01", "02"))
    both = one & two
    assert 0 < both.sum() < min(one.sum(), two.sum())
    np.testing.assert_array_equal(session[:60], responses(here)[:, both])
    assert session.sizes["voxel"] != read.sizes["voxel"]


def test_an_unknown_noise_ceiling_is_refused_with_the_nearest():
    with pytest.raises(SelectionError, match=r"nc='Noiseceiling3rep' is not one of.*did you mean 'Noiseceiling"):
        laion_fmri.open_catalog().betas(nc="Noiseceiling3rep")


@pytest.mark.parametrize("options", [{"noise_ceilings": True}, {"nc_threshold": 5, "nc": "Noiseceiling12rep"}])
def test_a_noise_ceiling_that_is_not_here_is_named_with_its_command(here, options):
    path = here / f"{GLM}/sub-03/sub-03_task-images_space-T1w_desc-Noiseceiling12rep_statmap.nii.gz"
    path.unlink()
    with pytest.raises(DataNotDownloadedError, match=r"laion-fmri download --subject 03") as error:
        laion_fmri.open_catalog().betas(**ONE).read(**options)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("options", [{"noise_ceilings": True}, {"nc_threshold": 5, "nc": "Noiseceiling12rep"}])
def test_a_download_fetches_the_noise_ceilings_that_reading_takes(server, data_dir, options):
    source = laion_fmri.open_catalog().betas(**ONE, roi="V4", **options)
    assert source.download().read().sizes["voxel"] > 0


# --- z-scores, NaN, means


def zscored(data):
    """Return z-scores over trials, in float64."""
    data = data.astype(np.float64)
    mean, deviation = np.nanmean(data, axis=0), np.nanstd(data, axis=0)
    return (data - mean) / np.where(deviation > 0, deviation, 1)


@pytest.fixture
def with_gaps(here):
    """Betas of two sessions with a voxel that is sometimes NaN, one that always is, and one that never changes."""
    for session in ("01", "02"):
        stem = f"sub-03_ses-{session}_task-images_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
        path = here / f"{GLM}/sub-03/ses-{session}/func/{stem}"
        image = nibabel.load(path)
        data = np.asarray(image.dataobj).copy()
        (sometimes, always, never) = np.argwhere(roi(here, "hV4") & brain(here))[:3]
        data[(*sometimes, slice(2, 9))] = np.nan
        data[tuple(always)] = np.nan
        data[tuple(never)] = 0.1
        nibabel.save(nibabel.Nifti1Image(data, image.affine, image.header), path)
    return here


def test_zscores_are_taken_over_all_trials_of_each_session(betas, with_gaps):
    inside = roi(with_gaps, "hV4")[brain(with_gaps)]
    data = [responses(with_gaps, session)[:, inside] for session in ("02", "01")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, at the voxel that is always NaN
        expected = np.concatenate([zscored(one) for one in data])
    read = betas(subject="03", ses=["02", "01"], roi="V4", zscore="session")
    assert read.dtype == np.float32
    assert read.attrs["units"] == "standard deviations"
    np.testing.assert_allclose(read, expected, atol=2e-6)
    assert np.isnan(read[:, 0]).sum() == 14
    assert np.isnan(read[:, 1]).all()
    assert (read[:, 2] == 0).all()
    shared = np.array([label.startswith("shared") for label in read.label.values])
    some = betas(subject="03", ses=["02", "01"], roi="V4", zscore="session", stimuli="shared")
    np.testing.assert_array_equal(some, read[shared])


def test_zscores_of_large_numbers_keep_their_digits(here):
    (path,) = (here / f"{GLM}/sub-03/ses-01/func").glob("*Betas_statmap.nii.gz")
    image = nibabel.load(path)
    data = 1e6 + np.random.default_rng(0).integers(-8, 8, image.shape).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(data, image.affine), path)
    read = laion_fmri.open_catalog().betas(**ONE).read(zscore="session")
    np.testing.assert_allclose(read, zscored(data[brain(here)].T), atol=1e-5)


def test_nan_is_kept_dropped_or_made_zero(betas, with_gaps):
    kept = betas(**TWO, roi="V4")
    xr.testing.assert_equal(kept, betas(**TWO, roi="V4", nan="keep"))
    zero = betas(**TWO, roi="V4", nan="zero")
    np.testing.assert_array_equal(zero, np.nan_to_num(kept))
    missing = np.isnan(kept.values).any(axis=0)
    assert missing[:3].tolist() == [True, True, False]
    source = laion_fmri.open_catalog().betas
    dropped = source.read(**TWO, roi="V4", nan="drop", noise_ceilings=True)
    np.testing.assert_array_equal(dropped, kept[:, ~missing])
    for name in ("i", "x", "region"):
        np.testing.assert_array_equal(dropped[name], kept[name][~missing])
    assert dropped.values.flags.c_contiguous
    few = source.read(**ONE, roi="V4", nan="drop", stimuli="shared")
    shared = (kept.session == "ses-01").values & np.char.startswith(kept.label.values, "shared")
    np.testing.assert_array_equal(few, kept[shared][:, ~np.isnan(kept.values[shared]).any(axis=0)])


def test_dask_refuses_to_drop_nan_with_the_reason(here):
    with pytest.raises(SelectionError, match=r'to_dask\(\) does not take nan="drop".*use read\(\)'):
        laion_fmri.open_catalog().betas(**ONE).to_dask(nan="drop")


@pytest.mark.parametrize("nan", ["keep", "zero", "drop"])
def test_nan_is_a_matter_of_each_subject(here_all, nan):
    source = laion_fmri.open_catalog().betas(ses="01", nan=nan)
    both = source.read(subject=["01", "03"]) if nan == "drop" else read_both(source)(subject=["01", "03"])
    for subject in ("01", "03"):
        rows, columns = both.subject == subject, both.voxel_subject == subject
        np.testing.assert_array_equal(both[rows, columns], source.read(subject=subject))
        assert np.isnan(both[rows, ~columns]).all()
    assert nan == "keep" or not np.isnan(both[(both.subject == "03"), (both.voxel_subject == "03")]).any()


def averaged(data, labels):
    """Return labels in the order of first appearance, their counts and their means."""
    names = list(dict.fromkeys(labels))
    rows = [np.flatnonzero(np.array(labels) == name) for name in names]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        means = np.stack([np.nanmean(data[row].astype(np.float64), axis=0) for row in rows])
    return names, [len(row) for row in rows], means


@pytest.mark.parametrize("zscore", [None, "session"])
@pytest.mark.parametrize("stimuli", [None, "shared"])
def test_repetitions_are_averaged_after_zscoring_and_counted(betas, with_gaps, zscore, stimuli):
    given = {"roi": "V4", "zscore": zscore, "stimuli": stimuli}
    single = betas(**TWO, **given)
    names, counts, means = averaged(single.values, single.label.values.tolist())
    read = betas(**TWO, **given, average="image")
    assert read.dims == ("image", "voxel")
    assert read.image.values.tolist() == names
    assert read.n_repetitions.values.tolist() == counts
    assert max(counts) > 2
    np.testing.assert_allclose(read, means, rtol=1e-5, atol=1e-6)
    assert np.isnan(read[:, 1]).all()
    assert set(read.image.coords) == {"image", "n_repetitions", "subject"}
    np.testing.assert_array_equal(read.sel(image=names[3]), read[3])


def test_means_have_the_noise_ceilings_of_the_subject_only(betas):
    read = betas(**TWO, roi="V4", average="image", noise_ceilings=True)
    assert {name for name in read.coords if "ceiling" in name} == set(VARIANTS)


def test_means_of_several_subjects_have_rows_of_their_own(here_all):
    source = laion_fmri.open_catalog().betas(ses=["01", "02"], roi="V4", average="image")
    both = read_both(source)(subject=["03", "01"], nan="zero")
    assert source.to_dask(subject=["03", "01"]).data.npartitions == 4
    for subject in ("01", "03"):
        rows, columns = both.subject == subject, both.voxel_subject == subject
        alone = source.read(subject=subject, nan="zero")
        np.testing.assert_array_equal(both[rows, columns], alone)
        assert both.image[rows].values.tolist() == alone.image.values.tolist()
        assert np.isnan(both[rows, ~columns]).all()


@pytest.mark.parametrize("name", ["betas", "hrf_index"])
def test_coordinates_belong_to_who_reads_them(here, name):
    source = laion_fmri.open_catalog()[name](**TWO, roi="V1v")
    first = source.read()
    kept = first.copy(deep=True)
    for coord in first.coords.values():
        if coord.dims and coord.name not in coord.dims:  # an index is fixed by pandas
            coord.values[:] = coord.values[0]
    xr.testing.assert_identical(source.read(), kept)


# --- everything together


def test_the_commonest_script_is_one_call_and_saves_as_it_is(here, tmp_path):
    source = laion_fmri.open_catalog().betas(**TWO)
    query = {"V1": "V1", "high": "highventral"}
    calls = [{}, {"average": "image", "nan": "drop"}]
    for number, more in enumerate(calls):
        read = source.read(roi=query, zscore="session", noise_ceilings=True, **more)
        path = tmp_path / f"{number}.nc"
        read.to_netcdf(path, engine="h5netcdf")
        with xr.open_dataarray(path, engine="h5netcdf") as again:
            xr.testing.assert_identical(again.load(), read)
    assert read.attrs["noise_ceilings"] == "True"
    read = source.read(roi=query, zscore="session", noise_ceilings=True)
    on = {dim: {name for name, coord in read.coords.items() if coord.dims == (dim,)} for dim in read.dims}
    assert on["trial"] == {"label", "session", "run", "beta_index", "repetition", "trial_key", "subject"}
    assert on["voxel"] > {*"ijkxyz", "region", "voxel_subject", *VARIANTS}


def test_a_mask_keeps_the_voxels_where_it_is_true_and_goes_together_with_rois(betas, here):
    inside = brain(here)
    mask = np.arange(inside.sum()) % 3 == 0
    data = betas(**ONE, mask=mask)
    np.testing.assert_array_equal(data.values, responses(here)[:, mask])
    both = betas(**ONE, mask=mask, roi="V1v")
    np.testing.assert_array_equal(both.values, responses(here)[:, mask & roi(here, "V1v")[inside]])
    assert "mask" not in data.attrs


def test_a_map_takes_the_same_mask(here):
    mask = np.arange(brain(here).sum()) < 7
    cat = laion_fmri.open_catalog()
    np.testing.assert_array_equal(cat.r2(subject="03").read(mask=mask).i, cat.betas(**ONE).read(mask=mask).i)


def test_a_mask_that_is_none_is_refused_and_shows_briefly_when_it_is_one(here):
    betas = laion_fmri.open_catalog().betas
    with pytest.raises(SelectionError, match=r"mask has type int64 and shape \(3,\); expected bool"):
        betas(mask=np.arange(3))
    with pytest.raises(SelectionError, match=r"mask has shape \(5,\); expected bool of shape \(\d+,\)"):
        betas(**ONE).read(mask=np.ones(5, bool))
    assert "option, 4 of 9:" in repr(betas(mask=np.arange(9) < 4))
