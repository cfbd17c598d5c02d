"""Downloading trees that have filters of their own, by flag and by command."""

import inspect
import io
import json

import pytest

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.filters import held_out_test
from laion_fmri.cli import main
from laion_fmri.download import download, download_raw, download_tree
from laion_fmri.errors import DataDirNotSetError, LicenseNotAcceptedError, NoMatchingDataError, SelectionError

RUN = "sub-03/ses-01/func/sub-03_ses-01_task-images_run-"
ROOT = {"dataset_description.json", "participants.tsv", "participants.json", "README"}


@pytest.fixture(autouse=True)
def first_call_of_a_process(monkeypatch):
    monkeypatch.setattr("laion_fmri.download._last_data_dir", [])


@pytest.fixture
def raw(miniature):
    """The keys of all public raw files of sub-03."""
    catalog = load_catalog()
    held_out = held_out_test(catalog.remote.held_out, catalog.entities)
    keys = {path.relative_to(miniature).as_posix() for path in (miniature / "sub-03").rglob("*.*")}
    return {key for key in keys if not held_out(key)}


def below(keys, prefix):
    return {key for key in keys if key.startswith(prefix)}


# --- the arguments


def test_the_arguments_of_a_download_are_in_the_order_of_the_release():
    names = list(inspect.signature(download).parameters)
    flags = [name for name in names if name.startswith("include_")]
    assert names == ["subject", "ses", "task", "space", "desc", "stat", "suffix", "extension", *flags, "n_jobs"]
    order = ["include_anatomical", "include_raw", "include_localizers", "include_preprocessed"]
    assert [name for name in flags if name in order] == order
    raw = ["subject", "ses", "task", "run", "echo", "part", "suffix", "extension", "n_jobs"]
    assert list(inspect.signature(download_raw).parameters) == raw


@pytest.mark.parametrize(("name", "trees"), [("run", ["raw", "preprocessed"]), ("echo", ["raw"]), ("part", ["raw"])])
def test_a_filter_of_single_trees_is_no_filter_of_a_subjects_download_which_says_whose_it_is(
    data_dir, capsys, name, trees
):
    ways = " or ".join(rf'download_tree\("{tree}", \.\.\.\)' for tree in trees)
    with pytest.raises(TypeError, match=f"{name} is no filter here, only of single trees: use {ways}$"):
        download("sub-03", include_raw=True, **{name: "01"})
    assert main(["download", "--subject", "03", "--include-raw", f"--{name}", "01"]) == 2
    assert " and ".join(f"laion-fmri download-{tree}" for tree in trees) in capsys.readouterr().err


# --- raw data


def test_raw_data_come_with_the_files_of_the_dataset_and_with_nothing_else(server, data_dir, raw):
    report = download_raw("sub-03")
    assert set(report.downloaded) == raw | ROOT
    assert not report.denied
    again = download_raw("03")
    assert not again.downloaded
    assert set(again.skipped) == raw | ROOT


def test_held_out_raw_data_is_never_asked_for(server, data_dir, miniature):
    assert list((miniature / "sub-03" / "ses-31").rglob("*_task-oloc_*_bold.nii.gz"))
    with pytest.raises(NoMatchingDataError, match=r"sub-03 with ses=\['31'\] below s3://laion-fmri/sub-03/;"):
        download_raw("03", ses="31")


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (
            {"run": "run-02", "echo": "1", "suffix": "bold"},
            {"02_echo-1_part-mag_bold.nii.gz", "02_echo-1_part-mag_bold.json"},
        ),
        (
            {"echo": "2", "part": "phase", "extension": "nii.gz", "run": "01", "suffix": "bold"},
            {"01_echo-2_part-phase_bold.nii.gz", "01_echo-2_part-phase_bold.json"},
        ),
        ({"suffix": "events"}, {"01_events.tsv", "02_events.tsv"}),
        ({"suffix": "sbref", "part": "mag"}, {"01_echo-1_sbref.nii.gz", "02_echo-1_part-mag_sbref.nii.gz"}),
        ({"suffix": ["events", "sbref"], "run": ["01"]}, {"01_events.tsv", "01_echo-1_sbref.nii.gz"}),
    ],
)
def test_filters_of_raw_data_keep_what_has_or_lacks_the_entity(server, data_dir, wanted, names):
    report = download_raw("03", ses="01", task="images", **wanted)
    assert below(report.downloaded, "sub-03/") == {f"{RUN}{name}" for name in names}


def test_fieldmaps_pass_the_filters_that_they_lack(server, data_dir):
    report = download_raw("03", echo="1", task="images", suffix="phasediff")
    start = "sub-03/ses-01/fmap/sub-03_ses-01_run-01_phasediff"
    assert below(report.downloaded, "sub-03/") == {f"{start}.nii.gz", f"{start}.json"}


def test_the_flag_applies_those_filters_of_the_download_that_raw_data_have(server, data_dir, raw):
    report = download("03", ses="01", suffix=["trials", "events"], space="T1w", desc="GLMsingle", include_raw=True)
    assert below(report.downloaded, "sub-03/") == {key for key in raw if key.endswith("_events.tsv")}
    averages = download("03", ses="averages", include_raw=True)
    assert not below(averages.downloaded, "sub-03/")
    everything = download("03", ses="01", include_raw=True)
    assert below((*everything.downloaded, *everything.skipped), "sub-03/") == raw


def test_with_the_flag_an_empty_result_is_no_error(server, data_dir):
    assert download("03", ses="averages", suffix="trials", include_raw=True)


def test_all_subjects(server, data_dir):
    report = download_raw("all", suffix="events")
    assert {key.partition("/")[0] for key in report.downloaded if "/" in key} == {"sub-01", "sub-03"}
    assert below(report.downloaded, "participants") == {"participants.tsv", "participants.json"}


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"run": "1"}, SelectionError, "run='1' is not a possible value"),
        ({"echo": "4"}, SelectionError, "echo='4' is not one of 1, 2, 3"),
        ({"part": "Mag"}, SelectionError, "did you mean 'mag'"),
        ({"suffix": "BOLD"}, SelectionError, "did you mean 'bold'"),
        ({"run": 1}, TypeError, "give text"),
        ({"space": "T1w"}, TypeError, "space"),
    ],
)
def test_wrong_values_are_refused_before_anything_is_asked(arguments, error, told, data_dir, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    with pytest.raises(error, match=told):
        download_raw("03", **arguments)


def test_the_licence_and_a_data_directory_are_asked_for(server, fresh_dir, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(LicenseNotAcceptedError):
        download_raw("03")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(fresh_dir / "nothing"))
    with pytest.raises(DataDirNotSetError):
        download_raw("03")


def test_another_data_directory_than_last_time_is_warned_of(server, here_all, tmp_path):
    from laion_fmri.config import dataset_initialize

    download_raw("03", suffix="events")
    other = tmp_path / "other"
    (other / ".laion_fmri").mkdir(parents=True)
    (other / ".laion_fmri" / "license_accepted").touch()
    dataset_initialize(str(other))
    with pytest.warns(UserWarning, match="data directory changed"):
        download_raw("03", suffix="events")


# --- preprocessed data


def test_preprocessed_runs_come_by_flag_or_on_their_own(server, data_dir):
    start = "derivatives/tedana/sub-03/"
    report = download("03", ses="02", suffix=["bold", "trials"], include_preprocessed=True)
    (second,) = below(report.downloaded, start)
    assert "_ses-02_" in second
    report = download_tree("preprocessed", "03", run="02")
    (other,) = below(report.downloaded, start)
    assert "_ses-01_task-images_run-02_" in other
    assert set(report.downloaded) | set(report.skipped) == ROOT | {other}


# --- commands


def planned(capsys, *words):
    capsys.readouterr()
    assert main([*words, "--dry-run", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_command_of_raw_data_takes_its_filters(server, data_dir, capsys):
    plan = planned(capsys, "download-raw", "--subject", "03", "--run", "01", "--echo", "1")
    wanted = {file["key"] for file in plan["files"] if file["action"] == "download"}
    assert below(wanted, "sub-03/ses-01/func/") == {
        f"{RUN}01_{name}"
        for name in (
            "echo-1_part-mag_bold.nii.gz",
            "echo-1_part-mag_bold.json",
            "echo-1_part-phase_bold.nii.gz",
            "echo-1_part-phase_bold.json",
            "echo-1_sbref.nii.gz",
            "events.tsv",
        )
    }
    assert plan["counts"]["held out"] == 2
    assert wanted >= ROOT
    assert not below(wanted, "derivatives/")
    assert main(["download-raw", "--subject", "03", "--run", "01", "--echo", "1"]) == 0
    here = {path.relative_to(data_dir).as_posix() for path in data_dir.rglob("*") if path.is_file()}
    assert wanted == {key for key in here if not key.startswith(".")}


def test_a_command_that_matches_nothing_or_is_wrong_says_so(server, data_dir, capsys):
    assert main(["download-raw", "--subject", "03", "--ses", "30"]) == 1
    assert "No LAION-fMRI files matched for sub-03 with ses=['30']" in capsys.readouterr().err
    assert main(["download-raw", "--subject", "03", "--echo", "5"]) == 2
    assert main(["download-raw"]) == 2
    assert "--subject" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "prefix"),
    [
        ("--include-raw", "sub-03/"),
        ("--include-localizers", "derivatives/localizers/sub-03/"),
        ("--include-preprocessed", "derivatives/tedana/sub-03/"),
    ],
)
def test_a_flag_of_the_command_adds_its_tree(server, data_dir, capsys, flag, prefix):
    without = planned(capsys, "download", "--subject", "03")
    plan = planned(capsys, "download", "--subject", "03", flag)
    more = {file["key"] for file in plan["files"]} - {file["key"] for file in without["files"]}
    assert more
    assert all(key.startswith(prefix) for key in more)


def test_trees_without_filters_have_no_command_of_their_own(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "download-raw" in shown
    assert "download-preprocessed" in shown
    assert "download-localizers" not in shown
    assert "download-anatomical" not in shown


def test_the_help_of_the_command_has_every_value_of_its_filters(capsys):
    assert main(["download-raw", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    catalog = load_catalog()
    tree = catalog.definitions.trees["raw"]
    assert tree.description in shown
    for name, entity in catalog.filters_of(tree).items():
        assert f"--{name} VALUE... {entity.description}" in shown
        assert all(value in shown for value in entity.values)
    assert "--space" not in shown


@pytest.mark.parametrize(
    ("name", "told"),
    [("rew", "did you mean `raw`"), ("anatomical", "there are raw, preprocessed"), ("root", "there are")],
)
def test_a_tree_without_filters_of_its_own_is_refused(data_dir, name, told):
    with pytest.raises(SelectionError, match=f"there is no tree {name} with filters of its own; {told}"):
        download_tree(name, "03")
