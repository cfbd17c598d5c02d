"""Functional localizers on the miniature: as voxels of the betas, as volumes, on the surface, and as paths."""

import itertools

import nibabel
import numpy as np
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.derivatives import (
    LOCALIZER_TASKS,
    VOLUME_RESOLUTIONS,
    localizer_effect_path,
    localizer_statmap_path,
)
from laion_fmri.download import download
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, SelectionError

FLOC = "derivatives/localizers/sub-03/ses-4BarScreenfLoc/func/sub-03_ses-4BarScreenfLoc_task-floc_"
CONTRASTS = ["faceVsOthers", "placeVsOthers"]


@pytest.fixture
def catalog(here):
    return laion_fmri.open_catalog()


def volume(path):
    return np.asarray(nibabel.load(path).dataobj)


def both(source, **options):
    """Read at once and lazily; they must agree."""
    eager = source.read(**options)
    xr.testing.assert_identical(eager, source.to_dask(**options).compute(scheduler="synchronous"))
    return eager


def test_contrasts_are_rows_on_the_voxels_of_the_betas_and_the_session_need_not_be_known(catalog, here):
    maps = both(catalog.localizers(subject="03", task="floc"))
    betas = catalog.betas(subject="03", ses="01").read()
    assert maps.dims == ("contrast", "voxel")
    assert maps["contrast"].values.tolist() == CONTRASTS
    assert maps["ses"].values.tolist() == ["4BarScreenfLoc"] * 2
    assert maps["task"].values.tolist() == ["floc"] * 2
    for name in ("i", "j", "k", "x", "y", "z"):
        xr.testing.assert_identical(maps[name].variable, betas[name].variable)
    brain = volume(*here.glob("derivatives/anatomical/sub-03/*/*/*_res-1pt8_desc-brain_mask.nii.gz")) != 0
    for contrast in CONTRASTS:
        expected = volume(here / f"{FLOC}space-T1w_res-1pt8_contrast-{contrast}_stat-z_statmap.nii.gz")[brain]
        np.testing.assert_array_equal(maps.sel(contrast=contrast), expected)
    assert maps.attrs["units"] == "z"
    assert np.isnan(maps).any()
    assert not np.isnan(maps).all()


def test_a_category_answers_in_its_own_regions(catalog):
    face = catalog.localizers(subject="03", task="floc", contrast="faceVsOthers")
    assert float(face.read(roi="face").mean()) > 3
    assert abs(float(face.read(roi="motion - face").mean())) < 1
    assert set(face.read(roi="face")["region"].values) <= {"FFA1", "FFA2", "OFA", "pSTSfaces"}


def test_a_mask_of_one_localizer_narrows_the_betas(catalog):
    z = catalog.localizers(subject="03", task="floc", contrast="faceVsOthers").read()[0]
    betas = catalog.betas(subject="03", ses="01").read(mask=(z > 3).values)
    assert betas.sizes["voxel"] == int((z > 3).sum()) > 0


def test_several_tasks_and_subjects_are_told_apart_by_coordinates(miniature, here_all):
    catalog = laion_fmri.open_catalog()
    maps = both(catalog.localizers(subject=["01", "03"], task=["MotionLeft", "MotionRight", "oloc"]))
    assert maps["task"].values.tolist() == ["oloc", "MotionLeft", "MotionRight"]
    assert maps["ses"].values.tolist() == ["31", "MotionLocBarsSML", "MotionLocBarsSML"]
    assert maps["contrast"].values.tolist() == ["objectVsScrambled", "movingVsStatic", "movingVsStatic"]
    assert set(maps["voxel_subject"].values) == {"01", "03"}


def test_effects_are_rows_with_run_and_condition(catalog, here):
    effects = both(catalog.localizer_effects(subject="03", task="floc"))
    assert effects.dims == ("effect", "voxel")
    rows = list(zip(effects["run"].values, effects["condition"].values, strict=True))
    assert sorted(rows) == [*itertools.product(["01", "02"], ["face", "place"])]
    assert effects.attrs["units"] == "percent signal change"
    second = both(catalog.localizer_effects(subject="03", task="floc", run=2, condition="place"))
    xr.testing.assert_equal(second.drop_vars("run"), effects[[rows.index(("02", "place"))]].drop_vars("run"))


def test_pooled_motion_has_no_effects(catalog):
    with pytest.raises(SelectionError, match=r"task='MotionLoc' is not one of .*did you mean 'MotionLeft'"):
        catalog.localizer_effects(subject="03", task="MotionLoc")


@pytest.mark.parametrize(
    ("name", "what"), [("localizers_volume", "contrast"), ("localizer_effects_volume", "condition")]
)
def test_volumes_lie_on_the_grid_of_the_localizer_runs(catalog, here, name, what):
    source = getattr(catalog, name)(subject="03", task="floc")
    volumes = both(source)
    paths = [file.path for file in source.files()]
    assert volumes.dims[1:] == ("i", "j", "k")
    assert volumes.sizes[volumes.dims[0]] == len(paths) > 1
    assert volumes.attrs["grid"] == [24, 28, 22]
    np.testing.assert_allclose(np.reshape(volumes.attrs["affine"], (4, 4)), nibabel.load(paths[0]).affine)
    for row, path in zip(volumes, paths, strict=True):
        assert f"_contrast-{row.coords[what].item()}_" in path.name
        np.testing.assert_array_equal(row, volume(path))


def test_one_volume_keeps_the_dimension_of_its_contrast(catalog):
    one = both(catalog.localizers_volume(subject="03", task="oloc"))
    assert one.dims == ("contrast", "i", "j", "k")
    assert one["contrast"].values.tolist() == ["objectVsScrambled"]


def test_volumes_of_brains_on_different_grids_are_refused(here_all):
    (path,) = here_all.glob("derivatives/localizers/sub-01/*/*/*_task-oloc_space-T1w_res-1pt5_*_stat-z_*")
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine + 1), path)
    with pytest.raises(DataFormatError, match="different grids cannot be stacked"):
        laion_fmri.open_catalog().localizers_volume(subject=["01", "03"], task="oloc").read()


def test_surfaces_have_both_hemispheres_unless_one_is_chosen(catalog, here):
    maps = both(catalog.localizers_surface(subject="03", task="floc"))
    assert maps.dims == ("contrast", "vertex")
    assert maps["contrast"].values.tolist() == CONTRASTS
    assert np.unique(maps["hemi"].values, return_counts=True)[1].tolist() == [162, 158]
    left = both(catalog.localizer_effects_surface(subject="03", task="floc", run="01", condition="face", hemi="L"))
    path = here / f"{FLOC}run-01_hemi-L_space-fsnative_contrast-face_stat-effect_statmap.func.gii"
    np.testing.assert_array_equal(left[0], nibabel.load(path).agg_data())


def test_the_coarse_map_is_the_fine_one_interpolated_and_nan_where_less_than_half_is_known(here):
    start = f"{FLOC}space-T1w_res-"
    fine = nibabel.load(here / f"{start}1pt5_contrast-faceVsOthers_stat-z_statmap.nii.gz")
    coarse = nibabel.load(here / f"{start}1pt8_contrast-faceVsOthers_stat-z_statmap.nii.gz")
    values, resampled = np.asarray(fine.dataobj), np.asarray(coarse.dataobj)
    shares = []
    for voxel in itertools.product(*(range(0, size, 2) for size in resampled.shape)):
        place = np.linalg.solve(fine.affine, coarse.affine @ [*voxel, 1])[:3]
        low = np.floor(place).astype(int)
        known = total = 0.0
        for step in itertools.product((0, 1), repeat=3):
            corner = low + step
            weight = np.prod(np.where(step, place - low, 1 - (place - low)))
            if (corner >= 0).all() and (corner < values.shape).all() and not np.isnan(values[tuple(corner)]):
                known, total = known + weight, total + weight * values[tuple(corner)]
        shares.append(known)
        np.testing.assert_allclose(resampled[voxel], total / known if known >= 0.5 else np.nan, rtol=1e-3, atol=1e-4)
    assert np.histogram(shares, [0, 1e-3, 0.5, 0.999, 2])[0].all()


# --- downloads


def test_the_flag_brings_all_localizers_and_of_a_held_out_session_the_public_ones(server, data_dir, miniature):
    report = download("sub-03", ses="01", suffix="trials", include_localizers=True)
    found = {key for key in report.downloaded if key.startswith("derivatives/localizers/")}
    assert found == {
        path.relative_to(miniature).as_posix() for path in miniature.glob("derivatives/localizers/sub-03/**/*.*")
    }
    assert any("/ses-31/" in key and "_task-oloc_" in key for key in found)
    assert not report.denied


def test_a_source_downloads_its_maps_and_what_reading_takes_beside_them(server, data_dir):
    source = laion_fmri.open_catalog().localizers(subject="03", task="oloc")
    with pytest.raises(DataNotDownloadedError, match=r"run: laion-fmri download --subject 03 --include-localizers$"):
        source.read()
    source.download()
    assert {path.name.rpartition("_")[2] for path in data_dir.rglob("*.nii.gz")} == {"statmap.nii.gz", "mask.nii.gz"}
    assert source.read().sizes["contrast"] == 1


# --- paths


def test_the_names_of_tasks_and_grids_are_those_of_the_catalog():
    assert LOCALIZER_TASKS == ("floc", "oloc", "MotionLeft", "MotionRight", "MotionLoc")
    assert VOLUME_RESOLUTIONS == ("1pt8", "1pt5")


def test_paths_of_maps_in_every_space(here):
    z = ("sub-03", "floc", "faceVsOthers", "4BarScreenfLoc")
    named = {
        localizer_statmap_path(*z, hemi="L"): "hemi-L_space-fsnative_contrast-faceVsOthers_stat-z_statmap.func.gii",
        localizer_statmap_path("03", *z[1:3], "ses-4BarScreenfLoc", "fsnative", "R"): (
            "hemi-R_space-fsnative_contrast-faceVsOthers_stat-z_statmap.func.gii"
        ),
        localizer_statmap_path(*z, space="T1w"): "space-T1w_res-1pt5_contrast-faceVsOthers_stat-z_statmap.nii.gz",
        localizer_statmap_path(*z, space="T1w", res="1pt8", data_dir=str(here)): (
            "space-T1w_res-1pt8_contrast-faceVsOthers_stat-z_statmap.nii.gz"
        ),
        localizer_effect_path("03", "floc", "face", "4BarScreenfLoc", "01", hemi="L"): (
            "run-01_hemi-L_space-fsnative_contrast-face_stat-effect_statmap.func.gii"
        ),
        localizer_effect_path("03", "floc", "face", "4BarScreenfLoc", "run-02", space="T1w"): (
            "run-02_space-T1w_res-1pt5_contrast-face_stat-effect_statmap.nii.gz"
        ),
    }
    assert {path: here / f"{FLOC}{name}" for path, name in named.items()} == {path: path for path in named}
    assert all(path.is_file() for path in named)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"task": "flock"}, "did you mean 'floc'"),
        ({"space": "T1"}, "space='T1' is not one of fsnative, T1w; did you mean `T1w`"),
        ({"hemi": None}, "hemi=None is not one of L, R; space='fsnative' needs it"),
        ({"hemi": "left"}, "hemi='left' is not one of L, R"),
        ({"space": "T1w"}, "volumes have no hemisphere"),
        ({"space": "T1w", "hemi": None, "res": "1pt7"}, "res='1pt7' is not one of 1pt8, 1pt5"),
        ({"contrast": "all"}, "2 files have these values"),
    ],
)
def test_wrong_values_of_a_path_are_value_errors(here, changed, told):
    right = {"task": "floc", "contrast": "faceVsOthers", "session": "4BarScreenfLoc", "hemi": "L"}
    with pytest.raises(ValueError, match=told):
        localizer_statmap_path("sub-03", **{**right, **changed})


def test_a_pooled_task_has_no_effect_and_a_missing_file_is_not_found(here):
    with pytest.raises(ValueError, match="MotionLoc"):
        localizer_effect_path("03", "MotionLoc", "moving", "MotionLocBarsSML", "01", hemi="L")
    with pytest.raises(FileNotFoundError, match="--include-localizers"):
        localizer_statmap_path("03", "floc", "bodyVsOthers", "4BarScreenfLoc", hemi="L")


# --- what is asked for and is not here


def test_a_contrast_that_is_not_here_is_named_beside_those_that_are(catalog):
    told = r"of contrast, faceVsOthers, placeVsOthers are here; did you mean `faceVsOthers`\? Otherwise run: laion-fmri"
    with pytest.raises(DataNotDownloadedError, match=told):
        catalog.localizers(subject="03", task="floc", contrast="faceVsOther").read()


def test_one_of_several_that_is_not_here_is_never_left_out_silently(catalog):
    with pytest.raises(DataNotDownloadedError, match="contrast bodyVsOthers"):
        catalog.localizers(subject="03", task="floc", contrast=["faceVsOthers", "bodyVsOthers"]).read()
    with pytest.raises(DataNotDownloadedError, match=r"subject 01.* is not downloaded"):
        catalog.localizers(subject=["01", "03"], task="oloc").read()
