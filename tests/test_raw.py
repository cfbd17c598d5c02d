"""Raw data on the miniature: series, references, fieldmaps and events; from the catalog and from a subject."""

import ast
import tracemalloc

import nibabel
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, SelectionError

RUN = "sub-03/ses-01/func/sub-03_ses-01_task-images_run-"


@pytest.fixture
def catalog(here):
    return laion_fmri.open_catalog()


@pytest.fixture
def subject(here):
    return laion_fmri.load_subject("03")


def values(path):
    return np.asarray(nibabel.load(path).dataobj)


def both(source):
    """Read at once and lazily; they must agree."""
    eager = source.read()
    lazy = source.to_dask()
    xr.testing.assert_identical(eager, lazy.compute(scheduler="synchronous"))
    return eager


# --- series


def test_a_series_comes_volume_by_volume_with_its_time_in_seconds(catalog, here):
    series = both(catalog.raw_bold(subject="03", ses="01", run="01", echo="2"))
    path = here / f"{RUN}01_echo-2_part-mag_bold.nii.gz"
    assert series.dims == ("time", "i", "j", "k")
    assert series.dtype == np.float32
    np.testing.assert_array_equal(series, np.moveaxis(values(path), -1, 0))
    assert series["time"].values.tolist() == [0, 1.9, 3.8, pytest.approx(5.7)]
    assert set(series["echo"].values) == {"2"}
    np.testing.assert_allclose(np.reshape(series.attrs["affine"], (4, 4)), nibabel.load(path).affine, atol=1e-5)


def test_numbers_are_runs_and_echoes_too(catalog):
    named = catalog.raw_bold(subject=3, ses=1, run=1, echo=3, part="phase").read()
    xr.testing.assert_identical(
        named, catalog.raw_bold(subject="03", ses="01", run="run-01", echo="3", part="phase").read()
    )
    with pytest.raises(SelectionError, match="run='100' is not a possible value"):
        catalog.raw_bold(run=100)


def test_several_files_come_one_after_the_other_and_are_told_apart(catalog):
    echoes = both(catalog.raw_bold(subject="03", ses="01", run="01", echo="all"))
    assert echoes["echo"].values.tolist() == ["1"] * 4 + ["2"] * 4 + ["3"] * 4
    assert echoes["time"].values[:4].tolist() == echoes["time"].values[8:].tolist()
    third = catalog.raw_bold(subject="03", ses="01", run="01", echo="3").read()
    xr.testing.assert_identical(echoes[echoes["echo"] == "3"], third)
    means = echoes.groupby("echo").mean().mean(("i", "j", "k"))
    assert means[0] > means[1] > means[2]
    runs = both(catalog.raw_bold(subject="03", ses="01", echo="1"))
    assert runs["run"].values.tolist() == ["01"] * 4 + ["02"] * 4


def rewritten(path, data=None, shift=0, unit="sec", step=1.9):
    """Write a series anew, with other data or another header."""
    image = nibabel.load(path)
    new = nibabel.Nifti1Image(np.asarray(image.dataobj) if data is None else data, image.affine + shift)
    new.header.set_xyzt_units("mm", unit)
    new.header["pixdim"][4] = step
    new.set_data_dtype(np.int16)
    nibabel.save(new, path)


@pytest.mark.parametrize(
    ("unit", "step", "seconds"),
    [
        ("sec", 1.9, 1.9),
        ("msec", 1900, 1.9),
        ("usec", 1.9e6, 1.9),
        ("unknown", 2, 2),
        ("hz", 2, np.nan),
        ("sec", 0, np.nan),
    ],
)
def test_the_units_of_the_header_are_honoured(catalog, here, unit, step, seconds):
    rewritten(here / f"{RUN}02_echo-1_part-mag_bold.nii.gz", unit=unit, step=step)
    time = catalog.raw_bold(subject="03", ses="01", run="02", echo="1").read()["time"]
    np.testing.assert_allclose(time, np.arange(4) * seconds)


def test_the_scaling_of_the_header_is_honoured(catalog, here):
    path = here / f"{RUN}02_echo-1_part-mag_bold.nii.gz"
    rewritten(path, data=values(path) / 7)
    assert nibabel.load(path).dataobj.slope != 1
    series = catalog.raw_bold(subject="03", ses="01", run="02", echo="1").read()
    np.testing.assert_allclose(series, np.moveaxis(nibabel.load(path).get_fdata(), -1, 0), rtol=1e-6)


def test_runs_of_different_grids_are_refused_and_read_one_at_a_time(catalog, here):
    path = here / f"{RUN}02_echo-1_part-mag_bold.nii.gz"
    rewritten(path, shift=1)
    source = catalog.raw_bold(subject="03", ses="01", echo="1")
    with pytest.raises(DataFormatError, match=r"run-02.*read them one at a time"):
        source.read()
    assert source.read(run="02").sizes["time"] == 4


def test_a_damaged_series_is_named_with_its_volume(catalog, here):
    path = here / f"{RUN}02_echo-1_part-mag_bold.nii.gz"
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataFormatError, match=rf"{path.name} is damaged in volume"):
        catalog.raw_bold(subject="03", ses="01", run="02", echo="1").read()


def test_a_series_is_streamed_and_opened_lazily_without_its_values(catalog, here):
    path = here / f"{RUN}02_echo-1_part-mag_bold.nii.gz"
    shape = (40, 40, 30, 20)
    rewritten(path, data=np.random.default_rng(0).integers(0, 2000, shape, dtype=np.int16))
    source = catalog.raw_bold(subject="03", ses="01", run="02", echo="1")
    source.read()
    tracemalloc.start()
    try:
        answer = source.read().nbytes
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        lazy = source.to_dask()
        _, opened = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer == np.prod(shape) * 4
    assert most < 2 * answer
    assert opened < answer
    assert lazy.shape == (20, 40, 40, 30)


# --- references and fieldmaps


def test_a_reference_is_named_with_a_part_or_without(catalog, here):
    without = catalog.raw_sbref(subject="03", ses="01", run="01", echo="1").read()
    np.testing.assert_array_equal(without, values(here / f"{RUN}01_echo-1_sbref.nii.gz"))
    with_part = catalog.raw_sbref(subject="03", ses="01", run="02", echo="1", part="mag").read()
    np.testing.assert_array_equal(with_part, values(here / f"{RUN}02_echo-1_part-mag_sbref.nii.gz"))
    with pytest.raises(DataNotDownloadedError, match=r"download-raw .*--run 02 --echo 1 --suffix sbref$"):
        catalog.raw_sbref(subject="03", ses="01", run="02", echo="1").read()


def test_the_images_of_a_fieldmap_are_named_by_their_suffix(catalog, here):
    for suffix in ("magnitude1", "magnitude2", "phasediff"):
        image = both(catalog.raw_fieldmap(subject="03", ses="01", run="01", suffix=suffix))
        path = here / f"sub-03/ses-01/fmap/sub-03_ses-01_run-01_{suffix}.nii.gz"
        np.testing.assert_array_equal(image, values(path))
    with pytest.raises(SelectionError, match="did you mean 'phasediff'"):
        catalog.raw_fieldmap(suffix="phase")


# --- events


def plain_events(here, run):
    return pd.read_csv(here / f"{RUN}{run}_events.tsv", sep="\t")


def test_events_have_the_columns_of_the_release_and_one_row_per_trial(catalog, here):
    events = catalog.raw_events(subject="03", ses="01", run="01").read()
    plain = plain_events(here, "01")
    assert list(plain.columns) == list(catalog.raw_events.describe()["layout"]["columns"])
    shown = plain[plain["trial_type"] == "image"]
    trials = catalog.trials(subject="03", ses="01").read()
    assert shown["stim_name"].tolist() == trials.loc[trials["run"] == 1, "label"].tolist()
    np.testing.assert_allclose(events["onset"], plain["onset"])
    assert np.isnan(events["stim_number"].iloc[-1])
    assert events["stim_name"].iloc[-1] == "n/a"
    pulses = ast.literal_eval(events["pulse_onset"][0])
    assert pulses == [0.0, 1.9, 3.8]


def test_several_runs_are_told_apart_by_a_column(catalog, here):
    events = catalog.raw_events(subject="03", ses="01").read()
    assert list(events.columns[:4]) == ["subject", "ses", "task", "run"]
    assert events["run"].tolist() == ["01"] * len(plain_events(here, "01")) + ["02"] * len(plain_events(here, "02"))


# --- a subject


def test_a_subject_gives_the_events_of_all_runs_or_of_one(subject, here):
    events = subject.get_events("ses-01")
    plain = pd.concat([plain_events(here, run).assign(run=f"run-{run}") for run in ("01", "02")], ignore_index=True)
    assert list(events.columns) == ["run", *plain.columns[:-1]]
    assert events["run"].tolist() == plain["run"].tolist()
    assert events["stim_name"].tolist() == plain["stim_name"].fillna("n/a").tolist()
    np.testing.assert_allclose(events["onset"], plain["onset"])
    for run in ("run-02", "02", 2):
        pd.testing.assert_frame_equal(
            subject.get_events("01", run), events[events["run"] == "run-02"].reset_index(drop=True)
        )
    assert set(subject.get_events(["01"])) == {"ses-01"}


def test_a_subject_gives_series_and_references_as_float32(subject, here):
    bold = subject.get_raw_bold("ses-01", "run-01", 2)
    assert bold.dtype == np.float32
    assert bold.flags.c_contiguous
    np.testing.assert_array_equal(bold, np.moveaxis(values(here / f"{RUN}01_echo-2_part-mag_bold.nii.gz"), -1, 0))
    first, second = (subject.get_sbref("ses-01", run, 1) for run in (1, 2))
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, values(here / f"{RUN}01_echo-1_sbref.nii.gz"))
    np.testing.assert_array_equal(second, values(here / f"{RUN}02_echo-1_part-mag_sbref.nii.gz"))


def test_a_subject_tells_whether_raw_data_is_here(subject, here):
    assert subject.has_raw()
    assert subject.has_raw("ses-01")
    assert not subject.has_raw("02")
    assert subject.has_raw(["01", "02"])
    for path in (here / "sub-03").rglob("*.*"):
        path.unlink()
    assert not subject.has_raw()
    assert not subject.has_raw("01")


def test_what_is_not_here_is_named_with_the_narrowest_command(subject):
    with pytest.raises(DataNotDownloadedError, match=r"--subject 03 --ses 02 --task images --suffix events$"):
        subject.get_events("02")
    with pytest.raises(DataNotDownloadedError, match=r"--run 02 --echo 3 --part mag --suffix bold$"):
        subject.get_raw_bold("01", "02", 3)
    with pytest.raises(DataNotDownloadedError, match=r"download-raw .*--run 01 --echo 2 --suffix sbref$"):
        subject.get_sbref("01", 1, 2)
    with pytest.raises(SelectionError, match="held out"):
        subject.has_raw("31")
