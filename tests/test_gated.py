"""Files under an agreement: shown everywhere, listed by the bucket, and not downloaded yet."""

from pathlib import Path

import pytest

import laion_fmri
from laion_fmri.catalog import load_catalog
from laion_fmri.cli import main
from laion_fmri.display import access_text
from laion_fmri.download import accept_license
from laion_fmri.errors import AccessServiceError, DataNotDownloadedError
from laion_fmri.fetch import ask_consent
from laion_fmri.local import artifact_source
from laion_fmri.storage.plan import Action

KEY = "stimuli/task-images_stimuli.h5"
TERMS, APPLY = "https://laion-fmri.hebartlab.com/terms", "https://laion-fmri.hebartlab.com/request"


def test_a_download_is_refused_with_the_terms_and_where_to_apply(server, data_dir):
    with pytest.raises(AccessServiceError, match="data-use agreement") as error:
        laion_fmri.open_catalog().stimuli.download()
    assert isinstance(error.value, RuntimeError)
    for part in (TERMS, APPLY, "does not fetch them yet", str(data_dir)):
        assert part in str(error.value)
    assert not (data_dir / "stimuli").exists()


def test_the_command_ends_with_the_exit_code_of_consent(server, data_dir, capsys):
    assert main(["download-stimuli"]) == 3
    said = capsys.readouterr()
    assert APPLY in said.err
    assert "I AGREE" not in said.out


def test_images_that_are_here_are_no_reason_to_refuse(server, here_images):
    assert main(["download-stimuli"]) == 0
    report = artifact_source("stimuli").download()
    assert KEY in report.skipped
    assert report.complete


def test_images_that_were_cut_short_are_denied_by_the_bucket_and_left_alone(server, here_images):
    path = here_images / KEY
    path.write_bytes(path.read_bytes()[:-9])
    before = path.read_bytes()
    with pytest.warns(UserWarning, match=f"Access denied: .*{KEY}"):
        report = artifact_source("stimuli").download()
    assert report.denied == (KEY,)
    assert path.read_bytes() == before


def test_a_plan_shows_the_images_and_their_table(server, data_dir):
    plan = artifact_source("stimuli").plan()
    assert {file.key: file.tree for file in plan.of(Action.DOWNLOAD)} == {
        KEY: "stimuli",
        "stimuli/task-images_metadata.csv": "metadata",
    }


def test_nothing_else_asks_for_the_agreement(server, fresh_dir, monkeypatch):
    monkeypatch.setattr("builtins.input", None)
    (fresh_dir / ".laion_fmri").mkdir(exist_ok=True)
    (fresh_dir / ".laion_fmri/license_accepted").touch()
    accept_license()
    assert main(["download-metadata"]) == 0
    assert {path.name for path in (fresh_dir / "stimuli").iterdir()} == {"task-images_metadata.csv"}


def test_reading_images_that_are_not_here_names_the_command(here_all):
    with pytest.raises(
        DataNotDownloadedError, match=f"stimuli is not downloaded: .*{KEY}; run: laion-fmri download-st"
    ):
        laion_fmri.open_catalog().stimuli.read()


def test_ls_shows_the_policy_and_whether_the_file_is_here(here_images, capsys):
    assert main(["ls"]) == 0
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["stimuli"]]
    assert "agreement" in row
    assert main(["ls", "stimuli"]) == 0
    assert "1 of 1 files here" in capsys.readouterr().out


def test_an_artifact_says_in_a_few_words_that_there_is_an_agreement():
    policy = load_catalog().artifact("stimuli").access
    assert access_text(policy) == "LicenseRef-LAION-fMRI-DUA, under an agreement"
    assert "under an agreement" in repr(laion_fmri.open_catalog().stimuli)


def test_a_tree_with_gated_files_is_refused_as_a_whole(tmp_path):
    with pytest.raises(AccessServiceError):
        ask_consent([load_catalog().artifact("stimuli").access], tmp_path, Path())
