"""The client of the access service, over real sockets: what it makes of every answer, and where it does not go."""

import json
import pickle
import socket
import threading
from contextlib import contextmanager

import pytest
from pydantic import SecretStr

from access_form import EMAIL, FORM, REQUEST_ID
from laion_fmri import _constants, _stimulus_access
from laion_fmri import download as downloads
from laion_fmri.access.service import AccessClient
from laion_fmri.catalog import load_catalog
from laion_fmri.errors import (
    AccessNotFoundError,
    AccessRevokedError,
    AccessServiceError,
    LaionFMRIError,
    OfflineError,
    TermsOutdatedError,
)
from laion_fmri.sandbox.web import Answer, serve_web

(_, POLICY), *_ = load_catalog().gated
SECRET = SecretStr(REQUEST_ID)
MANIFEST = {"current_terms_version": "2026-05-12", "files": []}


@contextmanager
def answering(route, **service):
    """A client of a service that answers with a route, or with an answer."""
    asked = []

    def answer(request):
        asked.append(request)
        return route(request) if callable(route) else route

    with serve_web({"access": answer}) as web:
        client = AccessClient(POLICY.service.model_copy(update=service), f"{web.address}/access")
        client.asked = asked
        yield client


def json_answer(content, status=200, **headers):
    return Answer(json.dumps(content).encode(), status, headers)


def refused(status, content, **headers):
    with answering(json_answer(content, status, **headers)) as client, pytest.raises(AccessServiceError) as error:
        client.refresh(SECRET)
    return error.value


# ---------------------------------------------------------------- answers that are as they should be


def test_the_manifest_of_the_miniature(service):
    manifest = AccessClient(POLICY.service).manifest()
    assert manifest.current_terms_version == _stimulus_access.current_terms_version() == "2026-05-12"
    assert {file.name: file.size for file in manifest.files} == {
        name: len(content) for name, content in service.contents.items()
    }


def test_the_client_asks_as_the_protocol_says():
    with answering(json_answer({"expires_at": "soon", "files": []})) as client:
        assert client.refresh(SECRET).expires_at == "soon"
    (request,) = client.asked
    assert (request.method, request.path, request.query) == ("POST", "api/v1/refresh", "")
    assert json.loads(request.body) == {"request_id": REQUEST_ID, "dataset_version": "v1"}
    assert request.headers["Accept"] == request.headers["Content-Type"] == "application/json"
    assert "Authorization" not in request.headers


def test_what_is_not_known_of_an_answer_is_left_aside():
    with answering(json_answer({**MANIFEST, "motd": "hello"})) as client:
        assert client.manifest().files == ()


def test_the_environment_names_the_service(monkeypatch):
    assert AccessClient(POLICY.service).url == "https://laion-fmri.hebartlab.com"
    monkeypatch.setenv("LAION_FMRI_ACCESS_URL", "https://elsewhere.example/")
    assert AccessClient(POLICY.service).url == "https://elsewhere.example"


def test_the_names_of_the_specification():
    assert _constants.ACCESS_SERVICE_URL == "https://laion-fmri.hebartlab.com"
    assert downloads.TermsOutdatedError is _stimulus_access.TermsOutdatedError is TermsOutdatedError
    assert issubclass(TermsOutdatedError, AccessServiceError)
    assert issubclass(AccessRevokedError, RuntimeError)


# ---------------------------------------------------------------- refusals


def test_changed_terms_carry_the_page_and_the_version():
    page = "https://laion-fmri.example/terms/accept?token=1"
    detail = {"error": "terms_outdated", "accept_url": page, "current_terms_version": "2027-01-01"}
    error = refused(403, {"detail": detail})
    assert isinstance(error, TermsOutdatedError)
    assert (error.accept_url, error.terms_version, error.exit_code) == (page, "2027-01-01", 3)
    assert page in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (again.accept_url, str(again)) == (page, str(error))


@pytest.mark.parametrize("page", [None, "javascript:alert(1)", "http://elsewhere.example/x", "https://a\n$ rm -rf"])
def test_a_page_that_cannot_be_trusted_is_replaced_by_that_of_the_catalog(page):
    error = refused(403, {"detail": {"error": "terms_outdated", "accept_url": page}})
    assert error.accept_url.endswith("/access/terms/accept")
    assert error.terms_version == "?"


@pytest.mark.parametrize(
    ("status", "content", "kind", "code", "said"),
    [
        (403, {"detail": "Access Revoked by the lab"}, "AccessRevokedError", 3, "laion-fmri request-access"),
        (403, {"detail": "request is pending"}, "AccessPendingError", 3, "run the same again later"),
        (404, {"detail": "unknown"}, "AccessNotFoundError", 3, "laion-fmri request-access"),
        (429, {"detail": "slow down"}, "AccessServiceError", 1, "Rate limit exceeded"),
        (400, {"detail": "bad"}, "AccessServiceError", 1, "HTTP 400: bad"),
        (401, {"error": "who"}, "AccessServiceError", 1, "HTTP 401: error: who"),
        (403, {"detail": "no"}, "AccessServiceError", 1, "HTTP 403: no"),
        (500, {"detail": "boom"}, "AccessServiceError", 1, "run the same again later"),
        (503, ["a", 1], "AccessServiceError", 1, "HTTP 503: a; 1"),
    ],
)
def test_every_refusal_has_its_error_its_exit_code_and_its_next_step(status, content, kind, code, said):
    error = refused(status, content)
    assert type(error).__name__ == kind
    assert isinstance(error, LaionFMRIError)
    assert error.exit_code == code
    assert said in str(error)


def test_a_busy_service_says_when_to_come_back():
    assert str(refused(429, {}, **{"Retry-After": "75"})).endswith("Run the same again in 75 seconds")
    assert str(refused(429, {}, **{"Retry-After": "Sat, 21 Nov"})).endswith("Run the same again in some minutes")


def test_a_refusal_is_asked_for_once():
    for status in (401, 403, 404, 429, 500, 503):
        with answering(json_answer({}, status)) as client:
            with pytest.raises(AccessServiceError):
                client.refresh(SECRET)
            with pytest.raises(AccessServiceError):
                client.manifest()
        assert len(client.asked) == 2


def test_a_manifest_that_is_not_there_is_no_unknown_agreement():
    with answering(json_answer({"detail": "Not Found"}, 404)) as client, pytest.raises(AccessServiceError) as error:
        client.manifest()
    assert not isinstance(error.value, AccessNotFoundError)
    assert error.value.exit_code == 1


def test_a_long_or_strange_detail_is_one_short_line():
    text = str(refused(418, {"detail": "x" * 9999 + "\n\x1b[31m"}))
    assert "\n" not in text
    assert "\x1b" not in text
    assert len(text) < 600
    with answering(Answer(b"<!doctype html><html>...", 502)) as client, pytest.raises(AccessServiceError) as error:
        client.manifest()
    assert "HTTP 502: the answer is a web page" in str(error.value)


def test_what_was_sent_is_not_shown_when_the_service_repeats_it():
    assert REQUEST_ID not in str(refused(404, {"detail": f"unknown id {REQUEST_ID}"}))

    def repeating(request):
        form = json.loads(request.body)
        return json_answer({"detail": [{"loc": ["body", "email"], "msg": f"bad {form['email']}", "input": form}]}, 422)

    with answering(repeating) as client, pytest.raises(AccessServiceError) as error:
        client.request(FORM)
    assert "body.email: bad ***" in str(error.value)
    assert not [answer for answer in FORM.values() if answer and answer in str(error.value)]


# ---------------------------------------------------------------- answers that are not as they should be


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>hello</html>", "Invalid JSON"),
        (b"", "Invalid JSON"),
        (b"[" * 99_999, "Invalid JSON"),
        (b"[]", "should be"),
        (b'{"files": []}', "current_terms_version: Field required"),
        (b'{"current_terms_version": "1", "files": [{"name": "a", "size": -1, "sha256": "00"}]}', "files.0.size"),
        (b'{"current_terms_version": "1", "files": [{"name": "a", "size": 1, "sha256": "00"}]}', "files.0.sha256"),
    ],
)
def test_an_answer_that_is_no_manifest_is_told_with_its_place(body, said):
    with answering(Answer(body)) as client, pytest.raises(AccessServiceError) as error:
        client.manifest()
    assert said in str(error.value)
    assert "api/v1/manifest: the answer is not what an access service gives" in str(error.value)


def test_an_answer_without_end_is_not_read_to_its_end():
    with answering(Answer(b"[" + b" " * (1 << 24) + b"]")) as client, pytest.raises(AccessServiceError) as error:
        client.manifest()
    assert "longer than 1,048,576 bytes" in str(error.value)


def test_a_wrong_link_is_told_without_its_address():
    files = [{"name": "a", "size": "many", "sha256": "0" * 64, "url": f"https://x/?X-Amz-Signature={EMAIL}"}]
    with answering(json_answer({"files": files})) as client, pytest.raises(AccessServiceError) as error:
        client.refresh(SECRET)
    assert "files.0.size" in str(error.value)
    assert EMAIL not in str(error.value)


def test_a_service_that_does_not_answer_in_time_is_told():
    over = threading.Event()

    def silent(request):
        over.wait(60)
        return json_answer(MANIFEST)

    with answering(silent, timeout=0.2) as client:
        with pytest.raises(AccessServiceError, match=r"broke .ReadTimeout.*run the same again"):
            client.manifest()
        over.set()


def test_a_service_that_cannot_be_reached_is_told_with_the_variable_that_names_it(monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("LAION_FMRI_ACCESS_URL", address)
    with pytest.raises(AccessServiceError) as error:
        AccessClient(POLICY.service).manifest()
    assert f"{address}/api/v1/manifest: cannot reach" in str(error.value)
    assert "LAION_FMRI_ACCESS_URL names this address" in str(error.value)
    assert error.value.exit_code == 1


def test_offline_nothing_is_asked(monkeypatch, service):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    with pytest.raises(OfflineError):
        AccessClient(POLICY.service).manifest()
    assert service.asked == []


# ---------------------------------------------------------------- where it does not go


def redirecting(target, status=307):
    def route(request):
        if request.path == "there":
            return json_answer(MANIFEST)
        return Answer(status=status, headers={"Location": target})

    return answering(route)


def test_a_redirect_within_the_service_is_followed():
    with redirecting("/access/there") as client:
        assert client.manifest().current_terms_version == "2026-05-12"


@pytest.mark.parametrize(
    "target",
    [
        "https://elsewhere.example/api",
        "http://elsewhere.example/api",
        "//elsewhere.example/api",
        "https://laion-fmri.s3.amazonaws.com/api",  # gives files, and gets no identifier
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "https://elsewhere.example\\@127.0.0.1/api",
        "http://127.0.0.1@elsewhere.example/api",
        "http://[::1]/api",
        "http://[",
    ],
)
@pytest.mark.parametrize("ask", [lambda client: client.manifest(), lambda client: client.refresh(SECRET)])
def test_no_redirect_leads_to_another_host_or_scheme(target, ask):
    with redirecting(target) as client, pytest.raises(AccessServiceError, match=r"hosts that may be|only https|cannot"):
        ask(client)
    assert len(client.asked) == 1


def test_redirects_in_a_circle_end():
    with redirecting("/access/api/v1/manifest") as client, pytest.raises(AccessServiceError, match="redirects"):
        client.manifest()


@pytest.mark.parametrize("address", ["http://service.example", "ftp://service.example", "service.example", "/tmp"])
def test_an_address_on_a_network_has_to_be_https(address):
    with pytest.raises(AccessServiceError, match=r"only https is safe|none of the hosts"):
        AccessClient(POLICY.service, address).manifest()
