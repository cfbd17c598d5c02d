"""Reading from the bucket: the answers of local files, each byte fetched once, nothing stored, whatever breaks."""

from __future__ import annotations

import gzip
import io
import pickle
import re
import threading
from functools import cache
from pathlib import Path

import pytest
import xarray as xr

import laion_fmri
from fault_bucket import place
from fault_kinds import Fault
from fault_server import running_server
from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.filters import held_out_test
from laion_fmri.errors import (
    ChangedError,
    DataFormatError,
    DataNotDownloadedError,
    DeniedError,
    LicenseNotAcceptedError,
    NoMatchingDataError,
    OfflineError,
    RemoteError,
    SelectionError,
)
from laion_fmri.storage.reader import HEAD

PAGE = Path(__file__).parents[1] / "docs/remote.md"
FUNC = "derivatives/glmsingle-tedana/sub-03/ses-{}/func/sub-03_ses-{}_task-images_"
BETAS, BETAS_2 = (
    f"{FUNC.format(ses, ses)}space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz" for ses in ("01", "02")
)
MASK = (
    "derivatives/anatomical/sub-03/ses-PrismaAnat/anat/sub-03_ses-PrismaAnat_space-T1w_res-1pt8_desc-brain_mask.nii.gz"
)
CHOSEN = {"subject": "03", "ses": "01"}


@pytest.fixture(scope="session")
def content(miniature):
    """Everything public that the bucket has of sub-03."""
    model = load_catalog()
    held_out = held_out_test(model.remote.held_out, model.entities)
    paths = {path.relative_to(miniature).as_posix(): path for path in miniature.rglob("*") if path.is_file()}
    return {key: path.read_bytes() for key, path in paths.items() if "sub-03" in key and not held_out(key)}


@pytest.fixture
def bucket(content, data_dir, patience, monkeypatch):
    """A bucket with all of sub-03, which fails as its `faults` say; nothing of it is in the data directory."""
    monkeypatch.setattr("tempfile.tempdir", str(data_dir))  # where temporary files would be seen
    patience(pause=0, tries=3, progress=1)
    with running_server(content) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        yield server


@pytest.fixture
def download(content, data_dir):
    """A function that brings the files whose key has a part into the data directory."""

    def bring(part=""):
        for key, data in content.items():
            if part in key:
                place(data_dir, key).parent.mkdir(parents=True, exist_ok=True)
                place(data_dir, key).write_bytes(data)

    return bring


catalog = cache(laion_fmri.open_catalog)


def betas(**chosen):
    return catalog().betas(**{**CHOSEN, **chosen})


def state(folder):
    """Return everything in a folder, with sizes and times."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def fetched(server):
    """Return for each key the parts of it that were asked for, in order."""
    return {asked.key: server.ranges(asked.key) for asked in server.asked if asked.key}


# --- the same answers


ASKED = {
    "an ROI": {"roi": "V1v"},
    "several ROIs": {"roi": {"low": "V1 + V2", "faces": ["face", "FFA1"]}},
    "all ROIs": {"roi": "all"},
    "the whole brain": {},
    "another mask": {"mask_source": "rsquare"},
    "some trials": {"stimuli": "shared"},
    "z-scores": {"roi": "V1v", "zscore": "session"},
    "means": {"roi": "V1v", "zscore": "session", "average": "image", "ses": ["01", "02"]},
    "two sessions": {"roi": "V1v", "ses": ["02", "01"]},
    "noise ceilings": {"nc_threshold": 5, "noise_ceilings": True, "ses": ["01", "02"]},
    "no NaN": {"nan": "drop"},
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_an_answer_is_that_of_local_files_and_nothing_is_stored(bucket, download, data_dir, asked):
    before = state(data_dir)
    answer = betas(**asked).read(source="remote")
    assert state(data_dir) == before
    download()
    xr.testing.assert_identical(answer, betas(**asked).read())


OTHERS = {
    "preprocessed_bold": {"ses": "01", "run": "01", "roi": "V1v"},
    "raw_bold": {"ses": "01", "run": "01", "echo": ["2", "1"], "part": "mag"},
    "rois": {},
    "localizers": {"task": "floc"},
    "localizers_volume": {"task": "floc"},
    "noise_ceiling": {"desc": "all"},
    "hrf_index": {"ses": ["02", "01"], "roi": "V1v"},
    "brain_mask": {},
}


@pytest.mark.parametrize("name", OTHERS)
def test_every_kind_of_volumes_is_read_alike(bucket, download, name):
    source = catalog()[name](subject="03", **OTHERS[name])
    answer = source.read(source="remote")
    download()
    xr.testing.assert_identical(answer, source.read())


def test_each_byte_comes_once(bucket, content):
    betas(ses=["01", "02"]).read(roi=["V1v", "V2v"], source="remote")
    for key, parts in fetched(bucket).items():
        size = len(content[key])
        assert parts == ([(0, HEAD), (HEAD, size)] if size > HEAD else [(0, size)])
    assert {BETAS, BETAS_2} <= fetched(bucket).keys()


def test_what_is_here_is_not_fetched(bucket, download):
    download(BETAS)
    download(MASK)
    answer = betas(ses=["01", "02"]).read(roi="V1v", source="remote")
    assert not {BETAS, MASK} & fetched(bucket).keys()
    assert BETAS_2 in fetched(bucket)
    download()
    xr.testing.assert_identical(answer, betas(ses=["01", "02"]).read(roi="V1v"))


def test_the_remote_is_not_asked_where_everything_is_here(bucket, here):
    betas().read(source="remote")
    assert bucket.asked == []


# --- connections


@pytest.mark.parametrize("cut", [Fault.close_at, Fault.reset_at], ids=["closed", "reset"])
@pytest.mark.parametrize("at", [0, 1, 1000, HEAD - 1, HEAD, HEAD + 1, 400_000, -1])
def test_a_connection_that_breaks_is_taken_up_where_it_broke(bucket, download, content, at, cut):
    at %= len(content[BETAS])
    bucket.faults[BETAS] = [cut(at)]
    answer = betas().read(source="remote")
    first, second = (0, HEAD), (HEAD, len(content[BETAS]))
    broken = first if at < HEAD else second
    parts = bucket.ranges(BETAS)
    parts.remove(first)
    parts.remove(second)
    ((resumed, stop),) = parts
    assert resumed == at or (cut == Fault.reset_at and resumed < at)  # a reset may take with it what was under way
    assert stop == broken[1]
    assert {asked.if_match for asked in bucket.gets(BETAS)} == {bucket.version(BETAS)}
    download()
    xr.testing.assert_identical(answer, betas().read())


@pytest.mark.parametrize(
    "fault",
    [Fault.status(503, "SlowDown"), Fault.hang_up(), Fault.ignore_range(), Fault.no_length()],
    ids=["busy", "hangs up", "ignores ranges", "tells no length"],
)
def test_a_busy_or_careless_server_costs_a_request_at_most(bucket, download, fault):
    for key in (BETAS, MASK):
        bucket.faults[key] = [fault]
    answer = betas().read(source="remote")
    download()
    xr.testing.assert_identical(answer, betas().read())


def test_a_server_that_begins_anew_is_read_on_from_where_it_was(bucket, download):
    anew = Fault.ignore_range()
    anew.at = 400_000
    bucket.faults[BETAS] = [Fault.close_at(400_000), anew]
    answer = betas().read(source="remote")
    assert anew.reached.is_set()
    download()
    xr.testing.assert_identical(answer, betas().read())


def test_progress_makes_it_patient_and_silence_does_not(bucket, content):
    bucket.faults[BETAS] = [Fault.close_at(at) for at in range(0, 600_000, 20_000)]
    assert betas(roi="V1v").read(source="remote").size
    bucket.faults[BETAS] = [Fault.close_at(400_000), *(Fault.status(503, "SlowDown") for _ in range(3))]
    with pytest.raises(RemoteError, match=re.escape(BETAS)):
        betas(roi="V1v").read(source="remote")


@pytest.mark.parametrize("key", [BETAS, MASK])
def test_a_connection_that_trickles_is_left_for_another(bucket, download, patience, key):
    patience(window=0.3, slowest=1000)
    bucket.faults[key] = [Fault.trickle()]
    answer = betas(roi="V1v").read(source="remote")
    assert len(bucket.gets(key)) > 1 + (key == BETAS)
    download()
    xr.testing.assert_identical(answer, betas(roi="V1v").read())


def test_a_file_that_only_trickles_is_given_up(bucket, patience):
    patience(window=0.3, slowest=1000, progress=10**6)
    bucket.faults[BETAS] = [Fault.trickle() for _ in range(9)]
    with pytest.raises(RemoteError, match=f"{re.escape(BETAS)}: only .* bytes in .* run the same again"):
        betas(roi="V1v").read(source="remote")


def test_a_server_that_gives_another_part_is_refused(bucket):
    bucket.faults[BETAS] = [Fault.close_at(400_000), Fault.wrong_range("bytes 5-{last}/{total}")]
    with pytest.raises(RemoteError, match=f"{re.escape(BETAS)}: got bytes from 5 on"):
        betas(roi="V1v").read(source="remote")


def test_what_is_closed_early_hangs_up(bucket):
    gone = threading.Event()

    def hold(exchange):
        exchange.send(count=1000)
        try:
            exchange.until_gone()
        finally:
            gone.set()

    bucket.faults[BETAS] = [Fault(hold, at=HEAD)]
    (file,) = betas(source="remote").core.request().files
    with file.path.open("rb", buffering=0) as opened:
        assert len(opened.read(HEAD + 500)) == HEAD + 500
        assert not gone.is_set()
    assert gone.wait(20)


# --- another content


@pytest.mark.parametrize("told", [True, False], ids=["If-Match", "ETag"])
@pytest.mark.parametrize("at", [1000, 400_000])
def test_a_file_that_is_replaced_meanwhile_is_refused(bucket, content, at, told):
    bucket.faults[BETAS] = [Fault.close_at(at), Fault.replaced(content[BETAS][::-1], told)]
    with pytest.raises(ChangedError, match=re.escape(BETAS)):
        betas(roi="V1v").read(source="remote")


def test_a_file_that_was_cut_is_refused_naming_its_key_and_the_byte(bucket, content):
    bucket.objects[BETAS] = content[BETAS][:500_000]
    with pytest.raises(DataFormatError, match=f"{re.escape(BETAS)} is damaged in volume .* ends at byte 500000"):
        betas(roi="V1v").read(source="remote")


def test_a_flipped_bit_is_found(bucket, content):
    bucket.faults[BETAS] = [Fault.flip(len(content[BETAS]) - 6)]
    with pytest.raises(DataFormatError, match=re.escape(BETAS)):
        betas(roi="V1v").read(source="remote")


def test_a_file_that_is_no_nifti_is_refused(bucket):
    bucket.objects[BETAS] = gzip.compress(b"nothing of the kind" * 100)
    with pytest.raises(DataFormatError, match=f"{re.escape(BETAS)} cannot be read as NIfTI"):
        betas().read(source="remote")


# --- what may not be had


def test_a_file_that_is_denied_is_refused(bucket):
    bucket.faults[BETAS] = [Fault.status(403, "AccessDenied")]
    with pytest.raises(DeniedError, match=re.escape(BETAS)):
        betas().read(source="remote")


def test_what_is_held_out_is_not_asked_for(bucket, tmp_path):
    with pytest.raises(SelectionError, match="held out"):
        betas(ses="31", source="remote")
    texts = catalog_path().parent / "texts"
    (tmp_path / "texts").symlink_to(texts)
    text = catalog_path().read_text("utf-8").replace('values: ["31", "32", "33", "34"]', 'values: ["02"]')
    (tmp_path / "catalog.yaml").write_text(text, "utf-8")
    later = laion_fmri.open_catalog(tmp_path / "catalog.yaml").betas(subject="03", ses=["01", "02"])
    with pytest.raises(NoMatchingDataError, match="ses 02"):
        later.read(source="remote")
    assert BETAS_2 not in fetched(bucket)


def test_what_the_bucket_does_not_have_is_named(bucket, content):
    with pytest.raises(NoMatchingDataError, match=r"betas: s3://laion-fmri has no file of subject 03, ses 30"):
        betas(ses=["01", "30"]).read(source="remote")
    del bucket.objects[MASK]
    with pytest.raises(NoMatchingDataError, match=r"betas: it needs brain_mask, and .* has no file of subject 03"):
        betas().read(source="remote")


def test_only_volumes_can_be_read_from_afar(bucket):
    for name in ("trials", "embeddings", "stimuli"):
        with pytest.raises(SelectionError, match=rf"{name} takes no source.*voxel_series"):
            catalog()[name](source="remote")
    with pytest.raises(SelectionError, match="local, remote; did you mean 'remote'"):
        betas(source="remot")


def test_nothing_is_asked_of_the_remote_unless_it_is_said(bucket):
    with pytest.raises(DataNotDownloadedError):
        betas().read()
    with pytest.raises(DataNotDownloadedError):
        betas().optimize()
    assert bucket.asked == []


@pytest.mark.parametrize("is_here", [False, True])
def test_a_store_is_made_of_local_files_only(bucket, download, data_dir, is_here):
    if is_here:
        download()
    before = state(data_dir)
    with pytest.raises(SelectionError, match=r'betas: a local store is .* leave source="remote" out .* download\(\)'):
        betas(source="remote").optimize()
    assert bucket.asked == []
    assert state(data_dir) == before


def test_offline_it_is_refused(bucket, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    with pytest.raises(OfflineError) as caught:
        betas().read(source="remote")
    assert caught.value.exit_code == 4


def test_it_takes_the_consent_that_a_download_takes(bucket, data_dir, monkeypatch):
    (data_dir / ".laion_fmri" / "license_accepted").unlink()
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(LicenseNotAcceptedError):
        betas().read(source="remote")
    assert bucket.asked == []


# --- lazily


def test_lazily_it_is_the_same_and_each_file_is_fetched_by_one_task(bucket, content):
    import dask

    source = betas(ses=["01", "02"], roi="V1v", source="remote")
    lazy = pickle.loads(pickle.dumps(source.to_dask()))
    bucket.asked.clear()
    with dask.config.set(scheduler="synchronous"):
        answer = lazy.compute()
    assert [start for start, _ in bucket.ranges(BETAS)] == [0, HEAD]
    xr.testing.assert_identical(answer, source.read())
    assert lazy.data.name == source.to_dask().data.name


def test_the_local_place_of_a_streamed_file_stays_empty(bucket, data_dir):
    betas(roi="V1v", source="remote").to_dask().compute()
    assert not place(data_dir, BETAS).exists()


# --- the page


def test_what_the_page_shows_runs_from_top_to_bottom(bucket, download):
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    download()
    xr.testing.assert_identical(names["betas"], betas(roi="V1v").read())
    xr.testing.assert_identical(names["lazy"].compute(), betas(ses=["01", "02"], roi="V1v").read())
