"""Files of a web server, over real sockets: what is there, what is given, and what goes wrong."""

from __future__ import annotations

import traceback

import pytest

from laion_fmri.catalog.remotes import HttpsRemote
from laion_fmri.errors import (
    ChangedError,
    DeniedError,
    GoneError,
    OfflineError,
    PassingError,
    RemoteError,
    UnreachableError,
)
from laion_fmri.sandbox.web import Answer, part_of, serve_web
from laion_fmri.storage.http import Http
from laion_fmri.storage.website import Website

BODY = b'{"name": "tau"}'
SITE = HttpsRemote(kind="https", name="site", url="https://site.invalid/files")


@pytest.fixture
def web(monkeypatch):
    """A server that has a file under every address below ``/site/`` and keeps what it was asked."""
    asked = []

    def remembered(request):
        asked.append(request)
        return part_of(BODY, request.headers["Range"])

    with serve_web({"site": remembered}) as web:
        monkeypatch.setenv(SITE.variable, f"{web.address}/site")
        yield web, asked


@pytest.fixture
def answers(web):
    """A function that makes the server answer something else from now on."""
    server, _ = web

    def set_answer(answer):
        server.routes["site"] = answer if callable(answer) else lambda request: answer

    return set_answer


def received(key="a.json", *part, etag=None):
    with Website(SITE).open(key, *part, etag=etag) as body:
        return b"".join(body.chunks)


def sizes(*keys):
    return {file.key: file.size for file in Website(SITE).files(keys)}


def fails(error, told):
    """Expect an error of both: asking for the size, and for the content."""
    for ask in (received, lambda: sizes("a.json")):
        with pytest.raises(error, match=told) as caught:
            ask()
    return caught.value


def test_files_are_asked_for_by_name_and_those_that_are_not_there_are_left_out(answers):
    answers(lambda request: Answer(BODY) if request.path != "b.json" else Answer(status=404))
    assert sizes("a.json", "b.json", "c/d.json") == {"a.json": len(BODY), "c/d.json": len(BODY)}
    assert received() == BODY


def test_sizes_are_asked_for_without_the_content_and_nothing_is_compressed_or_signed(web, monkeypatch, no_config):
    (no_config / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    (no_config / ".netrc").chmod(0o600)
    sizes("a.json")
    received()
    _, asked = web
    assert [request.method for request in asked] == ["HEAD", "GET"]
    assert {request.headers["Accept-Encoding"] for request in asked} == {"identity"}
    assert not any("Authorization" in request.headers for request in asked)


def test_a_key_is_spelt_so_that_the_server_gets_it_as_it_is(web):
    key = "a+b/c d?e#f%20ä.json"
    received(key)
    _, asked = web
    assert asked[-1].path == key


@pytest.mark.parametrize("status", [401, 403])
def test_a_file_that_is_not_given_is_denied(answers, status):
    answers(Answer(b"secret", status))
    fails(DeniedError, r"Access denied: http://127.0.0.1:\d+/site/a.json")


def test_a_server_that_fails_may_be_asked_again(answers):
    answers(Answer(BODY, 500))
    assert (
        fails(PassingError, "a.json: the server answered 500 Internal Server Error; run the same again").after is None
    )
    answers(Answer(BODY, 429, {"Retry-After": "7"}))
    assert fails(PassingError, "a.json: the server answered 429").after == 7


def test_another_answer_is_an_error_with_its_status(answers):
    answers(Answer(BODY, 418))
    assert not isinstance(fails(RemoteError, "a.json: the server answered 418"), PassingError)


def test_the_size_is_asked_for_again_where_a_server_fails_in_passing(answers):
    left = [503, 429]
    answers(lambda request: Answer(status=left.pop()) if left else Answer(BODY))
    assert sizes("a.json") == {"a.json": len(BODY)}
    assert left == []


def test_the_content_is_asked_for_once_because_the_transfer_asks_again(answers):
    left = [503, 503]
    answers(lambda request: Answer(status=left.pop()))
    with pytest.raises(PassingError):
        received()
    assert left == [503]


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_went_away_is_told(answers, status):
    answers(Answer(status=status))
    with pytest.raises(GoneError, match=f"a.json: the server answered {status}"):
        received()


def test_a_part_of_a_file_is_given_with_its_place(web):
    _, asked = web
    with Website(SITE).open("a.json", 3, 8) as body:
        assert (body.part.start, body.part.total, b"".join(body.chunks)) == (3, len(BODY), BODY[3:8])
    with Website(SITE).open("a.json", 3) as body:
        assert (body.part.start, body.part.total, b"".join(body.chunks)) == (3, len(BODY), BODY[3:])
    assert [request.headers["Range"] for request in asked] == ["bytes=3-7", "bytes=3-"]


def test_the_whole_file_is_given_as_that_where_the_server_knows_no_parts(answers):
    answers(Answer(BODY))
    with Website(SITE).open("a.json", 3) as body:
        assert (body.part.start, body.part.total, b"".join(body.chunks)) == (0, len(BODY), BODY)


@pytest.mark.parametrize("place", ["", "bytes */15", "lines 1-2/3"])
def test_a_part_without_its_place_is_refused(answers, place):
    answers(Answer(BODY[3:], 206, {"Content-Range": place}))
    with pytest.raises(RemoteError, match="does not say which part"):
        received("a.json", 3)


def test_the_version_that_was_planned_is_the_one_that_is_given(answers):
    answers(Answer(BODY, headers={"ETag": '"1"'}))
    (file,) = Website(SITE).files(["a.json"])
    assert file.etag == '"1"'
    assert received(etag='"1"') == BODY
    answers(Answer(BODY, headers={"ETag": '"2"'}))
    with pytest.raises(ChangedError, match=r"a.json: the file changed"):
        received(etag=file.etag)


def test_a_name_of_several_versions_is_none(answers):
    answers(Answer(BODY, headers={"ETag": 'W/"1"'}))
    (file,) = Website(SITE).files(["a.json"])
    assert file.etag is None
    assert received(etag='"1"') == BODY


def test_a_file_of_unknown_size_is_an_error(answers):
    answers(Answer(BODY, headers={"Content-Length": "many"}))
    with pytest.raises(RemoteError, match="does not say how many bytes"):
        sizes("a.json")


def test_a_content_that_is_compressed_all_the_same_is_refused(answers):
    answers(Answer(BODY, headers={"Content-Encoding": "gzip"}))
    fails(RemoteError, "sends gzip, which was not asked for")


def test_a_connection_that_breaks_is_an_error_that_names_the_next_step(answers):
    answers(Answer(BODY, headers={"Content-Length": "1000"}))
    with pytest.raises(PassingError, match=r"a.json: the connection to .* broke \(.*run the same again"):
        received()


@pytest.fixture
def nowhere():
    """An address of this machine where nobody listens any more."""
    with serve_web({}) as web:
        return web.address


def test_a_server_that_is_not_there_is_told(nowhere, monkeypatch):
    monkeypatch.setenv(SITE.variable, nowhere)
    fails(UnreachableError, f"a.json: cannot reach {nowhere}; check the network and the proxy")


def test_a_redirect_within_the_host_is_followed(answers):
    moved = {"Location": "/site/b.json"}
    answers(lambda request: Answer(status=302, headers=moved) if request.path == "a.json" else Answer(BODY))
    assert received() == BODY
    assert sizes("a.json") == {"a.json": len(BODY)}


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("http://localhost:{port}/site/b.json", "leads to localhost, which is none of the hosts"),
        ("https://elsewhere.invalid/b.json", "leads to elsewhere.invalid, which is none of the hosts"),
        ("http://site.invalid/b.json", "leads to site.invalid over http; only https is safe"),
        ("file:///etc/passwd", "leads to file:///etc/passwd, which is none of the hosts"),
        ("//elsewhere.invalid/b.json", "leads to elsewhere.invalid, which is none of the hosts"),
    ],
)
def test_a_redirect_that_leaves_the_allowed_hosts_or_https_is_refused(web, answers, target, told):
    server, asked = web
    answers(Answer(status=307, headers={"Location": target.format(port=server.address.rpartition(":")[2])}))
    fails(RemoteError, told)
    assert asked == []


def test_a_further_host_of_the_catalog_may_be_redirected_to(web, answers):
    server, _ = web
    other = server.address.replace("127.0.0.1", "localhost")
    answers(lambda request: Answer(status=302, headers={"Location": f"{other}/other/b.json"}))
    server.routes["other"] = lambda request: Answer(BODY)
    site = SITE.model_copy(update={"hosts": ("localhost",)})
    with Website(site).open("a.json") as body:
        assert b"".join(body.chunks) == BODY


def test_redirects_that_never_end_are_refused(answers):
    answers(Answer(status=302, headers={"Location": "/site/a.json"}))
    with pytest.raises(RemoteError, match="more than 5 redirects"):
        received()


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("http://site.invalid/files", "leads to site.invalid over http"),
        ("site.invalid/files", "none of the hosts that may be asked"),
        ("ftp://127.0.0.1/files", "leads to 127.0.0.1 over ftp"),
    ],
)
def test_the_environment_points_to_https_or_this_machine_only(monkeypatch, address, told):
    monkeypatch.setenv(SITE.variable, address)
    with pytest.raises(RemoteError, match=told):
        received()


def test_nothing_is_asked_offline(web, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    fails(OfflineError, "LAION_FMRI_OFFLINE is set")
    assert web[1] == []


@pytest.mark.parametrize("hosts", [["127.0.0.1"], []])
def test_the_query_of_an_address_is_not_told_because_it_may_hold_a_signature(nowhere, hosts):
    ask = Http(hosts).ask("GET", f"{nowhere}/a?signature=secret")
    with pytest.raises(RemoteError, match=f"{nowhere}/a") as caught, ask:
        pass
    assert "secret" not in "".join(traceback.format_exception(caught.value))
