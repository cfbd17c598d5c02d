"""What is agreed to and what is here; accepting the licence where nobody can type; the end of an agreement."""

import json
import shutil
import subprocess
import sys
from collections import namedtuple

import pytest

from access_form import REQUEST_ID
from laion_fmri.cli import main
from laion_fmri.download import download_stimuli
from terminal import terminal

IMAGES, TABLE = "task-images_stimuli.h5", "task-images_metadata.csv"
MARKER = ".laion_fmri/license_accepted"
Ended = namedtuple("Ended", "code out err")


@pytest.fixture
def cli(capsys):
    def call(*words):
        capsys.readouterr()
        code = main(words)
        return Ended(code, *capsys.readouterr())

    return call


def line(ended, start):
    (found,) = [text for text in ended.out.splitlines() if text.startswith(start)]
    return found


# ---------------------------------------------------------------- status


def test_status_of_an_empty_data_directory_names_the_next_commands(service, fresh_dir, cli):
    ended = cli("status")
    assert ended.code == 0
    assert line(ended, "Data directory:") == f"Data directory: {fresh_dir}"
    assert line(ended, "CC0-1.0:") == "CC0-1.0: not accepted yet; run: laion-fmri accept-license"
    said = line(ended, "LicenseRef-LAION-fMRI-DUA:")
    assert said.endswith("no agreement yet, run: laion-fmri request-access; the terms are at v2026-05-12")
    assert line(ended, "stimuli ").split() == ["stimuli", "0", "1", "-", "laion-fmri", "download-stimuli"]
    assert line(ended, "betas ").split()[1:3] == ["0", "150"]


def test_status_counts_what_is_here_and_what_is_missing(service, here, cli):
    found = json.loads(cli("status", "--json").out)
    artifacts = {artifact["artifact"]: artifact for artifact in found["artifacts"]}
    assert (artifacts["trials"]["here"], artifacts["trials"]["missing"]) == (2, 148)
    assert artifacts["rois"]["here"] > 0
    assert artifacts["rois"]["missing"] is None
    assert artifacts["trials"]["bytes"] == sum(path.stat().st_size for path in here.rglob("*_trials.tsv"))
    assert found["licences"] == [{"license": "CC0-1.0", "accepted": True, "said": "accepted for this data directory"}]


def test_status_shows_the_agreement_with_its_terms_and_the_end_of_its_identifier(agreed, data_dir, cli):
    download_stimuli()
    said = line(cli("status"), "LicenseRef")
    assert "identifier ****ests of " in said
    assert said.endswith("terms v2026-05-12 accepted, which hold now")
    agreed.terms_version = "2027-01-01"
    said = line(cli("status"), "LicenseRef")
    assert "terms v2026-05-12 accepted, but the terms are at v2027-01-01" in said


def test_status_of_an_identifier_of_the_environment(service, data_dir, cli, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_REQUEST_ID", REQUEST_ID)
    ended = cli("status")
    assert "of LAION_FMRI_REQUEST_ID" in line(ended, "LicenseRef")
    assert REQUEST_ID not in ended.out


def test_status_uses_no_network_when_it_may_not(service, data_dir, cli, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    ended = cli("status")
    assert ended.code == 0
    assert "not known now: LAION_FMRI_OFFLINE is set" in ended.out
    assert service.asked == []


def test_status_asks_the_service_for_nothing_but_its_manifest(agreed, data_dir, cli):
    cli("status")
    assert agreed.asked == [("GET", "api/v1/manifest")]


def test_status_lives_with_a_service_that_cannot_be_reached(data_dir, cli, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_ACCESS_URL", "http://127.0.0.1:9")
    ended = cli("status")
    assert ended.code == 0
    assert "cannot reach http://127.0.0.1:9" in ended.out


# ---------------------------------------------------------------- accept-license


def test_the_licence_is_accepted_on_a_terminal_once(fresh_dir, cli):
    with terminal("accept-license") as screen:
        screen.until('Type "I AGREE" to accept')
        screen.types("I AGREE\n")
        screen.until("CC0-1.0 is accepted")
        assert screen.ends() == 0
    assert (fresh_dir / MARKER).exists()
    assert cli("accept-license").out == f"CC0-1.0 was accepted before for {fresh_dir}\n"


def test_the_licence_is_accepted_where_nobody_can_type(fresh_dir, cli):
    ended = cli("accept-license", "--yes")
    assert ended.code == 0
    assert "creativecommons.org/publicdomain/zero/1.0" in ended.out
    assert (fresh_dir / MARKER).exists()


@pytest.mark.parametrize("stdin", ["", "i agree\n", "yes\n", None])
@pytest.mark.parametrize("words", [["accept-license"], ["download-captions"]])
def test_without_the_answer_the_error_has_the_command(server, fresh_dir, stdin, words):
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    program = [sys.executable, "-m", "laion_fmri.cli"]
    done = subprocess.run([*program, *words], capture_output=True, text=True, timeout=120, check=False, **given)
    assert done.returncode == 3
    assert done.stderr.endswith("laion-fmri accept-license (where nobody can type: laion-fmri accept-license --yes)\n")
    assert not (fresh_dir / MARKER).exists()


# ---------------------------------------------------------------- purge


def test_a_purge_shows_what_goes_and_asks(agreed, here_images, no_config):
    kept = no_config / ".cache/laion-fmri/auth.json"
    with terminal("purge-stimuli") as screen:
        screen.until(str(here_images / "stimuli" / IMAGES))
        screen.until(str(kept))
        screen.until('Type "yes"')
        assert (here_images / "stimuli" / IMAGES).exists()
        screen.types("yes\n")
        assert screen.ends() == 0
    assert not (here_images / "stimuli" / IMAGES).exists()
    assert not kept.exists()
    assert (here_images / "stimuli" / TABLE).exists()


@pytest.mark.parametrize("answer", ["no", "", "YES please"])
def test_a_purge_that_is_not_confirmed_removes_nothing(agreed, here_images, no_config, answer):
    with terminal("purge-stimuli") as screen:
        screen.until('Type "yes"')
        screen.types(f"{answer}\n")
        screen.until("nothing was removed")
        assert screen.ends() == 3
    assert (here_images / "stimuli" / IMAGES).exists()
    assert (no_config / ".cache/laion-fmri/auth.json").exists()


def test_a_purge_takes_what_unfinished_transfers_left_and_no_other_file(service, here_images, cli):
    part = here_images / "stimuli" / f".{IMAGES}.0a1b2c3d.part"
    part.write_bytes(b"half")
    others = sorted(path for path in here_images.rglob("*") if path.is_file() and IMAGES not in path.name)
    assert cli("purge-stimuli", "--yes").code == 0
    assert not part.exists()
    assert sorted(path for path in here_images.rglob("*") if path.is_file()) == others


def test_a_purge_of_nothing_says_so(service, data_dir, cli):
    assert cli("purge-stimuli") == (0, "There is nothing to remove\n", "")


def test_a_purge_needs_no_network_and_names_the_variable(here_images, cli, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    monkeypatch.setenv("LAION_FMRI_REQUEST_ID", REQUEST_ID)
    ended = cli("purge-stimuli", "--yes")
    assert ended.code == 0
    assert "unset it" in ended.out
    assert REQUEST_ID not in ended.out


def test_images_can_be_downloaded_again_after_a_purge(agreed, data_dir, no_config, cli, tmp_path):
    download_stimuli()
    shutil.copytree(no_config / ".cache", tmp_path / "kept")
    cli("purge-stimuli", "--yes")
    shutil.copytree(tmp_path / "kept", no_config / ".cache", dirs_exist_ok=True)
    assert download_stimuli()[IMAGES].exists()
