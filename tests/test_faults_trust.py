"""Proxies, certificates and who may be asked: what the environment says holds, and nothing is ever left unchecked."""

import hashlib

import pytest

from certificates import make_certificates
from fault_bucket import OBJECTS, SMALL, fetched, holds
from fault_server import running_server
from laion_fmri.download import download
from laion_fmri.errors import RemoteError

AUTHORITIES = ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"]
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in (*AUTHORITIES, "CURL_CA_BUNDLE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def secured(data_dir, no_proxies, patience, tmp_path, monkeypatch):
    """A bucket over https, and the certificate of the authority that vouches for it."""
    patience(pause=0, tries=3, progress=1)
    trusted, context = make_certificates(tmp_path)
    with running_server(OBJECTS, context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        yield server, trusted


# ---------------------------------------------------------------- N2, N14: certificates


def test_a_certificate_that_nobody_vouches_for_is_refused_and_not_tried_again(secured, data_dir):
    server, _ = secured
    with pytest.raises(RemoteError, match=r"(?i)certificate"):
        download("sub-03", ses="01")
    assert server.asked == []
    assert server.accepted <= 3  # one for each listing
    assert holds(data_dir, {})


@pytest.mark.parametrize("name", AUTHORITIES)
def test_an_own_authority_is_trusted(secured, data_dir, monkeypatch, name):
    _, trusted = secured
    monkeypatch.setenv(name, str(trusted))
    assert fetched()[0].complete
    assert holds(data_dir, OBJECTS)


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "SSL_CERT_DIR"])
def test_a_folder_of_authorities_is_trusted(secured, data_dir, tmp_path, monkeypatch, name):
    _, trusted = secured
    folder = tmp_path / "authorities"
    folder.mkdir()
    issuer = bytes.fromhex("310e300c06035504030c05") + b"tests"  # CN=Tests, in the spelling that OpenSSL hashes
    number = int.from_bytes(hashlib.sha1(issuer).digest()[:4], "little")
    (folder / f"{number:08x}.0").write_bytes(trusted.read_bytes())
    monkeypatch.setenv(name, str(folder))
    assert fetched()[0].complete
    assert holds(data_dir, OBJECTS)


def test_a_certificate_for_another_host_is_refused(data_dir, no_proxies, tmp_path, monkeypatch):
    trusted, context = make_certificates(tmp_path, "127.0.0.2")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted))
    with running_server(OBJECTS, context) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.address)
        with pytest.raises(RemoteError, match=r"(?i)certificate"):
            download("sub-03", ses="01")
        assert server.asked == []


def test_an_authority_that_is_not_there_is_named(secured, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(RemoteError, match=r"gone\.pem"):
        download("sub-03", ses="01")


def test_a_file_without_certificates_makes_nobody_trusted(secured, monkeypatch, tmp_path):
    server, _ = secured
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(nothing))
    with pytest.raises(RemoteError, match=r"(?i)certificate"):
        download("sub-03", ses="01")
    assert server.asked == []


# ---------------------------------------------------------------- N14: proxies


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_a_proxy_of_the_environment_is_asked(faulty, no_proxies, data_dir, monkeypatch, name):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", NOBODY)
    monkeypatch.setenv(name, faulty.proxy)
    assert fetched()[0].complete
    assert holds(data_dir, OBJECTS)
    assert all(asked.target.startswith(f"{NOBODY}/laion-fmri") for asked in faulty.asked)


@pytest.mark.parametrize("but", ["127.0.0.1", "*", "other.example,127.0.0.1"])
def test_what_is_excepted_from_the_proxy_is_asked_directly(faulty, no_proxies, data_dir, monkeypatch, but):
    monkeypatch.setenv("http_proxy", NOBODY)
    monkeypatch.setenv("no_proxy", but)
    assert fetched()[0].complete
    assert all(asked.target.startswith("/laion-fmri") for asked in faulty.asked)


def test_https_goes_through_the_proxy_unread(secured, data_dir, monkeypatch):
    server, trusted = secured
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", server.proxy)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(trusted))
    assert fetched()[0].complete
    assert holds(data_dir, OBJECTS)
    tunnels = [asked.target for asked in server.asked if asked.method == "CONNECT"]
    assert set(tunnels) == {"127.0.0.1:9"}


def test_https_through_a_proxy_is_checked_as_well(secured, monkeypatch):
    server, _ = secured
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", server.proxy)
    with pytest.raises(RemoteError, match=r"(?i)certificate"):
        download("sub-03", ses="01")
    assert [asked for asked in server.asked if asked.method != "CONNECT"] == []


def test_a_proxy_that_is_down_is_told(faulty, no_proxies, monkeypatch):
    monkeypatch.setenv("http_proxy", NOBODY)
    with pytest.raises(RemoteError, match="proxy"):
        download("sub-03", ses="01")
    assert faulty.asked == []


def test_no_password_of_the_machine_is_sent(faulty, no_proxies, no_config, data_dir, monkeypatch):
    kept = no_config / ".netrc"
    kept.write_text("machine 127.0.0.1 login me password canary\n")
    kept.chmod(0o600)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    assert fetched()[0].complete
    assert faulty.gets(SMALL)
    assert not [asked for asked in faulty.asked if "authorization" in asked.headers]
