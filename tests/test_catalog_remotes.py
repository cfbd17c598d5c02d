"""What a catalog may say of remotes, names without a key, and combinations that no file has."""

from __future__ import annotations

import pytest

from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.check import check_catalog
from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.templates import local_path, overlap, parse
from laion_fmri.loaders import LOADERS
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.remote import client
from laion_fmri.storage.website import Website

PATH = catalog_path()
TEXT = PATH.read_text(encoding="utf-8")
SITE, SPLITS = "x-definitions.remotes.splits", "sources.splits.args"
ADDRESS = load_catalog().definitions.remotes["splits"].url
GAP, NAME = "- {pool: [pooled], split: [ood,", "name: splits\n      url"

CASES = {
    "unknown kind": ("kind: https", "kind: htpps", f"{SITE}.kind", "use 's3', 'https'; did you mean `https`?"),
    "missing kind": ("      kind: https\n", "", f"{SITE}.kind", "is missing"),
    "key of the other kind": (
        "name: splits\n      url",
        "region: x\n      name: splits\n      url",
        SITE,
        "unknown key",
    ),
    "plain http": (ADDRESS, ADDRESS.replace("https", "http"), f"{SITE}.url", "is no https address"),
    "no host": (ADDRESS, "https:///files", f"{SITE}.url", "is no https address"),
    "user in the address": (ADDRESS, "https://me@site.invalid/files", f"{SITE}.url", "without user"),
    "query in the address": (ADDRESS, "https://site.invalid/files?a=b", f"{SITE}.url", "without user, query"),
    "name that is no variable": (
        "name: splits\n      url",
        "name: the-splits\n      url",
        f"{SITE}.name",
        "lower-case",
    ),
    "tree that a subject's download lists": (
        "prefix: splits/data/\n      alone: true",
        "prefix: splits/data/\n      flag: include_splits",
        SPLITS,
        "comes from splits, which lists nothing; its tree has to be alone",
    ),
    "gap of an unknown entity": (
        GAP,
        "- {pol: [pooled], split: [ood,",
        f"{SPLITS}.gaps",
        "no entity pol; did",
    ),
    "gap of an unknown value": (
        GAP,
        "- {pool: [poled], split: [ood,",
        f"{SPLITS}.gaps",
        "has no value poled",
    ),
    "gap of one entity": (GAP, "- {split: [ood,", f"{SPLITS}.gaps", "names one entity"),
    "join from another remote": (
        "loader: split\n",
        "loader: split\n      joins: {brain_mask: *brain_mask}\n",
        f"{SPLITS}.joins.brain_mask",
        "brain_mask comes from another remote than splits",
    ),
    "filter that no key carries": (
        "filters: [ses, task, space, desc, stat, suffix, extension]",
        "filters: [ses, pool]",
        "x-definitions.trees.glmsingle.filters.1",
        "pool is a name without a key",
    ),
}


@pytest.mark.parametrize(("old", "new", "path", "told"), CASES.values(), ids=CASES)
def test_a_mistake_is_told_at_its_place(old, new, path, told):
    assert old in TEXT
    _, problems = check_catalog(TEXT.replace(old, new, 1), PATH.parent, LOADERS)
    found = {".".join(map(str, problem.path)): problem.message for problem in problems}
    assert any(place.startswith(path) and told in message for place, message in found.items()), found


def test_values_that_only_a_listing_knows_are_refused_where_there_is_no_listing():
    start, gaps = TEXT.index("    pool: &pool"), TEXT.index("      gaps:\n")
    known = TEXT.index("      values:", start)
    opened = f'{TEXT[:known]}      pattern: "[a-z0-9-]+"\n{TEXT[TEXT.index("    split: &split", known) : gaps]}'
    _, problems = check_catalog(opened + TEXT[TEXT.index("      loader: split\n") :], PATH.parent)
    assert [(".".join(map(str, one.path)), one.message) for one in problems] == [
        (SPLITS, "comes from splits, which lists nothing; pool needs values in place of a pattern")
    ]


def test_a_catalog_without_a_bucket_is_refused():
    bucket = TEXT[TEXT.index("    bucket: &bucket") : TEXT.index("    splits: &splits_site")]
    _, problems = check_catalog(TEXT.replace(bucket, "").replace("*bucket", "*splits_site"), PATH.parent)
    assert any("there is no bucket (kind: s3)" in problem.message for problem in problems)


def test_the_first_bucket_is_what_a_subject_is_downloaded_from_wherever_it_stands():
    site = TEXT[TEXT.index("    splits: &splits_site") : TEXT.index("  services:\n")]
    moved = TEXT.replace(site, "\n").replace("    bucket: &bucket", f"{site.rstrip()}\n    bucket: &bucket", 1)
    catalog, problems = check_catalog(moved, PATH.parent)
    assert problems == []
    assert [*catalog.definitions.remotes] == ["splits", "bucket"]
    assert catalog.remote == load_catalog().remote


def test_each_kind_of_remote_has_its_client():
    kinds = {name: type(client(remote)) for name, remote in load_catalog().definitions.remotes.items()}
    assert kinds == {"bucket": Bucket, "splits": Website}


NAMES = {
    "split": Entity(description="Split.", kind="name", values=("tau", "fold_1", "sub-01")),
    "run": Entity(description="Run.", values=("1", "2")),
    "word": Entity(description="Word.", pattern="[a-z]+"),
}


def test_a_name_is_a_whole_folder_or_file_name_as_it_is():
    assert parse("data/{split}/{split}.json", NAMES, "data/fold_1/fold_1.json") == {"split": "fold_1"}
    assert parse("data/{split}.json", NAMES, "data/fold_2.json") is None
    assert NAMES["split"].choose("split", ["sub-01", "tau"]) == ("sub-01", "tau")
    assert NAMES["split"].bare("split", "split-tau") == "split-tau"
    assert local_path("data/sub-01/fold_1.json", NAMES) == "data/sub-01/fold_1.json"


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("data/{split}.json", "data/fold_{run}.json", True),
        ("data/{split}.json", "data/random_{run}.json", False),
        ("data/{split}.json", "data/{word}.json", True),
        ("data/{split}.json", "data/{split}.json", True),
        ("data/{split}.json", "data/{split}.tsv", False),
        ("data/{split}/x.json", "data/x.json", False),
        ("{word}_{run}.json", "{word}_{run}.json", True),
    ],
)
def test_paths_that_may_name_the_same_key_are_found_though_a_name_has_underscores(one, other, meet):
    assert overlap(one, NAMES, other, NAMES) is meet
    assert overlap(other, NAMES, one, NAMES) is meet
