"""Preprocessed BOLD on the miniature: series on the voxels of the betas."""

import nibabel
import numpy as np
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.errors import DataFormatError, DataNotDownloadedError

RUN = "derivatives/tedana/{0}/ses-{1}/func/{0}_ses-{1}_task-images_run-{2}_space-T1w_desc-optcom_bold.nii.gz"


@pytest.fixture
def catalog(here):
    return laion_fmri.open_catalog()


def values(path):
    return np.asarray(nibabel.load(path).dataobj)


def brain(folder, subject="sub-03"):
    (path,) = folder.glob(f"derivatives/anatomical/{subject}/*/*/*_res-1pt8_desc-brain_mask.nii.gz")
    return values(path) != 0


def both(source, **options):
    """Read at once and lazily; they must agree."""
    eager = source.read(**options)
    xr.testing.assert_identical(eager, source.to_dask(**options).compute(scheduler="synchronous"))
    return eager


def test_a_run_is_on_the_voxels_of_the_betas_with_its_time(catalog, here):
    series = both(catalog.preprocessed_bold(subject="03", ses="01", run="01"))
    assert series.dims == ("time", "voxel")
    assert series.dtype == np.float32
    np.testing.assert_array_equal(series, values(here / RUN.format("sub-03", "01", "01"))[brain(here)].T)
    assert series["time"].values.tolist() == [0, 1, 2, 3, 4]
    betas = catalog.betas(subject="03", ses="01").read()
    for name in ("i", "j", "k", "x", "y", "z", "voxel_subject"):
        xr.testing.assert_identical(series[name].variable, betas[name].variable)


def test_runs_and_sessions_are_stacked_along_time_and_told_apart(catalog, here):
    series = both(catalog.preprocessed_bold(subject="03", ses=["01", "02"]))
    runs = [("01", "01"), ("01", "02"), ("02", "01")]
    found = list(dict.fromkeys(zip(series["ses"].values, series["run"].values, strict=True)))
    assert found == runs
    assert series["time"].values.tolist() == [0, 1, 2, 3, 4] * 3
    for ses, run in runs:
        part = series[(series["ses"] == ses) & (series["run"] == run)]
        np.testing.assert_array_equal(part, values(here / RUN.format("sub-03", ses, run))[brain(here)].T)


def test_a_lazy_series_has_a_chunk_for_each_run(catalog):
    lazy = catalog.preprocessed_bold(subject="03", ses="01").to_dask()
    assert lazy.chunks[0] == (5, 5)
    assert len(lazy.chunks[1]) == 1


def test_regions_and_masks_choose_voxels(catalog, here):
    source = catalog.preprocessed_bold(subject="03", ses="01", run="02")
    whole = source.read()
    roi = both(source, roi="V1")
    betas = catalog.betas(subject="03", ses="01").read(roi="V1")
    np.testing.assert_array_equal(roi["x"], betas["x"])
    np.testing.assert_array_equal(roi["region"], betas["region"])
    wanted = np.zeros(whole.sizes["voxel"], bool)
    wanted[::7] = True
    xr.testing.assert_equal(both(source, mask=wanted), whole[:, wanted])
    narrow = both(source, mask_source="rsquare")
    assert narrow.sizes["voxel"] < whole.sizes["voxel"]


def test_series_of_two_subjects_are_nan_in_each_others_voxels(here_all):
    series = both(laion_fmri.open_catalog().preprocessed_bold(subject=["01", "03"], ses="01", run="01"))
    assert series["subject"].values.tolist() == ["01"] * 5 + ["03"] * 5
    for subject in ("01", "03"):
        own = series[series["subject"] == subject]
        mine = own["voxel_subject"].values == subject
        np.testing.assert_array_equal(
            own[:, mine],
            values(here_all / RUN.format(f"sub-{subject}", "01", "01"))[brain(here_all, f"sub-{subject}")].T,
        )
        assert np.isnan(own[:, ~mine]).all()


def test_a_series_on_another_grid_than_the_mask_is_refused(catalog, here):
    path = here / RUN.format("sub-03", "01", "01")
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), image.affine + 1), path)
    with pytest.raises(DataFormatError, match="different grids"):
        catalog.preprocessed_bold(subject="03", ses="01", run="01").read()


def test_what_is_not_here_is_named_with_its_command(catalog, here):
    with pytest.raises(
        DataNotDownloadedError,
        match=r"run: laion-fmri download-preprocessed --subject 03 --ses 01 --task images --run 07 --suffix bold$",
    ):
        catalog.preprocessed_bold(subject="03", ses="01", run=7).read()
