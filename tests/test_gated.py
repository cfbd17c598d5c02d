"""Files under an agreement: what is asked, what is fetched, and what is left alone."""

import filecmp
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import laion_fmri
from access_form import PIPED, REQUEST_ID
from laion_fmri import gated
from laion_fmri.catalog import load_catalog
from laion_fmri.cli import main
from laion_fmri.config import get_data_dir
from laion_fmri.display import access_text
from laion_fmri.download import accept_license, download, download_stimuli
from laion_fmri.errors import (
    AccessPendingError,
    AccessRevokedError,
    AccessServiceError,
    AgreementNeededError,
    DataNotDownloadedError,
    OfflineError,
    TermsOutdatedError,
)
from laion_fmri.local import artifact_source
from laion_fmri.sandbox.access import Member
from laion_fmri.sandbox.web import Answer
from laion_fmri.storage.plan import Action

IMAGES, TABLE = "task-images_stimuli.h5", "task-images_metadata.csv"
KEYS = (f"stimuli/{IMAGES}", f"stimuli/{TABLE}")
MANIFEST, REQUEST, REFRESH = "api/v1/manifest", "api/v1/access/request", "api/v1/refresh"


def member(service, **how):
    """Make an agreement, and keep its identifier as a form would have."""
    service.members[REQUEST_ID] = Member({}, **{"terms_version": service.terms_version, **how})
    path = Path.home() / ".cache/laion-fmri/auth.json"
    path.parent.mkdir(mode=0o700, parents=True)
    path.touch(0o600)
    path.write_text(json.dumps({"request_id": REQUEST_ID}))
    return path


@pytest.fixture
def agreed(service):
    member(service)
    return service


@pytest.fixture
def typed(monkeypatch):
    """Somebody who fills in the form."""
    monkeypatch.setattr("sys.stdin", io.StringIO(PIPED))


@pytest.fixture
def nobody(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def paths(service):
    return [path for _, path in service.asked]


def is_whole(service, data_dir):
    return all((data_dir / "stimuli" / name).read_bytes() == content for name, content in service.contents.items())


# ---------------------------------------------------------------- the ways to the files


def test_the_first_download_shows_the_form_and_brings_both_files(service, data_dir, typed, capsys):
    assert download_stimuli() == {name: data_dir / "stimuli" / name for name in (IMAGES, TABLE)}
    assert is_whole(service, data_dir)
    assert paths(service)[:2] == [MANIFEST, REQUEST]
    assert REFRESH not in paths(service)
    assert "Full name" in capsys.readouterr().out


def test_a_later_download_uses_the_agreement_that_is_kept(agreed, data_dir, nobody):
    download_stimuli()
    assert is_whole(agreed, data_dir)
    assert paths(agreed)[:2] == [MANIFEST, REFRESH]


def test_no_licence_of_the_public_data_is_asked_for(agreed, fresh_dir, nobody, capsys):
    download_stimuli()
    assert "I AGREE" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "how",
    [
        lambda: artifact_source("stimuli").download(n_jobs=2),
        lambda: main(["download-stimuli"]),
        lambda: download("sub-03", ses="averages", include_stimuli=True),
        lambda: main(["download", "--subject", "03", "--ses", "averages", "--include-stimuli"]),
    ],
)
def test_every_door_brings_them(agreed, data_dir, how):
    how()
    assert is_whole(agreed, data_dir)


def test_the_files_of_a_subject_come_first_and_count_in_one_report(agreed, data_dir):
    links, seen = agreed._links, []

    def looking(request):
        seen.extend((data_dir / "derivatives").rglob("*R2mean*.nii.gz"))
        return links(request)

    agreed._links = looking
    report = download("sub-03", ses="averages", include_stimuli=True)
    assert len(seen) == 1
    assert set(report.downloaded[-2:]) == set(KEYS)
    assert report.matched == len(report.downloaded) > len(KEYS)


def test_the_dry_run_shows_them_and_needs_no_agreement(service, data_dir, capsys):
    assert main(["download", "--subject", "03", "--ses", "averages", "--include-stimuli", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    sizes = {file["key"]: file["size"] for file in plan["files"] if file["tree"] == "stimuli"}
    assert sizes == {f"stimuli/{name}": len(content) for name, content in service.contents.items()}
    assert paths(service) == [MANIFEST]


def test_another_data_directory_and_another_address_may_be_named(agreed, server, data_dir, tmp_path, monkeypatch):
    address = server.addresses["LAION_FMRI_ACCESS_URL"]
    monkeypatch.setenv("LAION_FMRI_ACCESS_URL", "https://nobody.invalid")
    found = download_stimuli(tmp_path, f"{address}/")
    assert found[IMAGES] == tmp_path / "stimuli" / IMAGES
    assert not (data_dir / "stimuli").exists()


# ---------------------------------------------------------------- what is here is left alone


def test_files_that_are_here_ask_for_nothing_but_the_manifest(service, here_images, nobody, monkeypatch):
    monkeypatch.setenv("HOME", "/nowhere")
    assert set(download_stimuli()) == {IMAGES, TABLE}
    assert paths(service) == [MANIFEST]


def test_files_that_were_copied_from_another_machine_are_recognised(service, here_images, data_dir, tmp_path, nobody):
    copy = tmp_path / "cluster"
    shutil.copytree(here_images / "stimuli", copy / "stimuli")
    before = {path: path.stat().st_mtime_ns for path in (copy / "stimuli").iterdir()}
    assert all(path.is_file() for path in download_stimuli(copy).values())
    assert {path: path.stat().st_mtime_ns for path in (copy / "stimuli").iterdir()} == before
    assert paths(service) == [MANIFEST]


def test_a_file_is_hashed_once_as_long_as_it_stays(service, here_images, monkeypatch):
    hashed = []

    def counting(path, algorithm):
        hashed.append(path.name)
        return digest(path, algorithm)

    digest = gated.file_digest
    monkeypatch.setattr(gated, "file_digest", counting)
    download_stimuli()
    download_stimuli()
    assert sorted(hashed) == [TABLE, IMAGES]


@pytest.mark.parametrize("kept", ["", "[]", '{"stimuli/task-images_stimuli.h5": 3}', '{"path": "x"}\n{"pa', "\0\xff"])
def test_checksums_of_damaged_receipts_are_computed_anew(service, here_images, kept):
    receipts = here_images / ".laion_fmri" / "receipts"
    receipts.mkdir()
    (receipts / "1.jsonl").write_text(kept, encoding="latin-1")
    download_stimuli()
    assert paths(service) == [MANIFEST]


def test_a_data_directory_that_cannot_be_written_is_enough_for_files_that_are_here(service, here_images):
    (here_images / ".laion_fmri" / "receipts").touch()
    assert set(download_stimuli()) == {IMAGES, TABLE}


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-9], lambda content: bytes(len(content)), lambda content: b""]
)
def test_a_file_with_another_size_or_another_content_is_fetched_anew(agreed, here_images, damage):
    path = here_images / "stimuli" / IMAGES
    path.write_bytes(damage(path.read_bytes()))
    report = artifact_source("stimuli").download()
    assert report.downloaded == (KEYS[0],)
    assert report.skipped == (KEYS[1],)
    assert is_whole(agreed, here_images)


def test_a_new_release_of_one_file_brings_that_file(agreed, here_images):
    agreed.publish(TABLE, agreed.contents[TABLE] + b"new,,,,\n")
    assert artifact_source("stimuli").download().downloaded == (KEYS[1],)
    assert is_whole(agreed, here_images)


# ---------------------------------------------------------------- agreements that do not hold


def test_an_agreement_that_the_service_has_forgotten_is_asked_for_again(agreed, data_dir, typed, capsys):
    agreed.members.clear()
    download_stimuli()
    assert is_whole(agreed, data_dir)
    assert "does not know the agreement of" in capsys.readouterr().err
    assert paths(agreed)[:3] == [MANIFEST, REFRESH, REQUEST]


def test_a_forgotten_identifier_of_the_environment_is_named(service, data_dir, typed, monkeypatch, capsys):
    monkeypatch.setenv("LAION_FMRI_REQUEST_ID", REQUEST_ID)
    download_stimuli()
    said = capsys.readouterr().err
    assert "LAION_FMRI_REQUEST_ID (any more); unset LAION_FMRI_REQUEST_ID" in said
    assert REQUEST_ID not in said


def test_the_identifier_of_the_environment_is_enough_on_a_cluster(service, data_dir, nobody, monkeypatch):
    service.members["lfm_of_the_laptop"] = Member({}, service.terms_version)
    monkeypatch.setenv("LAION_FMRI_REQUEST_ID", "lfm_of_the_laptop")
    download_stimuli()
    assert is_whole(service, data_dir)
    assert not (Path.home() / ".cache" / "laion-fmri").exists()


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"state": "revoked"}, AccessRevokedError, "laion-fmri request-access"),
        ({"state": "pending"}, AccessPendingError, "run the same again later"),
        ({"terms_version": "2020-01-01"}, TermsOutdatedError, "accept them there, and run the same again"),
    ],
)
@pytest.mark.usefixtures("data_dir")
def test_an_agreement_that_does_not_hold_says_what_to_do(service, capsys, how, error, said):
    kept = member(service, **how)
    with pytest.raises(error, match=said):
        download_stimuli()
    assert main(["download-stimuli"]) == 3
    assert said in capsys.readouterr().err
    assert not Path(get_data_dir(), "stimuli").exists()
    assert kept.exists()


def test_changed_terms_are_accepted_on_the_page_that_the_error_names(service, data_dir, nobody):
    import urllib.request

    member(service, terms_version="2020-01-01")
    with pytest.raises(TermsOutdatedError) as error:
        download_stimuli()
    assert error.value.terms_version == service.terms_version
    with urllib.request.urlopen(error.value.accept_url) as page:
        assert b"I accept" in page.read()
    urllib.request.urlopen(error.value.accept_url, data=b"").close()
    download_stimuli()
    assert is_whole(service, data_dir)


def test_a_request_that_waits_is_kept_and_works_when_it_is_approved(service, data_dir, typed):
    service.approves = False
    with pytest.raises(AccessPendingError):
        download_stimuli()
    with pytest.raises(AccessPendingError):
        download_stimuli()
    service.approve()
    download_stimuli()
    assert is_whole(service, data_dir)
    assert len(service.members) == 1


def test_without_an_agreement_and_without_a_terminal_the_exit_code_is_that_of_consent(service, data_dir, nobody):
    assert main(["download-stimuli"]) == 3
    with pytest.raises(AgreementNeededError):
        download("sub-03", ses="averages", include_stimuli=True)
    assert not (data_dir / "derivatives").exists()


def test_what_came_before_the_images_is_told_though_they_do_not_come(agreed, data_dir, capsys):
    agreed.terms_version = "2099-01-01"
    assert main(["download", "--subject", "03", "--ses", "averages", "--include-stimuli"]) == 3
    said = capsys.readouterr()
    assert int(said.out.split()[0]) > 0
    assert "terms of use have changed" in said.err
    with pytest.raises(TermsOutdatedError) as caught:
        download("sub-03", ses="averages", include_stimuli=True)
    assert len(caught.value.report.skipped) == int(said.out.split()[0])


@pytest.mark.parametrize(
    ("trouble", "said"),
    [(Answer(b"{}", 429), "Rate limit"), (Answer(b"{}", 500), "HTTP 500"), (Answer(b"<html>"), "not what an access")],
)
def test_trouble_of_the_service_is_told_with_exit_code_1(agreed, data_dir, capsys, trouble, said):
    agreed.trouble = trouble
    assert main(["download-stimuli"]) == 1
    assert said in capsys.readouterr().err


def test_what_the_terms_are_now_is_remembered_with_the_agreement(service, data_dir, nobody):
    kept = member(service)
    assert "terms_version" not in json.loads(kept.read_text())
    download_stimuli()
    assert json.loads(kept.read_text())["terms_version"] == service.terms_version


# ---------------------------------------------------------------- the transfer


def test_a_file_that_is_another_one_than_the_manifest_says_is_never_kept(agreed, data_dir, nobody):
    agreed.contents[TABLE] = bytes(len(agreed.contents[TABLE]))
    with pytest.warns(UserWarning, match=TABLE), pytest.raises(AccessServiceError, match=TABLE):
        download_stimuli()
    assert not (data_dir / "stimuli" / TABLE).exists()


def test_a_link_to_another_host_is_refused(agreed, data_dir, nobody):
    links = agreed._links

    def elsewhere(request):
        found = links(request)
        for file in found["files"]:
            file["url"] = file["url"].replace("127.0.0.1", "127.0.0.2")
        return found

    agreed._links = elsewhere
    with pytest.warns(UserWarning, match="none of the hosts"), pytest.raises(AccessServiceError):
        download_stimuli()
    assert not [path for path in paths(agreed) if path.startswith("files/")]


def test_a_payload_without_a_file_that_is_needed_is_told(agreed, data_dir, nobody):
    links = agreed._links
    agreed._links = lambda request: {**links(request), "files": links(request)["files"][1:]}
    with pytest.warns(UserWarning, match=f"gave no link to {IMAGES}"), pytest.raises(AccessServiceError):
        download_stimuli()
    assert (data_dir / "stimuli" / TABLE).exists()


def test_the_table_comes_from_the_bucket_where_the_service_does_not_name_it(agreed, data_dir, miniature, nobody):
    del agreed.published[TABLE]
    found = download_stimuli()
    assert filecmp.cmp(found[TABLE], miniature / "stimuli" / TABLE, shallow=False)
    assert f"files/{TABLE}" not in paths(agreed)


def test_images_that_the_service_does_not_name_are_not_looked_for_elsewhere(agreed, data_dir, nobody):
    del agreed.published[IMAGES]
    with pytest.raises(AccessServiceError, match=f"does not have {IMAGES}"):
        download_stimuli()


# ---------------------------------------------------------------- offline


def test_offline_what_is_here_is_taken_as_it_is(service, here_images, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    assert set(download_stimuli()) == {IMAGES, TABLE}
    assert len(laion_fmri.open_catalog().stimuli.read()) > 0
    assert service.asked == []


def test_offline_what_is_missing_is_named_with_exit_code_4(service, here_all, monkeypatch, capsys):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    with pytest.raises(OfflineError):
        download_stimuli()
    assert main(["download-stimuli"]) == 4
    said = capsys.readouterr().err
    assert str(here_all / "stimuli" / IMAGES) in said
    assert TABLE not in said
    assert "laion-fmri download-stimuli" in said


def test_reading_images_uses_no_network_and_no_agreement(here_images):
    code = (
        "import socket; socket.socket.connect = None; import laion_fmri; "
        "print(laion_fmri.open_catalog().stimuli.read(images='shared_4rep_NSD_special100_2.jpg').shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "(1, 50, 50, 3)"


# ---------------------------------------------------------------- elsewhere


def test_nothing_else_asks_for_the_agreement(service, data_dir, nobody):
    accept_license()
    assert main(["download-metadata"]) == 0
    assert {path.name for path in (data_dir / "stimuli").iterdir()} == {TABLE}
    assert service.asked == []


def test_reading_images_that_are_not_here_names_the_command(here_all):
    with pytest.raises(
        DataNotDownloadedError, match=f"stimuli is not downloaded: .*{IMAGES}; run: laion-fmri download-st"
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


def test_a_plan_shows_both_files(service, data_dir):
    plan = artifact_source("stimuli").plan()
    assert {file.key: file.tree for file in plan.of(Action.DOWNLOAD)} == dict.fromkeys(KEYS, "stimuli")
    assert paths(service) == [MANIFEST]
