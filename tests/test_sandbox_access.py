"""The access service of the miniature, as curl and a browser meet it."""

import hashlib
import json
import re
import urllib.error
import urllib.request
from html import unescape
from urllib.parse import urlencode

import pytest

from access_form import FORM
from laion_fmri.sandbox.web import Answer

IMAGES = "task-images_stimuli.h5"


@pytest.fixture
def address(server):
    return server.addresses["LAION_FMRI_ACCESS_URL"]


def get(url, data=None, **headers):
    """Return status, headers and body, whatever the status is."""
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def post(url, content):
    return get(url, json.dumps(content).encode())


def sent(service, **other):
    return {**FORM, **service.policy.form.sends, "terms_version": service.terms_version, **other}


@pytest.fixture
def grant(service, address):
    status, _, body = post(f"{address}/api/v1/access/request", sent(service))
    assert status == 200
    return json.loads(body)


def link(grant, name=IMAGES):
    return next(file["url"] for file in grant["files"] if file["name"] == name)


def test_the_manifest_describes_the_files(service, address, miniature):
    _, headers, body = get(f"{address}/api/v1/manifest")
    assert headers["Content-Type"] == "application/json"
    for file in json.loads(body)["files"]:
        content = (miniature / "stimuli" / file["name"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_links_give_the_files_and_parts_of_them(service, grant):
    content = service.contents[IMAGES]
    assert get(link(grant))[2] == content
    status, headers, body = get(link(grant), Range="bytes=10-19")
    assert (status, headers["Content-Range"], body) == (206, f"bytes 10-19/{len(content)}", content[10:20])
    assert headers["ETag"] == get(link(grant))[1]["ETag"]


def test_a_link_without_its_signature_gives_nothing(grant):
    assert get(link(grant).partition("?")[0])[0] == 403
    assert get(link(grant).replace(IMAGES, "task-images_metadata.csv"))[0] == 403
    assert get(link(grant) + "0")[0] == 403


def test_switches_of_the_links(service, grant):
    content = service.contents[IMAGES]
    service.whole = True
    assert get(link(grant), Range="bytes=10-")[::2] == (200, content)
    service.uses = 1
    status, _, body = get(link(grant))
    assert status == 403
    assert b"Request has expired" in body


def test_an_answer_that_is_cut_is_shorter_than_it_says(service, grant):
    service.cut = 100
    with pytest.raises(Exception, match="IncompleteRead"):
        get(link(grant))


def test_links_expire(service, address, grant):
    service.lifetime = -1
    _, _, body = post(f"{address}/api/v1/refresh", {"request_id": grant["request_id"]})
    assert get(link(json.loads(body)))[0] == 403
    assert get(link(grant))[0] == 200


@pytest.mark.parametrize("field", [*FORM, "accepted_terms", "acknowledged_privacy", "terms_version"])
def test_a_form_with_a_fault_is_refused_with_the_field(service, address, field):
    status, _, body = post(f"{address}/api/v1/access/request", sent(service, **{field: ""}))
    if service.policy.form.questions.get(field) and service.policy.form.questions[field].optional:
        assert status == 200
    else:
        assert status == 422
        assert json.loads(body)["detail"][0]["loc"] == ["body", field]


def test_states_of_an_agreement(service, address, grant):
    refresh, identifier = f"{address}/api/v1/refresh", {"request_id": grant["request_id"]}
    assert post(refresh, identifier)[0] == 200
    assert post(refresh, {"request_id": "lfm_nobody"})[0] == 404
    service.members[grant["request_id"]].state = "revoked"
    assert b"revoked" in post(refresh, identifier)[2]
    service.members[grant["request_id"]].state = "good"
    service.terms_version = "2030-01-01"
    status, _, body = post(refresh, identifier)
    assert (status, json.loads(body)["detail"]["error"]) == (403, "terms_outdated")


def test_trouble_is_the_answer_to_every_program_and_to_no_person(service, address):
    service.trouble = Answer(b"{}", 429, {"Retry-After": "9"})
    assert get(f"{address}/api/v1/manifest")[0] == 429
    assert get(f"{address}/terms")[0] == 200


@pytest.mark.parametrize("page", ["terms", "privacy", "takedown", "request"])
def test_pages_for_people(service, address, page):
    status, headers, body = get(f"{address}/{page}")
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")
    assert b"<h1>" in body


def test_the_form_in_a_browser_gives_links(service, address):
    _, _, page = get(f"{address}/request")
    names = re.findall(r"<input name=(\w+)", page.decode())
    assert names == list(service.policy.form.questions)
    filled = urlencode({**FORM, "accept": "yes"}).encode()
    status, _, answer = get(f"{address}/request", filled)
    assert status == 200
    first, *_ = re.findall(r'<a href="([^"]*)"', answer.decode())
    assert get(unescape(first))[2] == service.contents[IMAGES]


def test_the_form_in_a_browser_is_checked(service, address):
    assert get(f"{address}/request", urlencode(FORM).encode())[0] == 422
    assert not service.members


def test_what_is_nowhere_is_not_found(service, address):
    assert get(f"{address}/nothing")[0] == 404
    assert get(f"{address}/terms/accept?token=guess")[0] == 404
