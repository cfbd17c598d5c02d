"""Where the identifier of an agreement is kept, and who may read it."""

import json
import os
import stat

import pytest
from pydantic import SecretStr

from access_form import REQUEST_ID
from laion_fmri._stimulus_access import auth_dir, auth_path
from laion_fmri.access import credentials
from laion_fmri.access.credentials import Identity
from laion_fmri.errors import AccessServiceError

URL = "https://service.example"
IDENTITY = Identity(SecretStr(REQUEST_ID), "", "2026-05-12", SecretStr("a@b.example"))


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def test_what_is_saved_is_loaded_and_shown_nowhere(no_config):
    path = credentials.save(IDENTITY, URL)
    assert path == auth_path() == no_config / ".cache" / "laion-fmri" / "auth.json"
    found = credentials.load(URL)
    assert found.request_id.get_secret_value() == REQUEST_ID
    assert found.terms_version == "2026-05-12"
    assert found.origin == str(path)
    assert REQUEST_ID not in f"{found!r} {found}"
    assert "a@b.example" not in f"{found!r} {found}"


def test_the_file_has_the_keys_that_other_clients_read():
    content = json.loads(credentials.save(IDENTITY, f"{URL}").read_text())
    assert content["request_id"] == REQUEST_ID
    assert content["server_url"] == URL
    assert content["email"] == "a@b.example"
    assert content["saved_at"].endswith("+00:00")


def test_file_and_folder_are_for_their_owner_alone_whatever_the_umask(umask):
    path = credentials.save(IDENTITY, URL)
    assert mode(path) == 0o600
    assert mode(auth_dir()) == 0o700


def test_a_folder_that_is_open_to_others_is_closed(no_config):
    auth_dir().mkdir(parents=True)
    auth_dir().chmod(0o777)
    credentials.save(IDENTITY, URL)
    assert mode(auth_dir()) == 0o700


def test_the_file_is_closed_to_others_before_anything_is_in_it(monkeypatch):
    modes = []

    def looking(fd):
        (part,) = auth_dir().glob(".*")
        modes.append((mode(part), part.stat().st_size))
        sync(fd)

    sync = os.fsync
    monkeypatch.setattr(os, "fsync", looking)
    before = os.umask(0)
    try:
        credentials.save(IDENTITY, URL)
    finally:
        os.umask(before)
    assert [found for found, _ in modes] == [0o600]


def test_a_file_that_others_can_read_is_closed_and_told():
    path = credentials.save(IDENTITY, URL)
    path.chmod(0o644)
    with pytest.warns(UserWarning, match="could be read by others; it is now for you alone"):
        assert credentials.load(URL).request_id == IDENTITY.request_id
    assert mode(path) == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(monkeypatch):
    path = credentials.save(IDENTITY, URL)
    before = path.read_bytes()

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        credentials.save(Identity(SecretStr("other"), ""), URL)
    assert path.read_bytes() == before
    assert list(auth_dir().iterdir()) == [path]


@pytest.mark.parametrize("what", ["file", "folder", "dangling"])
@pytest.mark.parametrize("how", [lambda: credentials.load(URL), lambda: credentials.save(IDENTITY, URL)])
def test_a_symbolic_link_is_refused_and_not_followed(no_config, tmp_path, what, how):
    elsewhere = tmp_path / "elsewhere"
    auth_dir().parent.mkdir(parents=True, exist_ok=True)
    if what == "folder":
        elsewhere.mkdir()
        auth_dir().symlink_to(elsewhere)
    else:
        auth_dir().mkdir()
        auth_path().symlink_to(elsewhere)
        if what == "file":
            elsewhere.write_text("{}")
    with pytest.raises(AccessServiceError, match=r"is a symbolic link, .*; remove it: rm "):
        how()
    assert not elsewhere.is_file() or elsewhere.read_text() == "{}"
    assert not elsewhere.is_dir() or not list(elsewhere.iterdir())


def test_a_cache_folder_that_is_a_link_to_another_disk_is_fine(no_config, tmp_path):
    (tmp_path / "scratch").mkdir()
    (no_config / ".cache").symlink_to(tmp_path / "scratch")
    credentials.save(IDENTITY, URL)
    assert credentials.load(URL).request_id == IDENTITY.request_id


def test_the_environment_wins_and_its_blanks_do_not_count(monkeypatch):
    credentials.save(IDENTITY, URL)
    monkeypatch.setenv("LAION_FMRI_REQUEST_ID", "  lfm_of_the_cluster\n")
    found = credentials.load(URL)
    assert (found.request_id.get_secret_value(), found.origin) == ("lfm_of_the_cluster", "LAION_FMRI_REQUEST_ID")
    monkeypatch.setenv("LAION_FMRI_REQUEST_ID", "  ")
    assert credentials.load(URL).request_id == IDENTITY.request_id


def test_an_identifier_is_for_the_service_that_gave_it():
    credentials.save(IDENTITY, URL)
    assert credentials.load("https://other.example") is None


def test_a_file_of_another_client_without_a_service_is_taken():
    auth_dir().mkdir(parents=True)
    auth_path().write_text(json.dumps({"request_id": REQUEST_ID}))
    auth_path().chmod(0o600)
    assert credentials.load(URL).request_id.get_secret_value() == REQUEST_ID


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"request_id": ""}', '{"request_id": 7}', '{"email": "a"}', "\xff", "[" * 9999]
)
def test_a_damaged_file_is_no_agreement(content):
    auth_dir().mkdir(parents=True)
    auth_path().write_bytes(content.encode("latin-1"))
    auth_path().chmod(0o600)
    assert credentials.load(URL) is None
