"""`lock` writes down which files there are, and `download --locked` gets exactly those or says what changed."""

import hashlib
import json
import os
from collections import namedtuple
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import laion_fmri
from data_files import BETAS, IMAGES, MODEL, ROI, TRIALS, copy_session, download_session, place, replaced, stamps
from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.cli import main
from laion_fmri.config import dataset_initialize
from laion_fmri.download import download_locked, download_stimuli
from laion_fmri.errors import LockError

SCHEMA = Path(__file__).parents[1] / "schemas/lock.schema.json"
Ended = namedtuple("Ended", "code out err")


@pytest.fixture
def cli(capsys):
    def call(*words):
        capsys.readouterr()
        code = main(list(map(str, words)))
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


@pytest.fixture
def locked(session, tmp_path):
    """A lock file of a session."""
    laion_fmri.lock(tmp_path / "paper.lock.json")
    return tmp_path / "paper.lock.json"


@pytest.fixture
def another_place(monkeypatch, tmp_path):
    """A function that makes an empty data directory and configures it; the licence is accepted there."""

    def make(name="another"):
        folder = tmp_path / name
        (folder / ".laion_fmri").mkdir(parents=True)
        (folder / ".laion_fmri/license_accepted").touch()
        dataset_initialize(str(folder))
        monkeypatch.setattr("laion_fmri.download._last_data_dir", [])
        return folder

    return make


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in stamps(root)}


def edited(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


# ---------------------------------------------------------------- what is written down


def test_a_lock_file_has_what_a_paper_needs_and_is_of_the_schema(session, locked):
    text = locked.read_text()
    lock = json.loads(text)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(lock)
    dataset = load_catalog().dataset
    assert (lock["dataset"], lock["release"], lock["citation"]) == (dataset.name, dataset.release, dataset.citation)
    assert lock["catalog_sha256"] == hashlib.sha256(catalog_path().read_bytes()).hexdigest()
    assert lock["licenses"] == [{"license": "CC0-1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}]
    files = {file["path"]: file for file in lock["files"]}
    assert list(files) == sorted(contents(session))
    (betas, roi) = (files[BETAS], files[place(session, ROI).relative_to(session).as_posix()])
    md5 = hashlib.md5((session / BETAS).read_bytes()).hexdigest()
    assert (betas["artifact"], betas["entities"]) == ("betas", {"subject": "03", "ses": "01"})
    assert (betas["key"], betas["remote"], betas["license"]) == (BETAS, "s3://laion-fmri", "CC0-1.0")
    assert (betas["size"], betas["etag"], betas["md5"]) == ((session / BETAS).stat().st_size, f'"{md5}"', md5)
    assert (roi["key"], roi["entities"]["label"]) == (ROI, "laionlateral")


def test_the_same_data_gives_the_same_bytes(session, locked, another_place, tmp_path):
    os.utime(session / BETAS, (1, 1))
    assert laion_fmri.verify(full=True).complete
    laion_fmri.lock(tmp_path / "later")
    another_place()
    download_session()
    laion_fmri.lock(tmp_path / "another.json")
    assert locked.read_bytes() == (tmp_path / "later").read_bytes() == (tmp_path / "another.json").read_bytes()


def test_the_command_writes_into_the_current_folder(session, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = cli("lock")
    count = len(stamps(session))
    assert ended.code == 0
    assert ended.out.startswith(f"laion-fmri.lock.json: {count} files, ")
    assert len(json.loads((tmp_path / "laion-fmri.lock.json").read_text())["files"]) == count


def test_what_is_not_as_it_was_downloaded_is_named_and_nothing_is_written(session, locked, cli):
    before = locked.read_bytes()
    os.truncate(session / BETAS, 9)
    os.utime(session / TRIALS, (1, 1))
    ended = cli("lock", "--output", locked)
    assert ended.code == 1
    assert f"{BETAS}: it has 9 bytes, not" in ended.err
    assert f"{TRIALS}: it was written since it was downloaded" in ended.err
    assert "laion-fmri verify --full" in ended.err
    assert locked.read_bytes() == before
    assert [path.name for path in locked.parent.iterdir() if "lock" in path.name] == [locked.name]


def test_what_is_gone_is_not_written_down(session, locked):
    (session / BETAS).unlink()
    before = len(json.loads(locked.read_text())["files"])
    assert len(laion_fmri.lock(locked).files) == before - 1


def test_files_from_elsewhere_are_read_and_written_down(server, elsewhere, another_place, tmp_path):
    lock = laion_fmri.lock(tmp_path / "lock.json")
    files = {file.path: file for file in lock.files}
    assert list(files) == sorted(contents(elsewhere))
    assert files[BETAS].sha256 == hashlib.sha256((elsewhere / BETAS).read_bytes()).hexdigest()
    assert (files[BETAS].etag, files[BETAS].md5) == (None, None)
    another = another_place()
    assert download_locked(tmp_path / "lock.json", n_jobs=8).complete
    assert contents(another) == contents(elsewhere)


# ---------------------------------------------------------------- getting exactly that


def test_a_lock_file_brings_exactly_its_files_into_an_empty_folder(agreed, session, another_place, cli, tmp_path):
    download_stimuli()
    assert cli("download-splits").code == 0
    lock = laion_fmri.lock(tmp_path / "lock.json")
    assert {one.license for one in lock.licenses} == {"CC0-1.0", "BSD-3-Clause", "LicenseRef-LAION-fMRI-DUA"}
    another = another_place()
    ended = cli("download", "--locked", tmp_path / "lock.json", "--n-jobs", 4)
    assert ended.code == 0
    assert ended.out.startswith(f"{len(lock.files)} downloaded, 0 skipped, 0 denied, 0 failed; ")
    assert contents(another) == contents(session)
    assert laion_fmri.verify(full=True).complete
    assert laion_fmri.lock(tmp_path / "again.json") == lock


def test_what_is_here_and_right_is_skipped_without_a_network(session, locked, cli, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    before = stamps(session)
    ended = cli("download", "--locked", locked)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"0 downloaded, {len(before)} skipped, 0 denied, 0 failed; ")
    (session / TRIALS).unlink()
    assert cli("download", "--locked", locked).code == 4


def test_what_was_copied_from_elsewhere_is_compared_and_known_from_then_on(session, locked, another_place, monkeypatch):
    another = another_place()
    for path, content in contents(session).items():
        (another / path).parent.mkdir(parents=True, exist_ok=True)
        (another / path).write_bytes(content)
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    assert download_locked(locked).downloaded == ()
    assert laion_fmri.verify().complete
    assert laion_fmri.lock(another / "lock.json").text() == locked.read_text()


def test_what_is_here_with_another_content_is_replaced(session, locked, miniature):
    before = stamps(session)
    for key in (BETAS, TRIALS):
        content = bytearray((session / key).read_bytes())
        content[-1] ^= 1
        (session / key).write_bytes(content)
    os.truncate(session / MODEL, 9)
    assert sorted(download_locked(locked).downloaded) == sorted([BETAS, MODEL, TRIALS])
    assert all((session / key).read_bytes() == (miniature / key).read_bytes() for key in (BETAS, MODEL, TRIALS))
    changed = {path for path, stamp in stamps(session).items() if stamp != before[path]}
    assert changed == {session / key for key in (BETAS, MODEL, TRIALS)}


def test_a_later_version_that_is_here_is_replaced_by_the_one_that_is_locked(server, session, locked, miniature):
    with replaced(server, TRIALS, (miniature / TRIALS).read_bytes()[::-1]):
        assert download_session().downloaded == (TRIALS,)
    assert download_locked(locked).downloaded == (TRIALS,)
    assert (session / TRIALS).read_bytes() == (miniature / TRIALS).read_bytes()


def test_what_changed_at_the_remote_is_named_and_nothing_is_transferred(server, session, locked, another_place, cli):
    same_size = bytes((session / MODEL).stat().st_size)
    another = another_place()
    with replaced(server, TRIALS, b"session\tlabel\n"), replaced(server, MODEL, same_size), replaced(server, BETAS):
        ended = cli("download", "--locked", locked)
        dry = cli("download", "--locked", locked, "--dry-run")
    assert (ended.code, dry.code, dry.err) == (1, 1, ended.err)
    assert f"3 of {len(stamps(session))} files cannot be had as they were: " in ended.err
    assert f"{BETAS} is gone" in ended.err
    assert f"{MODEL} is another version now" in ended.err
    assert f"{TRIALS} has 14 bytes now, not {(session / TRIALS).stat().st_size:,}" in ended.err
    assert stamps(another) == {}


def test_what_the_service_has_changed_is_named(agreed, data_dir, another_place, tmp_path):
    download_stimuli()
    laion_fmri.lock(tmp_path / "lock.json")
    another = another_place()
    name = Path(IMAGES).name
    agreed.publish(name, agreed.contents[name][:-1] + b"!")
    with pytest.raises(LockError, match=rf"1 of 2 files cannot be had as they were: {IMAGES} has another content now"):
        download_locked(tmp_path / "lock.json")
    assert stamps(another) == {}


def test_bytes_that_are_not_those_that_are_locked_are_never_kept(server, elsewhere, another_place, tmp_path):
    laion_fmri.lock(tmp_path / "lock.json")  # of files without receipts, so without their versions
    another = another_place()
    with (
        replaced(server, TRIALS, bytes((elsewhere / TRIALS).stat().st_size)),
        pytest.warns(UserWarning, match=r"trials.tsv was not fetched: .*its SHA256 is"),
    ):
        report = download_locked(tmp_path / "lock.json", n_jobs=8)
    assert report.failed == (TRIALS,)
    assert contents(another) == {path: content for path, content in contents(elsewhere).items() if path != TRIALS}


def test_a_dry_run_shows_the_plan(session, locked, cli):
    (session / TRIALS).unlink()
    ended = cli("download", "--locked", locked, "--dry-run", "--json")
    assert ended.code == 0
    plan = json.loads(ended.out)
    assert (plan["counts"]["download"], plan["counts"]["skip"]) == (1, len(stamps(session)))
    assert not (session / TRIALS).exists()


# ---------------------------------------------------------------- lock files that are not followed


@pytest.mark.parametrize(("field", "value"), [("release", "0.9"), ("dataset", "another")])
def test_another_release_than_the_one_here_is_told(locked, cli, field, value):
    edited(locked, lambda lock: lock.update({field: value}))
    ended = cli("download", "--locked", locked)
    assert ended.code == 1
    assert value in ended.err
    assert f"this version of laion-fmri knows laion-fmri, release {load_catalog().dataset.release}" in ended.err


MISTAKES = {
    "files.0.path: Value error, ../outside: its name would lead out": lambda lock: lock["files"][0].update(
        path="../outside"
    ),
    "files: Value error, README: another key has the same local path": lambda lock: lock["files"].append(
        lock["files"][0]
    ),
    "lock_schema: Input should be '1'": lambda lock: lock.update(lock_schema="2"),
    "colour: Extra inputs are not permitted": lambda lock: lock.update(colour="red"),
    "files.0: Value error, give sha256 or md5": lambda lock: lock["files"][0].pop("md5"),
    "release: Field required, and 1 more": lambda lock: [lock.pop("release"), lock.pop("files")],
}


@pytest.mark.parametrize(("said", "change"), MISTAKES.items(), ids=MISTAKES)
def test_what_is_no_lock_file_is_told_with_its_place(locked, cli, said, change):
    edited(locked, change)
    ended = cli("download", "--locked", locked)
    assert ended.code == 1
    assert f"{locked} is no lock file that this version reads: {said}" in ended.err


def test_what_is_no_json_is_no_lock_file(locked):
    locked.write_bytes(b"betas\n")
    with pytest.raises(LockError, match=r"is no lock file that this version reads: .*Invalid JSON"):
        download_locked(locked)


def test_a_path_that_is_not_that_of_its_key_is_not_written(server, locked, another_place):
    another = another_place()
    edited(locked, lambda lock: lock["files"][0].update(path="sub-03/README"))
    with pytest.raises(LockError, match="sub-03/README is gone"):
        download_locked(locked)
    assert stamps(another) == {}


def test_a_tree_that_the_catalog_does_not_have_is_told(locked, another_place):
    another_place()
    edited(locked, lambda lock: lock["files"][0].update(tree="woods"))
    with pytest.raises(FileNotFoundError, match="has nothing that belongs to woods"):
        download_locked(locked)


@pytest.mark.parametrize("words", [["--ses", "01"], ["--subject", "03"], ["--include-raw"]])
def test_a_lock_file_takes_no_filters(locked, cli, words):
    ended = cli("download", "--locked", locked, *words)
    assert ended.code == 2
    assert f"leave out {words[0]}" in ended.err


def test_without_a_lock_file_a_subject_is_needed(data_dir, cli, tmp_path):
    assert "Missing option '--subject'" in cli("download").err
    ended = cli("download", "--locked", tmp_path / "nowhere.json")
    assert (ended.code, "does not exist" in ended.err) == (2, True)
