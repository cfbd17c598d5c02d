"""Downloading from a remote that lists nothing: what is there, planned and fetched by both doors."""

from __future__ import annotations

import filecmp
from dataclasses import replace
from pathlib import Path

import pytest

from laion_fmri.cli import main
from laion_fmri.errors import DataNotDownloadedError, DeniedError, NoMatchingDataError, OfflineError, SelectionError
from laion_fmri.local import artifact_source
from laion_fmri.sandbox.web import Answer

FAMILIES = ("tau", "cluster_k5_0", "cluster_k5_1", "cluster_k5_2", "cluster_k5_3", "cluster_k5_4")
POOLED = {f"splits/data/pooled/{split}.json" for split in FAMILIES}
TAU = "splits/data/shared/tau.json"


def splits(**chosen):
    return artifact_source("splits")(**chosen)


def below(folder):
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("splits/**/*") if path.is_file()}


@pytest.fixture
def web(server):
    """The web server of the miniature, with its own routes again after the test."""
    routes = dict(server.web.routes)
    yield server.web
    server.web.routes.update(routes)


def change(web, key, **changed):
    """Let the server answer differently when it is asked for the content of a file."""
    usual = web.routes["splits"]

    def answer(request):
        given = usual(request)
        return replace(given, **changed) if (request.method, request.path) == ("GET", key) else given

    web.routes["splits"] = answer


def test_a_download_brings_the_files_as_they_are_and_asks_for_no_licence(server, fresh_dir, miniature):
    report = splits(pool=["shared", "pooled"], split="tau").download()
    assert set(report.downloaded) == {TAU, "splits/data/pooled/tau.json"} == below(fresh_dir)
    assert filecmp.cmp(miniature / TAU, fresh_dir / TAU, shallow=False)
    assert report.bytes == sum((miniature / key).stat().st_size for key in report.downloaded)
    again = splits(pool=["shared", "pooled"], split="tau").download()
    assert set(again.skipped) == set(report.downloaded)
    assert again.downloaded == ()


def test_a_plan_names_the_files_that_are_there_with_their_sizes(server, fresh_dir, miniature):
    plan = splits(pool="all", split="all").plan()
    assert {file.key: file.size for file in plan.files} == {
        key: (miniature / key).stat().st_size for key in below(miniature)
    }
    assert plan.remote == f"{server.web.address}/splits"
    assert below(fresh_dir) == set()


def test_what_no_release_has_is_not_asked_for_where_all_is_wanted(web, fresh_dir):
    usual, asked = web.routes["splits"], set()
    web.routes["splits"] = lambda request: asked.add(request.path) or usual(request)
    pooled = splits(pool="pooled", split="all")
    pooled.download(n_jobs=4)
    assert asked == below(fresh_dir) == POOLED
    assert {file.path.relative_to(fresh_dir).as_posix() for file in pooled.files()} == POOLED


@pytest.mark.parametrize("chosen", [{"pool": "pooled", "split": "ood"}, {"pool": ["shared", "pooled"], "split": "ood"}])
def test_what_no_release_has_is_refused_where_it_is_named_saying_what_there_is(chosen):
    with pytest.raises(SelectionError, match=rf"pool=pooled and split=ood.*there is split={', '.join(FAMILIES)}$"):
        splits(**chosen)


def test_a_later_choice_is_checked_against_an_earlier_one():
    with pytest.raises(SelectionError, match="no file has pool=pooled and split=random_1 together"):
        splits(pool="pooled")(split="random_1")
    assert splits(pool="pooled")(split="all")(split="tau")


def test_a_selection_that_the_server_has_nothing_of_is_told(server, fresh_dir):
    with pytest.raises(NoMatchingDataError, match=r"/splits has no file of pool=sub-07, split=tau"):
        splits(pool="sub-07", split="tau").download()


def test_a_file_of_another_length_than_announced_leaves_nothing_behind(web, fresh_dir):
    change(web, TAU, body=b"{}")
    with pytest.warns(UserWarning, match=r"tau.json was not fetched: it has 2 bytes now, not [\d,]+;"):
        report = splits(pool="shared", split=["tau", "ood"]).download()
    assert report.failed == (TAU,)
    assert below(fresh_dir) == {"splits/data/shared/ood.json"}


def test_a_file_that_is_announced_and_not_given_is_denied_and_the_others_come(web, fresh_dir):
    change(web, TAU, status=403)
    with pytest.warns(UserWarning, match="Access denied: .*tau.json"):
        report = splits(pool="shared", split=["tau", "ood"]).download()
    assert report.denied == (TAU,)
    assert report.downloaded == ("splits/data/shared/ood.json",)


def test_a_server_that_tells_nothing_ends_the_plan(web, fresh_dir):
    web.routes["splits"] = lambda request: Answer(status=403)
    with pytest.raises(DeniedError, match="Access denied"):
        splits(pool="shared", split="tau").plan()


def test_offline_nothing_is_asked_and_what_is_here_is_read(here_all, monkeypatch):
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    assert splits(pool="shared", split="tau").read().name == "tau"
    with pytest.raises(OfflineError):
        splits(pool="shared", split="tau").plan()


def test_the_command_brings_all_or_some(server, fresh_dir, miniature, capsys):
    assert main(["download-splits", "--pool", "shared", "pooled", "--split", "tau", "--n-jobs", "2"]) == 0
    assert below(fresh_dir) == {TAU, "splits/data/pooled/tau.json"}
    assert main(["download-splits", "--pool", "pooled"]) == 0
    assert below(fresh_dir) == {TAU, *POOLED}
    assert main(["download-splits"]) == 0
    assert below(fresh_dir) == below(miniature)
    capsys.readouterr()
    assert main(["download-splits", "--pool", "pooled", "--split", "ood"]) == 2
    assert "no file has pool=pooled and split=ood together" in capsys.readouterr().err
    assert main(["download-splits", "--pool", "sub-02"]) == 2
    assert "did you mean 'sub-01'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("chosen", "flags"),
    [
        ({"pool": "shared", "split": "tau"}, " --pool shared --split tau"),
        ({"pool": "pooled", "split": "all"}, f" --pool pooled --split {' '.join(FAMILIES)}"),
        ({"pool": "shared", "split": "all"}, " --pool shared"),
        ({"pool": "all", "split": "all"}, ""),
    ],
)
def test_what_is_missing_is_named_with_its_command(fresh_dir, chosen, flags):
    with pytest.raises(DataNotDownloadedError, match=rf"run: laion-fmri download-splits{flags}$"):
        splits(**chosen).read()


def test_the_bucket_has_no_split(server, miniature):
    pages = server.owner.get_paginator("list_objects_v2").paginate(Bucket=server.bucket)
    keys = {item["Key"] for page in pages for item in page["Contents"]}
    assert keys
    assert not keys & below(miniature)
