"""The catalog through intake, as somebody uses it who never imports this package."""

import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import intake
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.catalog import catalog_path
from laion_fmri.errors import CatalogError, DataDirNotSetError, DataNotDownloadedError, SelectionError

SESSION = {"subject": "03", "ses": "01"}


@pytest.fixture
def cat():
    return intake.open_catalog(str(catalog_path()))


def run_python(code, **kwargs):
    command = [sys.executable, "-c", textwrap.dedent(code), str(catalog_path())]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **kwargs)


def test_plain_intake_opens_lists_and_browses_without_importing_the_package_or_numpy():
    done = run_python(
        """
        import sys, intake
        before = set(sys.modules)
        cat = intake.open_catalog(sys.argv[1])
        names = list(cat)
        assert "betas" in cat and "rois" in names, names
        source = cat["betas"]
        assert source.describe()["name"] == "betas"
        assert "Single-trial" in repr(source) and "<table>" in source._repr_html_()
        assert "betas" in dir(cat)
        heavy = {"numpy", "nibabel", "pandas", "xarray", "boto3", "rich"} & (set(sys.modules) - before)
        assert not heavy, heavy
        """
    )
    assert done.returncode == 0, done.stderr


def test_sources_that_several_threads_make_at_once_in_a_new_process_are_whole(tmp_path, cat):
    kept = tmp_path / "betas.pickle"
    kept.write_bytes(pickle.dumps(cat.betas(subject="03")))
    done = run_python(
        f"""
        import pickle
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path
        from threading import Barrier
        whole, together = Path({str(kept)!r}).read_bytes(), Barrier(8)

        def make(_):
            together.wait()
            return pickle.loads(whole).describe()

        with ThreadPoolExecutor(8) as pool:
            first, *others = pool.map(make, range(8))
        assert first["selection"] == {{"subject": ["03"]}}, first
        assert others == [first] * 7
        """
    )
    assert done.returncode == 0, done.stderr


def test_reading_in_a_process_that_never_imports_the_package(here):
    done = run_python(
        """
        import sys, intake
        betas = intake.open_catalog(sys.argv[1]).betas(subject="03", ses="01").read()
        print(type(betas).__name__, *betas.dims, betas.dtype, *betas.shape)
        """
    )
    assert done.returncode == 0, done.stderr
    kind, *dims, dtype, trials, voxels = done.stdout.split()
    assert (kind, dims, dtype) == ("DataArray", ["trial", "voxel"], "float32")
    assert int(trials) > 10
    assert int(voxels) > 100


def test_betas_carry_labels_units_release_and_licence(cat, here):
    betas = cat.betas(**SESSION).read()
    assert isinstance(betas, xr.DataArray)
    assert betas.name == "betas"
    assert betas.dims == ("trial", "voxel")
    assert {"label", "subject", "session", "run", "beta_index"} <= set(betas.trial.coords)
    assert {"i", "j", "k", "x", "y", "z"} <= set(betas.voxel.coords)
    assert betas.attrs["units"] == "percent signal change"
    assert betas.attrs["license"] == "CC0-1.0"
    assert {"affine", "release", "citation"} <= set(betas.attrs)


def test_options_narrow_voxels_and_trials(cat, here):
    session = cat.betas(**SESSION)
    whole, roi = session.read(), session.read(roi="V1v")
    assert 0 < roi.sizes["voxel"] < whole.sizes["voxel"]
    ceiling = cat.noise_ceiling(**SESSION).read()
    good = session.read(nc_threshold=20)
    np.testing.assert_array_equal(good, whole[:, np.flatnonzero(ceiling.values >= 20)])
    shared = session.read(stimuli="shared")
    assert 0 < shared.sizes["trial"] < whole.sizes["trial"]
    assert all(label.startswith("shared_") for label in shared.label.values)
    other_axis = session.read(mask_source="rsquare")
    assert other_axis.sizes["voxel"] == int((cat.r2(subject="03").read(mask_source="rsquare") != 0).sum())
    assert other_axis.sizes["voxel"] != whole.sizes["voxel"]


def test_options_may_be_chosen_at_the_call_or_at_read(cat, here):
    at_call = cat.betas(**SESSION, roi="V1v", stimuli="shared").read()
    xr.testing.assert_identical(at_call, cat.betas(**SESSION).read(roi="V1v", stimuli="shared"))


def test_maps_masks_and_tables(cat, here):
    voxels = cat.betas(**SESSION).read().sizes["voxel"]
    assert cat.r2(subject="03").read().shape == (voxels,)
    assert cat.noise_ceiling(subject="03", desc="Noiseceiling12rep").read().shape == (voxels,)
    mask = cat.brain_mask(subject="03").read()
    assert mask.dtype == bool
    assert int(mask.sum()) == voxels
    assert cat.brain_mask(subject="03", res=None).read().size > mask.size
    rois = cat.rois(subject="03").read()
    assert rois.dims == ("label", "voxel")
    assert rois.dtype == bool
    face = cat.rois(subject="03", category="face").read()
    assert set(face.label.values) == set(rois.label.values[rois.category.values == "face"])
    trials = cat.trials(**SESSION).read()
    assert isinstance(trials, pd.DataFrame)
    assert cat.participants().read()["participant_id"].str.startswith("sub-").all()


def test_a_hyphenated_label_of_the_bucket_is_read_under_its_local_name(cat, here):
    assert cat.rois(subject="03", label="FFA-1").read().label.values.tolist() == ["FFA1"]


def test_lists_of_sessions_and_subjects_keep_every_trials_origin(cat, here_all):
    many = cat.betas(subject=["03", "01"], ses=["01", "02"]).read(roi="V1v")
    origins = list(dict.fromkeys(zip(many.subject.values, many.session.values, strict=True)))
    assert origins == [("03", "ses-01"), ("03", "ses-02"), ("01", "ses-01"), ("01", "ses-02")]
    for subject, session in origins:
        one = cat.betas(subject=subject, ses=session).read(roi="V1v")
        rows = np.flatnonzero((many.subject == subject).values & (many.session == session).values)
        columns = np.flatnonzero((many.voxel_subject == subject).values)
        np.testing.assert_array_equal(many[rows, columns], one)
        assert many.label.values[rows].tolist() == one.label.values.tolist()
        assert np.isnan(np.delete(many.values[rows], columns, axis=1)).all()


def test_dask_gives_what_read_gives(cat, here_all):
    source = cat.betas(subject="03", ses=["01", "02"], roi="V1v")
    lazy = source.to_dask()
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), source.read())
    xr.testing.assert_identical(source.read_chunked().compute(), source.read())


@pytest.mark.parametrize("form", [3, "3", "03", "sub-03", ["sub-03"]])
def test_every_way_to_write_a_subject_means_that_subject(cat, form):
    assert cat.betas(subject=form).describe()["selection"] == {"subject": ["03"]}


def test_chained_calls_add_up_and_never_return_another_subject(cat, here_all):
    chained = cat.betas(subject="03")(ses="02")(roi="V1v")
    assert chained.describe()["selection"] == {"subject": ["03"], "ses": ["02"]}
    read = chained.read()
    assert set(read.subject.values) == {"03"}
    assert set(read.session.values) == {"ses-02"}
    later = pickle.loads(pickle.dumps(cat.betas(subject="03")))(ses="02")
    assert later.describe()["selection"] == {"subject": ["03"], "ses": ["02"]}
    assert cat.betas.describe()["selection"] == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"subjct": "03"}, "did you mean `subject`"),
        ({"subject": "3x"}, "not one of 01, 03"),
        ({"subject": "04"}, "not one of 01, 03, 05, 06, 07"),
        ({"subject": ""}, "not one of"),
        ({"subject": 3.0}, "float"),
        ({"subject": True}, "bool"),
        ({"subject": []}, "selects nothing"),
        ({"subject": "../01"}, "not one of"),
        ({"ses": "31"}, "held out"),
        ({"ses": "99"}, "not one of"),
        ({"mask_source": "anatomcal"}, "did you mean 'anatomical'"),
        ({"nc_threshold": 200}, "0 to 100"),
        ({"nc_threshold": "20"}, "0 to 100"),
        ({"stimuli": "share"}, "did you mean 'shared'"),
        ({"roi": 7}, "roi=7"),
    ],
)
def test_what_the_catalog_does_not_know_is_refused_at_the_call(cat, given, told):
    with pytest.raises(SelectionError, match=told):
        cat.betas(**given)


def test_read_refuses_unknown_options_and_unknown_regions(cat, here):
    with pytest.raises(SelectionError, match="did you mean `roi`"):
        cat.betas(**SESSION).read(rois="V1v")
    with pytest.raises(SelectionError, match="V1v"):
        cat.betas(**SESSION).read(roi="V1w")


def test_a_missing_entity_is_refused_when_it_is_needed(cat, data_dir):
    with pytest.raises(SelectionError, match=r"betas: give ses="):
        cat.betas(subject="03").read()
    with pytest.raises(SelectionError, match=r"give ses= or desc="):
        cat.noise_ceiling(subject="03").read()
    with pytest.raises(SelectionError, match="together"):
        cat.noise_ceiling(subject="03", ses="01", desc="Noiseceiling4rep").read()


def test_reading_without_a_data_directory_or_without_the_file_says_what_to_run(cat, no_config):
    with pytest.raises(DataDirNotSetError, match="laion-fmri config --data-dir"):
        cat.betas(**SESSION).read()


def test_a_file_that_is_not_here_is_named_with_the_command_that_fetches_it(cat, data_dir):
    with pytest.raises(DataNotDownloadedError) as caught:
        cat.betas(**SESSION).read()
    assert "laion-fmri download --subject 03 --ses 01" in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(
        DataNotDownloadedError, match=r"and 3 more\); run: laion-fmri download --subject 03 --ses 01 02"
    ):
        cat.betas(subject=["03", "01"], ses=["01", "02"]).read()


def test_a_missing_brain_mask_names_its_flag(cat, here):
    mask = next(Path(here).rglob("sub-03_*_res-1pt8_desc-brain_mask.nii.gz"))
    mask.unlink()
    with pytest.raises(DataNotDownloadedError, match=r"--subject 03 --include-anatomical"):
        cat.betas(**SESSION).read()
    assert cat.betas(**SESSION).read(mask_source="rsquare").size


def test_sources_pickle_whole(cat, here):
    source = cat.betas(**SESSION, roi="V1v")
    copy = pickle.loads(pickle.dumps(source))
    assert copy == source
    assert hash(copy) == hash(source)
    assert (copy.name, copy.description) == (source.name, source.description)
    assert copy.describe()["release"] == source.describe()["release"]
    xr.testing.assert_identical(copy.read(), source.read())


def test_describe_says_entities_values_access_size_and_layout(cat):
    told = cat.betas.describe()
    entities = {parameter["name"]: parameter["allowed"] for parameter in told["user_parameters"]}
    assert entities["subject"] == ["01", "03", "05", "06", "07"]
    assert entities["ses"][0] == "01"
    assert len(entities["ses"]) == 30
    assert told["access"]["license"] == "CC0-1.0"
    assert told["layout"]["dims"] == ("trial", "voxel")
    assert told["size"]["bytes"] > 1e8
    assert told["metadata"]["example"] == SESSION
    assert cat.betas.discover()["dtype"] == "float32"


def test_entities_and_options_complete_after_the_bracket(cat):
    import inspect

    told = cat.betas.describe()
    names = [*(entity["name"] for entity in told["user_parameters"]), *told["options"]]
    assert list(inspect.signature(cat.betas).parameters) == names
    assert names[:3] == ["subject", "ses", "roi"]


def test_files_and_plan_agree_with_the_disk(cat, data_dir, server):
    source = cat.betas(**SESSION)
    (expected,) = source.files()
    assert expected.size is None
    plan = source.plan()
    assert Path(data_dir, plan.files[0].path) == expected.path
    assert not any(Path(data_dir).rglob("*.nii.gz"))


def test_download_fetches_what_read_needs_and_returns_the_source(cat, data_dir, server):
    source = cat.betas(**SESSION, roi="V1v", nc_threshold=5)
    assert source.download() is source
    assert source.read().sizes["trial"] > 0
    assert source.files()[0].size == source.plan().files[0].size
    assert not source.plan().bytes_to_download


def test_our_catalog_class_shows_itself_and_checks_the_file(tmp_path):
    cat = intake.open_laion_fmri_cat(str(catalog_path()))
    assert "betas" in repr(cat)
    assert "<table>" in cat._repr_html_()
    assert list(cat) == list(laion_fmri.open_catalog())
    broken = tmp_path / "broken.yaml"
    broken.write_text(catalog_path().read_text().replace("loader: table", "lodaer: table"))
    with pytest.raises(CatalogError, match=r"broken\.yaml:\d+: .*did you mean `loader`"):
        laion_fmri.open_catalog(broken)


def test_another_labs_bucket_is_an_edit_of_yaml(tmp_path, data_dir, server, other_bucket):
    cat = intake.open_catalog(str(other_bucket))
    assert list(cat) == ["recordings"]
    recordings = cat.recordings(animal="rex", day=2)
    frame = recordings.download().read()
    assert frame["spikes"].tolist() == [4, 5, 6]
    with pytest.raises(SelectionError, match="did you mean `animal`"):
        cat.recordings(aminal="rex")
