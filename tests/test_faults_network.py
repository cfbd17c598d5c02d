"""Faults on the wire: every answer that a bucket, a proxy or a cable may give, and what is on disk afterwards."""

import gzip
import json
import shutil
import zlib
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from time import time

import pytest

from fault_bucket import LARGE, OBJECTS, OTHER, PAGE, PIECE, PIECES, SMALL, fetched, has, holds, place, unfinished
from fault_kinds import Fault
from fault_server import error
from laion_fmri.download import download
from laion_fmri.errors import RemoteError
from laion_fmri.storage import system

SIZE = {key: len(content) for key, content in OBJECTS.items()}
USUAL = {SMALL: 1, LARGE: PIECES}  # requests for a file when nothing goes wrong
PLACES = [(SMALL, at) for at in (0, 1, 2500, SIZE[SMALL] - 1)]
PLACES += [(LARGE, at) for at in (0, 1, 1000, PIECE, 3 * PIECE - 1, SIZE[LARGE] - 1)]
BOTH = pytest.mark.parametrize("key", [SMALL, LARGE])
ANOTHER = bytes(reversed(OBJECTS[SMALL])), b"\x1f\x8b\x08" + OBJECTS[LARGE][:2:-1]
CHANGED = dict(zip((SMALL, LARGE), ANOTHER, strict=True))  # of the same sizes


def all_but(key):
    return {one: content for one, content in OBJECTS.items() if one != key}


def fails(faulty, data_dir, key, *told, **how):
    """Expect that a download gives one file up, saying why, and brings the others."""
    report, said = fetched(**how)
    assert report.failed == (key,)
    assert report.denied == ()
    assert set(report.downloaded) == set(OBJECTS) - {key}
    assert not place(data_dir, key).exists()
    for text in (key, *told):
        assert text in said
    return report, said


def succeeds(data_dir, objects=OBJECTS, **how):
    """Expect that a download brings everything, and leaves nothing else."""
    report, said = fetched(**how)
    assert (report.complete, said) == (True, "")
    assert holds(data_dir, objects)
    return report


# ---------------------------------------------------------------- N1: connections that end early


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize(("key", "at"), PLACES)
def test_a_connection_that_ends_early_costs_one_request_for_the_rest(faulty, data_dir, key, at, length):
    faulty.faults[key] = [Fault.close_at(at, length)]
    succeeds(data_dir, n_jobs=2)
    assert len(faulty.gets(key)) == USUAL[key] + 1
    assert [start or 0 for start, _ in faulty.ranges(key)].count(at) == (2 if at % PIECE == 0 else 1)


@pytest.mark.parametrize(("key", "at"), PLACES)
def test_a_connection_that_is_reset_costs_one_request(faulty, data_dir, key, at):
    faulty.faults[key] = [Fault.reset_at(at)]
    succeeds(data_dir, n_jobs=2)
    assert len(faulty.gets(key)) == USUAL[key] + 1


@BOTH
def test_a_server_that_hangs_up_without_an_answer_is_asked_again(faulty, data_dir, key):
    faulty.faults[key] = [Fault.hang_up()]
    succeeds(data_dir)
    assert len(faulty.gets(key)) == USUAL[key] + 1


def test_a_kept_connection_that_was_closed_meanwhile_costs_nothing_but_a_request(faulty, data_dir):
    for key in OBJECTS:
        faulty.faults[key] = [Fault.close_when_done()]
    succeeds(data_dir)


def test_answers_without_a_length_are_complete_when_they_have_every_byte(faulty, data_dir):
    for key in OBJECTS:
        faulty.faults[key] = [Fault.no_length() for _ in range(PIECES)]
    succeeds(data_dir)
    assert len(faulty.gets(LARGE)) == PIECES


def test_progress_renews_the_patience(faulty, data_dir):
    faulty.faults[SMALL] = [Fault.close_at(at) for at in range(500, 5000, 500)]
    succeeds(data_dir)
    assert [start for start, _ in faulty.ranges(SMALL)] == [None, *range(500, 5000, 500)]


@BOTH
def test_a_file_is_given_up_after_some_failures_in_a_row_and_the_rest_goes_on(faulty, data_dir, key):
    faulty.faults[key] = [Fault.close_at(10) for _ in range(9)]
    fails(faulty, data_dir, key, "run the same again")
    again = [start for start, _ in faulty.ranges(key) if start in (None, 0, 10)]
    assert len(again) == 3  # as the patience says


@BOTH
def test_a_few_bytes_at_each_try_are_no_progress(faulty, patience, data_dir, key):
    patience(progress=1000)
    faulty.faults[key] = [Fault.close_at(at) for at in range(100, 3000, 100)]
    fails(faulty, data_dir, key, "run the same again")
    assert len([start for start, _ in faulty.ranges(key) if (start or 0) < PIECE]) == 3


@BOTH
def test_the_next_run_finishes_what_was_given_up(faulty, data_dir, key):
    faulty.faults[key] = [Fault.hang_up() for _ in range(40)]  # libcurl asks again by itself on connections it has kept
    fails(faulty, data_dir, key)
    faulty.faults.clear()
    report = succeeds(data_dir)
    assert report.downloaded == (key,)


def test_a_large_file_is_continued_where_the_last_run_ended(faulty, data_dir):
    last = (PIECES - 1) * PIECE
    faulty.faults[LARGE] = [Fault.close_at(last) for _ in range(9)]
    fails(faulty, data_dir, LARGE)
    faulty.faults.clear()
    faulty.asked.clear()
    succeeds(data_dir)
    assert faulty.ranges(LARGE) == [(last, SIZE[LARGE])]


# ---------------------------------------------------------------- N2: no connection at all


@pytest.mark.parametrize("is_continued", [False, True])
def test_the_checksum_of_a_file_without_one_is_that_of_its_bytes_in_whatever_order_they_came(
    faulty, data_dir, is_continued
):
    faulty.versions[LARGE] = '"0123456789abcdef0123456789abcdef-5"'
    faulty.faults[LARGE] = [Fault.close_at(3 * PIECE + 100)] * (3 if is_continued else 1)
    assert fetched()[0].complete is not is_continued
    assert fetched()[0].complete
    lines = [json.loads(line) for file in Path(data_dir).rglob("*.jsonl") for line in file.read_text().splitlines()]
    (receipt,) = (line for line in lines if line["key"] == LARGE)
    assert receipt["crc32"] == f"{zlib.crc32(OBJECTS[LARGE]):08x}"


def test_a_bucket_that_goes_away_fails_what_is_left_and_keeps_what_is_here(faulty, data_dir):
    faulty.faults[LARGE] = [Fault(lambda _: faulty.leave())]
    report, said = fetched()
    assert LARGE in report.failed
    assert f"cannot reach http://127.0.0.1:{faulty.server_address[1]}" in said
    assert holds(data_dir, {key: OBJECTS[key] for key in report.downloaded}) or unfinished(data_dir)


@pytest.mark.usefixtures("data_dir")
def test_a_name_that_nobody_knows_is_told(monkeypatch):
    name = ".".join(["n" * 63] * 4)  # too long to be asked for anywhere
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"https://{name}")
    with pytest.raises(RemoteError, match=rf"cannot reach https://{name}; .*network"):
        download("sub-03", ses="01")


# ---------------------------------------------------------------- N3: ranges that are ignored


@pytest.mark.parametrize("at", [1, PIECE, 3 * PIECE - 1])
def test_a_large_file_starts_over_where_a_range_is_ignored(faulty, data_dir, at):
    fault = Fault.ignore_range()
    fault.at = at
    faulty.faults[LARGE] = [fault]
    succeeds(data_dir, n_jobs=2)


def test_a_small_file_starts_over_where_the_rest_is_ignored(faulty, data_dir):
    faulty.faults[SMALL] = [Fault.close_at(2500), Fault.ignore_range()]
    succeeds(data_dir)
    assert faulty.ranges(SMALL) == [(None, None), (2500, SIZE[SMALL])]


def test_a_server_that_knows_no_ranges_gives_the_whole_file(faulty, data_dir):
    faulty.faults[LARGE] = [Fault.ignore_range() for _ in range(99)]
    succeeds(data_dir, n_jobs=2)
    assert len(faulty.gets(LARGE)) <= PIECES


# ---------------------------------------------------------------- N4: other ranges than the one that was asked for


@pytest.mark.parametrize(
    "text",
    [
        "bytes 0-9/{total}",
        "bytes {stop}-{last}/{total}",
        "bytes {start}-{stop}/{total}",
        "bytes {start}-{last}/{more}",
        "bytes {start}-{last}/10",
        "bytes */{total}",
        "lines {start}-{last}/{total}",
        "nonsense",
        None,
    ],
)
def test_another_range_than_the_one_that_was_asked_for_is_refused(faulty, data_dir, text):
    fault = Fault.wrong_range(text)
    fault.at = PIECE
    faulty.faults[LARGE] = [fault]
    fails(faulty, data_dir, LARGE)
    assert faulty.ranges(LARGE).count((PIECE, 2 * PIECE)) == 1


def test_several_ranges_at_once_are_refused(faulty, data_dir):
    body = b"--cut\r\nContent-Range: bytes 0-9/5000\r\n\r\n0123456789\r\n--cut--"
    multipart = "multipart/byteranges; boundary=cut"
    faulty.faults[LARGE] = [Fault.says(lambda reply: replace(reply, body=body, headers={"Content-Type": multipart}))]
    fails(faulty, data_dir, LARGE)


# ---------------------------------------------------------------- N5: objects that change


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize(("key", "at"), [(SMALL, 0), (LARGE, 0), (LARGE, 2 * PIECE)])
def test_two_versions_are_never_mixed(faulty, data_dir, key, at, told):
    fault = Fault.replaced(CHANGED[key], told)
    fault.at = at
    faulty.faults[key] = [fault]
    fails(faulty, data_dir, key, "changed")
    succeeds(data_dir, OBJECTS | {key: CHANGED[key]})
    assert unfinished(data_dir) == []


def test_a_small_file_that_changes_while_it_is_fetched_is_not_continued(faulty, data_dir):
    faulty.faults[SMALL] = [Fault.close_at(2500), Fault.replaced(CHANGED[SMALL])]
    fails(faulty, data_dir, SMALL, "changed")
    assert [asked.if_match for asked in faulty.gets(SMALL)][1] is not None


def test_every_request_for_bytes_names_the_version_that_was_listed(faulty, data_dir):
    succeeds(data_dir)
    assert {(asked.key, asked.if_match) for asked in faulty.asked if asked.key} == {
        (key, faulty.version(key)) for key in OBJECTS
    }


def test_another_version_without_a_name_is_known_by_its_checksum(faulty, data_dir):
    nameless = replace(error(200, ""), body=CHANGED[SMALL], headers={})
    faulty.faults[SMALL] = [Fault.says(lambda reply: nameless) for _ in range(9)]
    fails(faulty, data_dir, SMALL)


# ---------------------------------------------------------------- N6: ranges that there are not


def test_a_partial_file_that_has_every_byte_is_published_without_a_request(faulty, data_dir, tmp_path, monkeypatch):
    publish = system.publish
    target = place(data_dir, LARGE)

    def kept(part, path):
        if Path(path) == target:  # as a process leaves it that is killed now
            for left in target.parent.glob(f"{Path(part).name}*"):
                shutil.copy(left, tmp_path)
        publish(part, path)

    with monkeypatch.context() as patch:
        patch.setattr(system, "publish", kept)
        succeeds(data_dir)
    target.unlink()
    for left in tmp_path.glob(".*.part*"):
        left.rename(target.parent / left.name)
    faulty.asked.clear()
    succeeds(data_dir)
    assert faulty.gets(LARGE) == []


def test_a_partial_file_that_is_longer_than_the_object_does_no_harm(faulty, data_dir):
    faulty.faults[LARGE] = [Fault.close_at(3 * PIECE) for _ in range(9)]
    fails(faulty, data_dir, LARGE)
    (part,) = place(data_dir, LARGE).parent.glob(".*.part")
    with part.open("ab") as out:
        out.write(bytes(9 * PIECE))
    faulty.faults.clear()
    succeeds(data_dir)


@BOTH
def test_an_object_that_is_shorter_than_its_listing_says_is_not_published(faulty, data_dir, key):
    faulty.sizes[key] = SIZE[key] + PIECE
    fails(faulty, data_dir, key)


def test_a_range_that_there_is_not_is_not_asked_for_again(faulty, data_dir):
    faulty.faults[LARGE] = [Fault.status(416, "InvalidRange")]
    fails(faulty, data_dir, LARGE)


# ---------------------------------------------------------------- N7: servers that are busy, or refuse


@pytest.fixture
def waited(monkeypatch, patience):
    """The seconds that were waited for, on a clock that goes on by them at once; pauses are not shortened by chance."""
    seconds = []
    clock = system.clock

    def noted(asked, *rest):
        seconds.append(asked)

    monkeypatch.setattr(system, "wait", noted)
    monkeypatch.setattr(system, "clock", lambda: clock() + sum(seconds))
    monkeypatch.setattr(system, "chance", lambda: 1.0)
    patience(pause=7, longest_pause=20, tries=5)
    return seconds


@BOTH
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_after_pauses_that_double(faulty, waited, data_dir, status, key):
    faulty.faults[key] = [Fault.status(status, "SlowDown") for _ in range(3)]
    succeeds(data_dir)
    assert [round(seconds) for seconds in waited] == [7, 14, 20]
    assert len(faulty.gets(key)) == USUAL[key] + 3


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("5", 5),
        ("0", 0),
        ("120", 120),
        ("soon", 7),
        ("-3", 7),
        ("", 7),
        ("1e9", 7),
        ("Fri, 31 Jan 2020 00:00:00 GMT", 0),
    ],
)
def test_the_server_may_say_when_to_come_back(faulty, waited, data_dir, after, seconds):
    faulty.faults[SMALL] = [Fault.status(503, "SlowDown", Retry_After=after)]
    succeeds(data_dir)
    assert round(sum(waited)) == seconds


def test_the_server_may_say_a_date(faulty, waited, data_dir):
    faulty.faults[SMALL] = [Fault.status(429, "SlowDown", Retry_After=formatdate(time() + 100, usegmt=True))]
    succeeds(data_dir)
    assert 7 < sum(waited) <= 101


@pytest.mark.parametrize("after", ["864000", "Fri, 31 Jan 2200 00:00:00 GMT"])
def test_ten_days_are_not_waited_for(faulty, waited, data_dir, after):
    faulty.faults[SMALL] = [Fault.status(503, "SlowDown", Retry_After=after)]
    fails(faulty, data_dir, SMALL)
    assert waited == []
    assert len(faulty.gets(SMALL)) == 1


@BOTH
@pytest.mark.parametrize("status", [400, 401, 404, 405, 410, 418, 501])
def test_a_refusal_is_not_asked_again(faulty, data_dir, key, status):
    faulty.faults[key] = [Fault.status(status, "No") for _ in range(9)]
    report, _ = fetched()
    assert (*report.failed, *report.denied) == (key,)
    assert len(faulty.gets(key)) <= USUAL[key]
    assert holds(data_dir, all_but(key))


@BOTH
def test_what_is_denied_is_not_asked_again(faulty, data_dir, key):
    faulty.faults[key] = [Fault.status(403, "AccessDenied") for _ in range(9)]
    report, said = fetched()
    assert report.denied == (key,)
    assert report.failed == ()
    assert "Access denied" in said
    assert len(faulty.gets(key)) <= USUAL[key]
    assert holds(data_dir, all_but(key))


def test_a_part_that_is_refused_ends_its_file_though_other_parts_say_nothing(faulty, data_dir, patience):
    patience(silence=600)
    refused = Fault(lambda exchange: exchange.send(error(403, "AccessDenied")), 3 * PIECE)
    faulty.faults[LARGE] = [Fault.stall_at(PIECE + 10), refused]
    report, _ = fetched()
    assert report.denied == (LARGE,)
    assert has(data_dir, all_but(LARGE))


# ---------------------------------------------------------------- N8: something else than the file


PAGES = [PAGE, error(200, "InternalError").body, b"  \r\n" + PAGE.lower(), b"\xef\xbb\xbf" + PAGE]


@BOTH
@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("page", [*PAGES, *(page + b" " * 9**5 for page in PAGES)])
def test_a_page_is_no_data(faulty, data_dir, key, page, length):
    page = page[: SIZE[key]]
    faulty.versions[key] = '"0123456789abcdef0123456789abcdef-2"'  # an object whose checksum is not known
    faulty.faults[key] = [Fault.page(page, length, ETag=faulty.version(key)) for _ in range(9)]
    fails(faulty, data_dir, key)


@pytest.mark.parametrize("body", [b"not gzip", PAGE, bytes(100)])
def test_a_file_that_does_not_begin_like_its_kind_is_refused(faulty, data_dir, body):
    faulty.objects[LARGE] = body + bytes(SIZE[LARGE] - len(body))
    faulty.versions[LARGE] = '"0123456789abcdef0123456789abcdef-2"'
    fails(faulty, data_dir, LARGE, n_jobs=2)
    assert len(faulty.gets(LARGE)) <= PIECES


@BOTH
def test_a_page_is_refused_at_its_first_bytes(faulty, data_dir, key):
    def begin(exchange):
        exchange.send(exchange.reply.but(PAGE.ljust(SIZE[key])), count=1000)
        exchange.until_gone()

    faulty.faults[key] = [Fault(begin) for _ in range(9)]
    fails(faulty, data_dir, key)
    assert len(faulty.gets(key)) == 1  # nobody waited for the rest, to ask again then


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_comes_in_small_bits_is_no_data(faulty, data_dir, page):
    page = page.ljust(SIZE[SMALL])

    def in_bits(exchange):
        exchange.sock.sendall(exchange.reply.head())
        for bit in (page[:2], page[2:9], page[9:30], page[30:]):
            exchange.sock.sendall(bit)
            exchange.gone(0.05)

    faulty.versions[SMALL] = '"0123456789abcdef0123456789abcdef-2"'
    faulty.faults[SMALL] = [Fault(in_bits) for _ in range(9)]
    fails(faulty, data_dir, SMALL)


@BOTH
def test_a_content_that_is_compressed_on_the_way_is_refused(faulty, data_dir, key):
    body = gzip.compress(OBJECTS[key])
    faulty.faults[key] = [Fault.says(lambda reply: reply.but(body, Content_Encoding="gzip")) for _ in range(9)]
    fails(faulty, data_dir, key)


def test_nothing_is_asked_for_compressed(faulty, data_dir):
    succeeds(data_dir)
    assert {asked.headers.get("accept-encoding", "identity") for asked in faulty.asked if asked.key} == {"identity"}


# ---------------------------------------------------------------- N9: slow servers


@BOTH
@pytest.mark.parametrize(
    "fault", [Fault.trickle, Fault.slow_head, lambda: Fault.stall_at(1000), lambda: Fault.stall_at(0)]
)
def test_a_transfer_that_stalls_is_asked_for_again_and_the_others_go_on(faulty, data_dir, patience, key, fault):
    patience(silence=0.4, window=0.4, slowest=1000, tries=9)
    faulty.faults[key] = [fault()]
    succeeds(data_dir, n_jobs=2)
    assert len(faulty.gets(key)) > USUAL[key]


def test_a_file_that_stalls_for_ever_is_given_up(faulty, data_dir, patience):
    patience(silence=0.3, tries=2)
    faulty.faults[SMALL] = [Fault.slow_head() for _ in range(9)]
    fails(faulty, data_dir, SMALL)


# ---------------------------------------------------------------- N12: redirects


@BOTH
def test_a_redirect_within_the_bucket_is_followed(faulty, data_dir, key):
    faulty.faults[key] = [Fault.redirect(f"/laion-fmri/{key}?again")]
    succeeds(data_dir)


@BOTH
@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:{port}/laion-fmri/{key}",
        "http://elsewhere.invalid/{key}",
        "https://elsewhere.invalid/{key}",
        "//elsewhere.invalid/{key}",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://[",
    ],
)
def test_a_redirect_to_anywhere_else_is_refused(faulty, data_dir, key, target):
    place = target.format(port=faulty.server_address[1], key=key)
    faulty.faults[key] = [Fault.redirect(place) for _ in range(9)]
    _, said = fails(faulty, data_dir, key)
    assert "leads to" in said or "no address" in said
    assert not [asked for asked in faulty.asked if asked.headers["host"].startswith("localhost")]


def test_redirects_in_a_circle_end(faulty, data_dir):
    faulty.faults[SMALL] = [Fault.redirect(f"/laion-fmri/{SMALL}") for _ in range(99)]
    fails(faulty, data_dir, SMALL, "redirect")
    assert len(faulty.gets(SMALL)) < 20


# ---------------------------------------------------------------- N13: other bytes than the promised ones


@BOTH
@pytest.mark.parametrize(
    "fault",
    [
        lambda: Fault.longer(b"more"),
        lambda: Fault.longer(b"more", announced=False),
        lambda: Fault.longer(bytes(1 << 20), announced=False),
        Fault.never_ends,
    ],
)
def test_a_body_that_is_longer_than_promised_is_stopped(faulty, data_dir, key, fault):
    faulty.faults[key] = [fault() for _ in range(9)]
    fails(faulty, data_dir, key)


def test_bytes_after_an_answer_are_never_taken_for_the_next_one(faulty, data_dir):
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\nparticipant_id\nsub-99\n"
    for key in OBJECTS:
        faulty.faults[key] = [Fault.left_over(forged)]
    report, _ = fetched()
    assert holds(data_dir, {key: OBJECTS[key] for key in report.downloaded})
    assert fetched()[0].complete
    assert holds(data_dir, OBJECTS)


@pytest.mark.parametrize(("key", "at"), [(SMALL, 17), (LARGE, 3), (LARGE, 3 * PIECE)])
def test_one_flipped_bit_is_found_and_the_file_named_with_both_checksums(faulty, data_dir, key, at):
    faulty.faults[key] = [Fault.flip(at)]
    fails(faulty, data_dir, key, faulty.version(key).strip('"'))
    succeeds(data_dir)


def test_a_bit_flipped_in_a_small_file_that_was_continued_is_found(faulty, data_dir):
    faulty.faults[SMALL] = [Fault.close_at(2500), Fault.flip(2600)]
    fails(faulty, data_dir, SMALL)


@BOTH
def test_an_empty_body_is_not_the_file(faulty, data_dir, key):
    faulty.faults[key] = [Fault.page(b"", ETag=faulty.version(key)) for _ in range(20)]
    fails(faulty, data_dir, key)


def test_an_empty_object_is_an_empty_file(faulty, data_dir):
    faulty.objects[OTHER] = b""
    succeeds(data_dir, OBJECTS | {OTHER: b""})


# ---------------------------------------------------------------- the listing


@pytest.mark.parametrize(
    "fault",
    [lambda: Fault.status(503, "SlowDown"), Fault.hang_up, lambda: Fault.close_at(100), lambda: Fault.reset_at(100)],
)
def test_a_listing_that_fails_in_passing_is_asked_for_again(faulty, data_dir, fault):
    faulty.listings = [fault()]
    succeeds(data_dir)


BOMB = '<!DOCTYPE x [<!ENTITY l0 "ha">' + "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
BOMB = f"{BOMB}]><ListBucketResult><Name>&l9;</Name></ListBucketResult>".encode()


@pytest.mark.parametrize(
    "body",
    [
        PAGE,
        b"",
        b"<ListBucketResult>",
        b"\x00\x01",
        b"<ListBucketResult><Contents><Key>x</Key><Size>many</Size></Contents></ListBucketResult>",
        BOMB,
    ],
)
def test_a_listing_that_is_none_is_an_error_and_not_an_empty_bucket(faulty, data_dir, body):
    faulty.listings = [Fault.page(body) for _ in range(99)]
    with pytest.raises(RemoteError, match="s3://laion-fmri"):
        download("sub-03", ses="01")
    assert holds(data_dir, {})


def test_a_listing_without_end_is_not_read_to_its_end(faulty, data_dir):
    faulty.listings = [Fault.page(bytes(1 << 25))]
    with pytest.raises(RemoteError, match=r"s3://laion-fmri.* more than 16,777,216 bytes"):
        download("sub-03", ses="01")
    assert holds(data_dir, {})


@pytest.mark.parametrize("token", [b"", b"<NextContinuationToken>0</NextContinuationToken>"])
def test_a_listing_that_does_not_go_on_as_it_says_is_an_error(faulty, data_dir, token):
    def change(reply):
        more = b"<IsTruncated>true</IsTruncated>" + token
        return reply.but(reply.body.replace(b"<IsTruncated>false</IsTruncated>", more))

    faulty.listings = [Fault.says(change) for _ in range(300)]
    with pytest.raises(RemoteError, match="s3://laion-fmri"):
        download("sub-03", ses="01")
    assert len(faulty.asked) < 100
    assert holds(data_dir, {})


def test_every_page_of_a_listing_is_read(faulty, data_dir):
    faulty.page = 1
    succeeds(data_dir)
