"""`verify` finds every kind of damage, `repair` mends it and touches nothing else."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import laion_fmri
from data_files import (
    BETAS,
    FOLDER,
    IMAGES,
    MODEL,
    ROI,
    SIDECAR,
    TRIALS,
    copy_session,
    download_session,
    place,
    replaced,
    stamps,
)
from laion_fmri.cli import main
from laion_fmri.download import download_stimuli
from laion_fmri.errors import OfflineError, SelectionError

SCHEMAS = Path(__file__).parents[1] / "schemas"
Ended = namedtuple("Ended", "code out err")


def others(found):
    """State and path of what is not whole."""
    return {one.path: str(one.state) for one in found.findings if one not in found.whole}


@pytest.fixture
def cli(capsys):
    def call(*words):
        capsys.readouterr()
        code = main(words)
        return Ended(code, *capsys.readouterr())

    return call


@pytest.fixture
def session(server, data_dir):
    """A data directory into which a session was downloaded."""
    download_session()
    return data_dir


@pytest.fixture
def elsewhere(miniature, data_dir):
    """A data directory with files that came from elsewhere, so without receipts."""
    copy_session(miniature, data_dir)
    return data_dir


# ---------------------------------------------------------------- kinds of damage


def truncate(path):
    os.truncate(path, path.stat().st_size - 7)


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_in_silence(path):
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def empty(path):
    os.truncate(path, 0)


def folder(path):
    path.unlink()
    path.mkdir()


DAMAGES = {
    "truncated": (truncate, "wrong", "wrong"),
    "bit-flipped": (flip, "unknown", "wrong"),
    "bit-flipped in silence": (flip_in_silence, "whole", "wrong"),
    "touched": (lambda path: os.utime(path, (1, 1)), "unknown", "whole"),
    "zeros of the same size": (zero, "unknown", "wrong"),
    "0 bytes": (empty, "wrong", "wrong"),
    "deleted": (Path.unlink, "missing", "missing"),
}


def test_what_was_downloaded_is_whole_and_has_receipts_of_the_schema(session, cli):
    found = laion_fmri.verify()
    assert found.complete
    assert [one.path for one in found.findings] == sorted(str(path.relative_to(session)) for path in stamps(session))
    assert laion_fmri.verify(full=True).complete
    assert cli("verify") == (
        0,
        f"{len(found.whole)} whole, 0 wrong, 0 missing, 0 unknown, 0 unreadable, in {session}\n",
        "",
    )
    schema = Draft202012Validator(json.loads((SCHEMAS / "receipt.schema.json").read_text()))
    lines = [line for file in (session / ".laion_fmri/receipts").iterdir() for line in file.read_text().splitlines()]
    assert len(lines) == len(found.whole)
    assert [error for line in lines for error in schema.iter_errors(json.loads(line))] == []


@pytest.mark.parametrize(("damage", "quick", "full"), DAMAGES.values(), ids=DAMAGES)
def test_every_damage_is_found_and_mended_and_nothing_else_is_touched(session, miniature, damage, quick, full):
    before = stamps(session)
    target = session / BETAS
    damage(target)
    assert others(laion_fmri.verify()) == ({BETAS: quick} if quick != "whole" else {})
    assert others(laion_fmri.verify(full=True)) == ({BETAS: full} if full != "whole" else {})

    report = laion_fmri.repair(full=True)
    assert report.downloaded == ((BETAS,) if full != "whole" else ())
    assert report.complete
    assert target.read_bytes() == (miniature / BETAS).read_bytes()
    after = stamps(session)
    assert {path: after[path] for path in before if path != target} == {
        path: stamp for path, stamp in before.items() if path != target
    }
    assert after.keys() == before.keys()
    assert laion_fmri.verify().complete
    assert laion_fmri.verify(full=True).complete


def test_a_quick_repair_leaves_alone_what_only_reading_could_tell(session):
    flip(session / BETAS)
    (session / TRIALS).unlink()
    damaged = (session / BETAS).read_bytes()
    assert laion_fmri.repair().downloaded == (TRIALS,)
    assert (session / BETAS).read_bytes() == damaged
    assert others(laion_fmri.verify()) == {BETAS: "unknown"}


def test_there_may_be_nothing_to_repair(session, cli):
    assert not laion_fmri.repair()
    ended = cli("repair")
    assert ended.code == 0
    assert ended.out.startswith("There is nothing to repair: ")


def test_a_folder_where_a_file_should_be_is_missing_and_left_alone(session):
    folder(session / BETAS)
    assert others(laion_fmri.verify(full=True)) == {BETAS: "missing"}
    with pytest.warns(UserWarning, match="is a folder, where a file belongs"):
        assert laion_fmri.repair().failed == (BETAS,)
    assert (session / BETAS).is_dir()


def test_what_was_touched_is_read_once(session):
    os.utime(session / BETAS, (1, 1))
    assert laion_fmri.verify(full=True).complete
    assert laion_fmri.verify().complete
    assert (session / BETAS).stat().st_mtime == 1


def test_receipts_that_somebody_damaged_make_files_unknown(session):
    for file in (session / ".laion_fmri/receipts").iterdir():
        file.write_text(file.read_text().replace('"size":', '"size":"many",'))
    assert {str(one.state) for one in laion_fmri.verify().findings} == {"unknown"}
    assert laion_fmri.verify(full=True).complete
    assert laion_fmri.verify().complete


def test_a_receipt_that_leads_out_of_the_data_directory_is_none(session):
    (session.parent / "outside").write_bytes(b"mine")
    for file in (session / ".laion_fmri/receipts").iterdir():
        file.write_text(file.read_text().replace(f'"path":"{TRIALS}"', '"path":"../outside"'))
    assert others(laion_fmri.verify()) == {TRIALS: "unknown"}
    assert laion_fmri.verify(full=True).complete
    assert not laion_fmri.repair()


# ---------------------------------------------------------------- files from elsewhere


def test_what_came_from_elsewhere_is_unknown_until_it_was_read(elsewhere, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    before = stamps(elsewhere)
    found = laion_fmri.verify()
    assert found.unknown == found.findings
    assert len(found.unknown) == len(before)
    assert laion_fmri.verify(full=True).complete
    assert laion_fmri.verify().complete
    assert stamps(elsewhere) == before


def test_a_data_directory_that_cannot_be_written_is_checked_all_the_same(elsewhere):
    (elsewhere / ".laion_fmri").rename(elsewhere / "away")
    (elsewhere / ".laion_fmri").touch()  # not even root can make a folder of it
    assert laion_fmri.verify(full=True).complete
    assert len(laion_fmri.verify().unknown) > 0


def packed(path, change):
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


PAGE = b"<!DOCTYPE html><html>"
MISTAKES = [
    (BETAS, truncate, "the file ends at byte"),
    (BETAS, lambda path: os.truncate(path, 5), "the file ends at byte 5"),
    (BETAS, lambda path: path.write_bytes(path.read_bytes()[:-8] + bytes(8)), "incorrect data check at byte"),
    (BETAS, lambda path: packed(path, lambda data: data[:-4]), "bytes, unpacked, where its header announces"),
    (BETAS, lambda path: packed(path, lambda data: data + data[-4:]), "bytes, unpacked, where its header announces"),
    (BETAS, lambda path: packed(path, lambda data: bytes(352) + data[352:]), "it cannot be read as NIfTI"),
    (BETAS, lambda path: path.write_bytes(PAGE), "it begins with an error page"),
    (ROI, truncate, "the file ends at byte"),
    (MODEL, truncate, "it cannot be read as HDF5"),
    (MODEL, lambda path: path.write_bytes(path.read_bytes()[:8] + bytes(2000)), "it cannot be read as HDF5"),
    (SIDECAR, truncate, "it cannot be read as JSON"),
    (TRIALS, empty, "it is empty"),
    (TRIALS, lambda path: path.write_bytes(PAGE), "it begins with an error page"),
]


@pytest.mark.parametrize(("key", "damage", "reason"), MISTAKES)
@pytest.mark.usefixtures("server")
def test_damage_to_a_file_from_elsewhere_shows_in_its_format(elsewhere, miniature, key, damage, reason):
    target, before = place(elsewhere, key), stamps(elsewhere)
    damage(target)
    found = laion_fmri.verify(full=True)
    (wrong,) = found.wrong
    assert (wrong.path, reason in wrong.reason) == (str(target.relative_to(elsewhere)), True)
    assert len(found.whole) == len(before) - 1
    assert laion_fmri.repair(full=True).downloaded == (key,)
    assert target.read_bytes() == (miniature / key).read_bytes()
    assert laion_fmri.verify().complete
    assert {path for path, stamp in stamps(elsewhere).items() if stamp != before[path]} == {target}


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="the file that cannot be read is one of Linux")
def test_a_file_that_the_disk_does_not_give_is_told_and_the_others_are_checked(elsewhere, cli):
    (elsewhere / TRIALS).unlink()
    (elsewhere / TRIALS).symlink_to("/proc/self/mem")
    found = laion_fmri.verify(full=True)
    (unreadable,) = found.unreadable
    assert (unreadable.path, unreadable.reason) == (TRIALS, "Input/output error")
    assert len(found.whole) == len(found.findings) - 1
    assert not laion_fmri.repair(full=True)
    assert cli("verify", "--full", "trials").code == 1


def test_a_check_can_be_interrupted(elsewhere):
    with (elsewhere / TRIALS).open("wb") as endless:
        endless.write(b"session\n")
        endless.truncate(1 << 42)
    command = [sys.executable, "-m", "laion_fmri.cli", "verify", "--full", "trials"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    files = Path(f"/proc/{child.pid}/fd")
    while str(elsewhere / TRIALS) not in {os.path.realpath(file) for file in files.iterdir()}:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert (child.returncode, said.strip()) == (130, "laion-fmri: interrupted; run the same again to continue")


def test_files_that_no_dataset_has_are_left_alone(elsewhere, tmp_path):
    folder = elsewhere / "derivatives/freesurfer/sub-03/surf"
    folder.mkdir(parents=True)
    before = laion_fmri.verify().findings
    for name in (".DS_Store", "lh.white:1", "lh.thickness."):
        (folder / name).write_bytes(b"")
    (elsewhere / "derivatives/mine.tsv").touch()
    assert laion_fmri.verify().findings == before
    assert len(laion_fmri.lock(tmp_path / "lock.json").files) == len(before)


# ---------------------------------------------------------------- the remote


def test_a_file_that_the_remote_no_longer_has_is_told_and_the_others_come(session, server, miniature):
    for key in (BETAS, TRIALS):
        truncate(session / key)
    damaged = (session / BETAS).read_bytes()
    gone = pytest.warns(UserWarning, match="s3://laion-fmri does not have it any more")
    with replaced(server, BETAS), gone:
        report = laion_fmri.repair()
    assert (report.failed, report.downloaded) == ((BETAS,), (TRIALS,))
    assert (session / BETAS).read_bytes() == damaged
    assert (session / TRIALS).read_bytes() == (miniature / TRIALS).read_bytes()


def test_what_changed_at_the_remote_comes_as_it_is_now(session, server):
    (session / TRIALS).unlink()
    with replaced(server, TRIALS, b"session\tlabel\n"):
        assert laion_fmri.repair().downloaded == (TRIALS,)
    assert (session / TRIALS).read_bytes() == b"session\tlabel\n"
    assert laion_fmri.verify(full=True).complete


def test_a_repair_needs_the_network_and_says_so(session, monkeypatch, cli):
    (session / TRIALS).unlink()
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    assert others(laion_fmri.verify()) == {TRIALS: "missing"}
    with pytest.raises(OfflineError):
        laion_fmri.repair()
    assert cli("repair").code == 4


def test_gated_files_are_repaired_under_their_agreement(agreed, data_dir):
    download_stimuli()
    before = stamps(data_dir)
    flip_in_silence(data_dir / IMAGES)
    assert others(laion_fmri.verify(full=True)) == {IMAGES: "wrong"}
    agreed.asked.clear()
    assert laion_fmri.repair("stimuli", full=True).downloaded == (IMAGES,)
    assert agreed.asked
    assert (data_dir / IMAGES).read_bytes() == agreed.contents[Path(IMAGES).name]
    assert {path for path, stamp in stamps(data_dir).items() if stamp != before[path]} == {data_dir / IMAGES}


def test_files_of_a_website_are_repaired(server, data_dir, cli):
    assert cli("download-splits").code == 0
    first = sorted((data_dir / "splits/data").rglob("*.json"))[0]
    before = first.read_bytes()
    truncate(first)
    assert laion_fmri.repair().downloaded == (first.relative_to(data_dir).as_posix(),)
    assert first.read_bytes() == before


# ---------------------------------------------------------------- what was removed on purpose


def test_what_was_removed_on_purpose_is_missed_no_longer(session, cli):
    for path in (session / "derivatives/rois").rglob("*.nii.gz"):
        path.unlink()
    truncate(session / TRIALS)
    assert cli("verify", "--forget").code == 1  # for what is wrong
    assert others(laion_fmri.verify()) == {TRIALS: "wrong"}
    assert laion_fmri.repair().downloaded == (TRIALS,)
    assert cli("verify").code == 0
    download_session()
    (session / BETAS).unlink()
    assert others(laion_fmri.verify()) == {BETAS: "missing"}


def test_what_was_purged_is_not_missed(agreed, data_dir, cli):
    download_stimuli()
    assert cli("purge-stimuli", "--yes").code == 0
    assert laion_fmri.verify().complete
    assert not laion_fmri.repair()


# ---------------------------------------------------------------- the command line


def test_only_the_artifacts_that_are_named_are_checked(session, cli):
    truncate(session / BETAS)
    (session / TRIALS).unlink()
    assert others(laion_fmri.verify("trials", "brain_mask")) == {TRIALS: "missing"}
    assert laion_fmri.verify("rois").complete
    assert cli("verify", "rois", "trials").code == 1
    assert laion_fmri.repair("trials").downloaded == (TRIALS,)
    with pytest.raises(SelectionError, match="did you mean `trials`"):
        laion_fmri.verify("trails")
    assert cli("repair", "trails").code == 2


def test_the_table_has_what_is_wrong_why_and_what_helps(session, cli):
    truncate(session / BETAS)
    (session / TRIALS).unlink()
    os.utime(session / MODEL, (1, 1))
    ended = cli("verify")
    rows = {line.split()[0]: line for line in ended.out.splitlines() if line.startswith(FOLDER)}
    size = (session / BETAS).stat().st_size
    assert f"it has {size:,} bytes, not {size + 7:,}" in rows[BETAS]
    assert rows[BETAS].rstrip().endswith("laion-fmri repair betas")
    assert rows[TRIALS].rstrip().endswith("laion-fmri repair trials")
    assert rows[MODEL].rstrip().endswith("laion-fmri verify --full glmsingle_model")
    assert len(rows) == 3
    assert ended.out.splitlines()[-1].endswith(f"1 wrong, 1 missing, 1 unknown, 0 unreadable, in {session}")

    zero(session / MODEL)
    assert "laion-fmri repair --full glmsingle_model" in cli("verify", "--full").out
    found = json.loads(cli("verify", "--full", "--json").out)
    assert (found["full"], found["complete"], found["data_dir"]) == (True, False, str(session))
    assert found["counts"]["wrong"] == 2
    assert {one["path"]: (one["artifact"], one["state"]) for one in found["files"]} == {
        BETAS: ("betas", "wrong"),
        TRIALS: ("trials", "missing"),
        MODEL: ("glmsingle_model", "wrong"),
    }


def test_a_dry_run_shows_the_plan_and_fetches_nothing(session, cli):
    truncate(session / BETAS)
    before = stamps(session)
    ended = cli("repair", "--dry-run")
    assert ended.code == 0
    assert f"{BETAS} (it has" in ended.out
    assert stamps(session) == before
    ended = cli("repair", "--n-jobs", "2")
    assert ended.code == 0
    assert ended.out.startswith("1 downloaded, 0 skipped, 0 denied, 0 failed; ")


def test_a_report_shows_what_is_wrong(session):
    truncate(session / BETAS)
    found = laion_fmri.verify()
    assert bool(found)
    assert repr(found).startswith(f"<quick check of {session}: ")
    assert f"  {BETAS}: wrong, it has" in repr(found)
