"""`download` over a real socket, against the miniature's bucket."""

import filecmp
import io
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

import laion_fmri
from fault_bucket import cut_small
from fault_kinds import Fault
from fault_server import running_server
from laion_fmri._errors import (
    DataDirNotSetError,
    LicenseNotAcceptedError,
    NoMatchingDataError,
    SubjectNotFoundError,
)
from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.templates import local_path
from laion_fmri.config import dataset_initialize
from laion_fmri.discovery import get_subjects
from laion_fmri.download import accept_license, accept_licenses, download
from laion_fmri.errors import NoSpaceError, OfflineError, RemoteError, SelectionError
from laion_fmri.storage import pieces
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.events import Advanced, Failed, Resumed
from laion_fmri.storage.plan import Action, Plan, PlannedFile
from laion_fmri.storage.transfer import transfer


@pytest.fixture(autouse=True)
def first_call_of_a_process(monkeypatch):
    monkeypatch.setattr("laion_fmri.download._last_data_dir", [])


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def downloaded(data_dir):
    return {path for path in files_below(data_dir) if not path.startswith(".laion_fmri/")}


def local(keys):
    return {local_path(key, load_catalog().entities) for key in keys}


def test_one_session_brings_its_files_the_mean_r2_and_all_rois(server, data_dir, miniature):
    report = download(subject="sub-03", ses="ses-01")
    keys = files_below(miniature)
    glmsingle = "derivatives/glmsingle-tedana/sub-03/"
    expected = {key for key in keys if key.startswith((f"{glmsingle}ses-01/", "derivatives/rois/sub-03/"))}
    expected |= {f"{glmsingle}sub-03_task-images_space-T1w_stat-rsquare_desc-R2mean_statmap.nii.gz"}
    expected |= {key for key in keys if "/" not in key}
    assert set(report.downloaded) == expected
    assert downloaded(data_dir) == local(expected)
    for key in expected:
        assert filecmp.cmp(Path(miniature, key), Path(data_dir, *local([key])), shallow=False)
    assert report.bytes == sum(Path(miniature, key).stat().st_size for key in expected)


def test_averages_bring_the_summaries_without_a_session(server, data_dir):
    report = download("sub-03", ses="averages")
    below = [key for key in report.downloaded if "glmsingle" in key]
    assert below
    assert not any("ses-" in key for key in below)
    both = download("sub-03", ses=["ses-01", "averages"])
    assert set(both.skipped) == set(report.downloaded)
    assert all("ses-01" in key for key in both.downloaded)


def test_the_pages_example_with_singletrial_brings_the_betas(server, data_dir):
    download(subject="sub-03", ses="ses-01", desc="singletrial", stat="effect", extension="nii.gz", n_jobs=4)
    betas = [path for path in downloaded(data_dir) if "SingletrialBetas" in path]
    assert len(betas) == 1
    assert betas[0].endswith("_statmap.nii.gz")


def test_all_subjects(server, data_dir):
    report = download("all", ses="averages")
    assert {key.split("/")[2] for key in report.downloaded if key.startswith("derivatives/glms")} == set(get_subjects())


def test_the_anatomical_tree_comes_by_its_flag_and_obeys_no_filter(server, data_dir):
    report = download("sub-03", ses="ses-01", include_anatomical=True)
    anatomy = [key for key in report.downloaded if key.startswith("derivatives/anatomical/sub-03/")]
    assert any(key.endswith("_desc-brain_mask.nii.gz") for key in anatomy)


def test_a_second_run_downloads_nothing_and_a_damaged_size_is_fetched_anew(server, data_dir):
    first = download("03", ses="01")
    again = download("03", ses="01")
    assert again.downloaded == ()
    assert set(again.skipped) == set(first.downloaded)
    assert again
    short = next(path for path in Path(data_dir).rglob("*_trials.tsv"))
    whole = short.read_bytes()
    short.write_bytes(whole[:10])
    third = download("03", ses="01")
    assert [Path(key).name for key in third.downloaded] == [short.name]
    assert short.read_bytes() == whole


def test_held_out_sessions_are_never_requested(server, data_dir):
    report = download("sub-03", ses="31")
    assert not any("ses-31" in key for key in (*report.downloaded, *report.denied, *report.failed))
    assert any("R2mean" in key for key in report.downloaded)


def test_more_keys_than_a_page_holds_are_all_listed(server, data_dir, many_keys):
    report = download("sub-01", ses="01", desc="GLMsingle", n_jobs=4)
    assert set(many_keys) <= set(report.downloaded)


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"subject": ""}, SubjectNotFoundError, "not one of 01"),
        ({"subject": "sub-"}, SubjectNotFoundError, "not one of 01"),
        ({"subject": "sub-99"}, SubjectNotFoundError, "sub-99"),
        ({"subject": "sub-3"}, SubjectNotFoundError, "did you mean '03'"),
        ({"subject": 3}, TypeError, "give text"),
        ({"subject": "03", "ses": "1"}, SelectionError, "did you mean '01'"),
        ({"subject": "03", "ses": "Averages"}, SelectionError, "did you mean 'averages'"),
        ({"subject": "03", "ses": 1}, TypeError, "give text"),
        ({"subject": "03", "desc": "singletrail"}, SelectionError, "SingletrialBetas"),
        ({"subject": "03", "extension": ".nii.gz"}, SelectionError, "did you mean 'nii.gz'"),
        ({"subject": "03", "include_images": True}, TypeError, "include_images"),
        ({}, TypeError, "subject"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_asked(arguments, error, told, data_dir, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    with pytest.raises(error, match=told):
        download(**arguments)
    assert downloaded(data_dir) == set()


def test_nothing_matched_names_subject_filters_and_prefixes(server, data_dir):
    with pytest.raises(NoMatchingDataError) as caught:
        download("sub-03", ses="averages", suffix="trials")
    message = str(caught.value)
    assert message.startswith("No LAION-fMRI files matched")
    for part in (
        "sub-03",
        "ses=['averages']",
        "suffix=['trials']",
        "derivatives/glmsingle-tedana/sub-03/",
        "derivatives/rois/sub-03/",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("n_jobs", "told"),
    [
        (0, "positive int"),
        (-1, "positive int"),
        ("x", "positive int"),
        (True, "positive int"),
        (10**6, "higher than"),
    ],
)
def test_unusable_n_jobs_warns_and_works(server, data_dir, n_jobs, told):
    with pytest.warns(UserWarning, match=told):
        report = download("sub-03", ses="averages", n_jobs=n_jobs)
    assert report.downloaded


def test_a_denied_key_is_warned_of_and_the_rest_continues(server, data_dir, denied_key):
    with pytest.warns(UserWarning, match=f"Access denied: s3://laion-fmri/{denied_key}"):
        report = download("sub-03", ses="averages")
    assert report.denied == (denied_key,)
    assert report.downloaded
    assert not report.complete
    assert not Path(data_dir, denied_key).exists()


def test_the_licence_is_asked_for_once_and_a_decline_downloads_nothing(server, fresh_dir, monkeypatch, capsys):
    for answer in ("no\n", "i agree\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        with pytest.raises(LicenseNotAcceptedError, match="license"):
            download("sub-03", ses="averages")
    assert files_below(fresh_dir) == set()
    monkeypatch.setattr("sys.stdin", io.StringIO("  I AGREE \n"))
    capsys.readouterr()
    accept_license()
    shown = capsys.readouterr().out
    assert shown.startswith("=== LAION-fMRI Dataset License (CC0 1.0) ===")
    assert 'Type "I AGREE" to accept and continue with the download: ' in shown
    assert files_below(fresh_dir) == {".laion_fmri/license_accepted"}
    assert download("sub-03", ses="averages").downloaded
    assert "License" not in capsys.readouterr().out


def test_accept_licenses_is_deprecated_and_points_to_the_service(data_dir, capsys):
    with pytest.warns(DeprecationWarning, match="accept_license"):
        accept_licenses(include_stimuli=True)
    assert "access service" in capsys.readouterr().err


def test_no_configuration_a_gone_directory_and_a_damaged_file(no_config, tmp_path):
    with pytest.raises(DataDirNotSetError, match="laion-fmri config"):
        download("sub-03")
    folder = tmp_path / "gone"
    folder.mkdir()
    dataset_initialize(str(folder))
    shutil.rmtree(folder)
    with pytest.raises(DataDirNotSetError, match="gone"):
        download("sub-03")


def test_another_data_directory_than_last_time_is_warned_of(server, data_dir, tmp_path):
    download("sub-03", ses="averages")
    other = tmp_path / "other"
    shutil.copytree(data_dir, other)
    dataset_initialize(str(other))
    with pytest.warns(UserWarning, match="data directory changed"):
        download("sub-03", ses="averages")


def test_an_unreachable_endpoint_is_named(data_dir, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(RemoteError, match=r"s3://laion-fmri.*127\.0\.0\.1:9.*network"):
        download("sub-03")


def test_offline_is_refused_and_named(data_dir, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    with pytest.raises(OfflineError, match="LAION_FMRI_OFFLINE"):
        download("sub-03")


def test_a_plan_that_does_not_fit_is_refused_before_the_first_byte(server, data_dir, monkeypatch):
    usage = shutil.disk_usage(data_dir)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(NoSpaceError, match=r"1,000 were free"):
        download("sub-03", ses="01")
    assert downloaded(data_dir) == set()


@contextmanager
def one_file(folder, content, *faults):
    """Give the plan of one file of a bucket, and the bucket, which gives it with faults."""
    with pytest.MonkeyPatch.context() as patch, running_server({"a/b.bin": content}) as server:
        patch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        server.faults["a/b.bin"] = list(faults)
        file = PlannedFile("a/b.bin", "a/b.bin", len(content), "tree", Action.DOWNLOAD, "not here yet")
        yield Plan("s3://bucket", str(folder), "1.1", 10**12, (file,)), Bucket(load_catalog().remote)


def test_a_transfer_that_is_interrupted_leaves_nothing_but_what_the_next_one_goes_on_with(tmp_path, monkeypatch):
    cut_small(monkeypatch, 1 << 16)
    content = bytes(5 << 16)
    with one_file(tmp_path, content, *[Fault.stall_at(1000)] * pieces.LANES) as (plan, bucket):
        events = transfer(plan, bucket)
        assert any(isinstance(event, Advanced) for event in events)
        events.close()
    assert {Path(path).suffix for path in files_below(tmp_path)} == {".part", ".log"}
    with one_file(tmp_path, content) as (plan, bucket):
        assert Resumed in map(type, list(transfer(plan, bucket)))
    assert (tmp_path / "a" / "b.bin").read_bytes() == content


def test_a_failed_refetch_keeps_the_file_that_was_there(tmp_path):
    target = tmp_path / "a" / "b.bin"
    target.parent.mkdir()
    target.write_bytes(b"old")
    with one_file(tmp_path, bytes(100), Fault.status(404)) as (plan, bucket):
        assert isinstance([*transfer(plan, bucket)][-1], Failed)
    assert target.read_bytes() == b"old"


def test_a_file_where_a_folder_should_be_fails_alone(server, data_dir):
    blocker = Path(data_dir, "derivatives", "rois")
    blocker.parent.mkdir()
    blocker.write_text("mine")
    with pytest.warns(UserWarning, match="was not fetched"):
        report = download("sub-03", ses="averages")
    assert report.failed
    assert all("rois" in key for key in report.failed)
    assert any("glmsingle" in key for key in report.downloaded)
    assert blocker.read_text() == "mine"


def test_a_plan_shows_itself_with_counts_bytes_and_the_largest_files(server, data_dir):
    source = laion_fmri.open_catalog().betas(subject="03", ses="01")
    plan = source.plan()
    shown = repr(plan)
    assert f"from s3://laion-fmri to {data_dir}" in shown
    assert f"{len(plan.files)} to download, 0 already here, 0 held out, 0 refused" in shown
    assert f"{plan.bytes_to_download:,} bytes to download, {plan.free:,} free" in shown
    assert "SingletrialBetas_statmap.nii.gz" in shown
    source.download()
    assert f"0 to download, {len(plan.files)} already here" in repr(source.plan())
