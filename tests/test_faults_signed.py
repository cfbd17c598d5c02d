"""Faults of files under an agreement: links that expire, lead elsewhere or change; and no secret in what they leave."""

import itertools
import logging
import traceback
import warnings

import pytest

from fault_bucket import PIECE, cut_small, unfinished
from laion_fmri.errors import AccessServiceError
from laion_fmri.local import artifact_source
from laion_fmri.sandbox.web import Answer

IMAGES, TABLE = "task-images_stimuli.h5", "task-images_metadata.csv"
REFRESH = "api/v1/refresh"
EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


@pytest.fixture
def pieces(monkeypatch, patience):
    """Large files come in several parts, and nobody waits."""
    cut_small(monkeypatch)
    patience(pause=0, tries=3, progress=1)


@pytest.fixture
def signed(agreed, pieces, data_dir):
    assert len(agreed.contents[IMAGES]) > 3 * PIECE
    return agreed


def fetched(n_jobs=1):
    """Download the images, and return what was warned of and the error that ended it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            artifact_source("stimuli").download(n_jobs=n_jobs)
            error = None
        except AccessServiceError as caught:
            error = caught
    return "\n".join(str(warning.message) for warning in told), error


def refreshed(service):
    return [path for _, path in service.asked].count(REFRESH)


def is_whole(service, data_dir):
    return {path.name: path.read_bytes() for path in (data_dir / "stimuli").iterdir()} == service.contents


def change_after_refresh(service, change):
    """Let the answer to every refresh but the first be another one."""
    refresh = service._refresh

    def refresh_or_change(request):
        if refreshed(service) > 1:
            change(service)
        return refresh(request)

    service._refresh = refresh_or_change


# ---------------------------------------------------------------- N10: links that expire


def expire(service, *counts):
    """Let all links that were made so far expire when so many answers with bytes were given."""
    give, old, seen = service._file, set(), set()
    requests = itertools.count(1)

    def give_or_refuse(request, name):
        seen.add(request.query)
        if next(requests) in counts:
            old.update(seen)
        return Answer(EXPIRED, 403) if request.query in old else give(request, name)

    service._file = give_or_refuse


@pytest.mark.parametrize("n_jobs", [1, 4])
@pytest.mark.parametrize("counts", [[1], [2], [4]])
def test_links_that_expire_between_two_parts_are_replaced_without_a_word(signed, data_dir, counts, n_jobs):
    expire(signed, *counts)
    assert fetched(n_jobs) == ("", None)
    assert is_whole(signed, data_dir)
    assert refreshed(signed) >= 1 + len(counts)


def test_links_that_expire_after_a_broken_connection_are_replaced_and_the_file_continued(signed, data_dir):
    signed.cut = PIECE // 8  # every part comes in eight bits
    expire(signed, 2, 30)
    assert fetched() == ("", None)
    assert is_whole(signed, data_dir)


def test_a_link_that_has_expired_when_it_comes_is_no_reason_to_go_on_for_ever(signed, data_dir):
    signed.lifetime = -1
    said, error = fetched()
    assert error is not None
    assert "clock" in said
    assert refreshed(signed) <= 5
    assert not (data_dir / "stimuli" / IMAGES).exists()


@pytest.mark.parametrize("base", ["http://127.0.0.2:1", "https://elsewhere.example", "http://["])
def test_a_new_link_to_another_host_is_refused(signed, data_dir, base):
    signed.uses = 1
    change_after_refresh(signed, lambda service: setattr(service, "_base", lambda request: base))
    said, error = fetched()
    assert error is not None
    assert "hosts" in said or "link" in said
    assert not (data_dir / "stimuli" / IMAGES).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda service: [setattr(member, "state", "revoked") for member in service.members.values()],
        lambda service: setattr(service, "terms_version", "2099-01-01"),
        lambda service: service.members.clear(),
        lambda service: service.published.pop(IMAGES, None),
    ],
)
def test_an_agreement_that_ends_in_the_middle_of_a_file_is_told(signed, data_dir, change):
    signed.uses = 1
    change_after_refresh(signed, change)
    said, error = fetched()
    assert error is not None
    assert IMAGES in f"{said}{error}"
    assert not (data_dir / "stimuli" / IMAGES).exists()


def test_a_file_that_is_replaced_in_the_middle_is_never_mixed(signed, data_dir):
    signed.uses = 2
    content = signed.contents[IMAGES]
    another = content[:100] + bytes(len(content) - 100)
    change_after_refresh(signed, lambda service: service.contents.update({IMAGES: another}))
    said, error = fetched()
    assert error is not None
    assert IMAGES in said
    assert not (data_dir / "stimuli" / IMAGES).exists()


def test_a_store_that_knows_no_parts_gives_the_whole_file(signed, data_dir):
    signed.whole = True
    assert fetched(2) == ("", None)
    assert is_whole(signed, data_dir)


# ---------------------------------------------------------------- N13: checksums


def test_a_large_file_with_a_flipped_bit_is_named_with_both_checksums(signed, data_dir):
    right = signed.published[IMAGES]["sha256"]
    content = bytearray(signed.contents[IMAGES])
    content[2 * PIECE] ^= 1
    signed.contents[IMAGES] = bytes(content)
    said, error = fetched(2)
    assert error is not None
    assert IMAGES in said
    assert right in said
    assert not (data_dir / "stimuli" / IMAGES).exists()


# ---------------------------------------------------------------- S1: secrets


def test_nothing_that_is_left_or_logged_has_a_secret(signed, data_dir, no_config, caplog):
    secrets = []
    sign = signed._signature

    def signing(*parts):
        secrets.append(sign(*parts))
        return secrets[-1]

    caplog.set_level(logging.DEBUG)
    signed._signature = signing
    signed.cut = PIECE // 2
    signed.uses = 3
    change_after_refresh(signed, lambda service: setattr(service, "cut", 0))
    said, error = fetched(2)
    assert error is not None
    assert unfinished(data_dir) != []
    shown = [said, caplog.text, "".join(traceback.format_exception(error)), repr(artifact_source("stimuli").plan())]
    kept = [path for folder in (data_dir, no_config) for path in folder.rglob("*") if path.name != "auth.json"]
    shown += [f"{path}\n{path.read_bytes().decode('latin-1') if path.is_file() else ''}" for path in kept]
    assert len(secrets) > 3
    assert [secret for secret in (*signed.members, *secrets) if any(secret in text for text in shown)] == []
