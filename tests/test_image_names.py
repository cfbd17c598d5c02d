"""What the names of images say, judged by regular expressions and numbers written down here."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

import laion_fmri
from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.check import check_catalog
from laion_fmri.errors import SelectionError, UnknownNameError
from laion_fmri.image_names import image_names_table, ood_types, parse_image_name
from laion_fmri.loaders import LOADERS
from laion_fmri.reference.pages import catalog_pages

CATALOG = catalog_path().read_text(encoding="utf-8")
RULES = load_catalog().definitions.image_names
ALL_NAMES = Path(__file__).parents[2] / "shared/data/image-names.tsv"  # every name with its pools; not part of the code
EXAMPLES = {
    "shared_12rep_LAION_cluster_3164_sorted-out_i7.jpg": {
        "kind": "shared_laion",
        "shared": True,
        "repetitions": 12,
        "source": "LAION",
        "cluster": 3164,
        "number": 7,
        "detail": "sorted-out",
        "encoding": "jpg",
    },
    "shared_12rep_THINGS+_kmeans_102_magnifying_glass.jpg": {
        "kind": "shared_thingsplus",
        "shared": True,
        "repetitions": 12,
        "source": "THINGSplus",
        "cluster": 102,
        "concept": "magnifying_glass",
        "encoding": "jpg",
    },
    "shared_4rep_NSD_special1000_640.jpg": {
        "kind": "shared_nsd",
        "shared": True,
        "repetitions": 4,
        "source": "NSD",
        "batch": "special1000",
        "number": 640,
        "encoding": "jpg",
    },
    "shared_4rep_OOD_illusion-classic_classic-illusion-01-asahi.png": {
        "kind": "shared_ood",
        "shared": True,
        "repetitions": 4,
        "source": "OOD",
        "ood_type": "illusion-classic",
        "detail": "classic-illusion-01-asahi",
        "encoding": "png",
    },
    "unique_LAION_fillup_cluster_729_i0_p04.jpg": {
        "kind": "unique_laion",
        "shared": False,
        "repetitions": 4,
        "source": "LAION",
        "owner": "sub-03",
        "batch": "fillup",
        "cluster": 729,
        "number": 0,
        "encoding": "jpg",
    },
    "unique_THINGS+_baton2_p03.jpg": {
        "kind": "unique_thingsplus",
        "shared": False,
        "repetitions": 4,
        "source": "THINGSplus",
        "owner": "sub-05",
        "concept": "baton2",
        "encoding": "jpg",
    },
    "unique_THINGS_t-shirt_p02.jpg": {
        "kind": "unique_things",
        "shared": False,
        "repetitions": 4,
        "source": "THINGS",
        "owner": "sub-06",
        "concept": "t-shirt",
        "encoding": "jpg",
    },
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_name_says_what_the_image_is_and_nothing_else(name):
    image = laion_fmri.parse_image_name(name)
    said = {part: value for part, value in dataclasses.asdict(image).items() if value is not None}
    assert said == {"name": name, **EXAMPLES[name]}
    assert image.ood == ("_OOD_" in name)


def test_what_a_name_says_cannot_be_changed():
    image = parse_image_name("unique_THINGS_t-shirt_p02.jpg")
    with pytest.raises(dataclasses.FrozenInstanceError):
        image.owner = "sub-01"
    assert image == parse_image_name(image.name)
    assert hash(image) == hash(parse_image_name(image.name))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unique_THINGS_t-shirt_p02.jpeg", "follows no rule; the nearest is unique_things, as in unique_THINGS_"),
        ("shared_12rep_LAION_cluster_1003_i.jpg", "the nearest is shared_laion, as in"),
        ("shared_12rep_LAION_cluster_1003_i0.jp", "the nearest is shared_laion, as in"),
        ("Shared_12rep_LAION_cluster_1003_i0.jpg", "the nearest is shared_laion, as in"),
        ("shared_12rep_LAION_cluster_1003_i0.jpg ", "the nearest is shared_laion, as in"),
        ("shared_12rep_LAION_cluster_1003_i0.jpg\n", "the nearest is shared_laion, as in"),
        ("unique_THINGS_t-shirt_p06.jpg", "there is no owner p06; did you mean `p01`"),
        ("shared_4rep_OOD_crooped_apple.png", "there is no ood_type crooped; did you mean `cropped`"),
        ("1.23E+05", "is like no rule of shared_laion, "),
        ("", "'' is no name of an image"),
        (12, "12 is of type int; the name of an image is text"),
        (None, "None is of type NoneType"),
    ],
)
def test_what_is_no_name_is_refused_with_the_nearest_rule(name, message):
    for take in (parse_image_name, lambda one: image_names_table(["unique_THINGS_t-shirt_p02.jpg", one])):
        with pytest.raises(UnknownNameError, match=re.escape(message)) as error:
            take(name)
        assert repr(name) in str(error.value)
        assert isinstance(error.value, KeyError | SelectionError)


def test_a_name_that_follows_two_rules_is_refused():
    both = RULES.kinds["unique_things"].model_copy(update={"pattern": "unique_.*"})
    rules = RULES.model_copy(update={"kinds": {**RULES.kinds, "any": both}})
    with pytest.raises(UnknownNameError, match="follows several rules: unique_things, any"):
        rules.parse("unique_THINGS_t-shirt_p02.jpg")


def test_a_table_has_a_row_for_each_name_in_the_order_given():
    names = [*EXAMPLES, *EXAMPLES][::-1]
    table = laion_fmri.image_names_table(pd.Series(names).to_numpy())
    assert table["image_name"].tolist() == names
    assert table.index.tolist() == list(range(len(names)))
    for row, name in zip(table.to_dict("records"), names, strict=True):
        said = {part: value for part, value in row.items() if not pd.isna(value)}
        assert said == {"image_name": name, "ood": "_OOD_" in name, **EXAMPLES[name]}


@pytest.mark.parametrize("names", [[], ["shared_4rep_NSD_special100_64.jpg"]])
def test_the_dtypes_of_a_table_do_not_depend_on_its_rows(names):
    table, full = image_names_table(names), image_names_table(EXAMPLES)
    assert table.dtypes.to_dict() == full.dtypes.to_dict()
    assert {name: str(full[name].dtype) for name in ("shared", "ood", "repetitions", "cluster")} == {
        "shared": "bool",
        "ood": "bool",
        "repetitions": "int64",
        "cluster": "Int64",
    }


def test_a_single_name_is_a_table_of_one_row():
    assert image_names_table("shared_4rep_NSD_special100_64.jpg")["batch"].tolist() == ["special100"]


def test_labels_of_betas_make_a_table_of_their_trials(here):
    betas = laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"]).read(roi="V1v")
    table = laion_fmri.image_names_table(betas.label.values)
    assert table["image_name"].tolist() == betas.label.values.tolist()
    assert set(table["owner"].dropna()) == {"sub-03"}
    assert set(table["kind"]) == set(RULES.kinds)
    assert set(table["ood_type"].dropna()) == set(ood_types())
    shared = betas[betas.label.str.startswith("shared_").values]
    assert shared.sizes["trial"] == table["shared"].sum()


# --- the real names


@pytest.fixture(scope="module")
def every():
    if not ALL_NAMES.is_file():
        pytest.skip("the list of all names is not here")
    with ALL_NAMES.open(encoding="utf-8", newline="") as file:
        pools = {row["image_name"]: row["pools"] for row in csv.DictReader(file, delimiter="\t")}
    table = image_names_table(pools)
    return table.assign(pools=list(pools.values()))


def test_every_name_follows_exactly_one_rule_and_kinds_have_their_counts(every):
    assert len(every) == 25_052
    for name in every["image_name"]:
        assert sum(bool(re.fullmatch(rule.pattern, name)) for rule in RULES.kinds.values()) == 1
    assert Counter(every["kind"]) == {
        "shared_laion": 641,
        "shared_thingsplus": 240,
        "shared_nsd": 240,
        "shared_ood": 371,
        "unique_laion": 21_230,
        "unique_thingsplus": 1_610,
        "unique_things": 720,
    }
    assert Counter(every["kind"]) == {name: rule.count for name, rule in RULES.kinds.items()}


def test_repetitions_and_sets_of_every_image(every):
    assert Counter(every["repetitions"]) == {12: 881, 4: 611 + 5 * 4_712}
    assert Counter(every.loc[~every["shared"], "source"]) == {"LAION": 21_230, "THINGSplus": 1_610, "THINGS": 720}
    unique = every[every["kind"] == "unique_laion"]
    per_subject = unique.groupby("owner")["batch"].value_counts().unstack()
    assert per_subject.drop_duplicates().to_dict("records") == [{"initial": 3_166, "fillup": 725, "new": 355}]
    assert set(every.loc[every["kind"] == "shared_thingsplus", "cluster"]) == set(range(240))
    assert every.loc[every["source"] == "LAION", "cluster"].max() == 5_498
    assert Counter(every.loc[every["source"] == "NSD", "batch"]) == {"special100": 100, "special1000": 140}


def test_the_pools_of_every_image_are_those_of_its_owner(every):
    assert every.loc[every["shared"], "pools"].str.startswith("shared;").all()
    unique = every[~every["shared"]]
    assert unique["owner"].tolist() == unique["pools"].tolist()
    assert set(unique["owner"].value_counts()) == {4_712}


def test_types_of_every_image_out_of_distribution(every):
    types = {
        **{"shape": 82, "relations": 72, "unusual": 64, "cropped": 60, "selfmade": 30, "gaudy": 24},
        **{"illusion-classic": 21, "gabor": 10, "illusion-natural": 8},
    }
    assert Counter(every["ood_type"].dropna()) == types == RULES.ood_types
    assert every["ood"].sum() == 371
    assert set(every.loc[every["encoding"] == "png", "ood_type"]) == {"cropped", "shape", "illusion-classic"}
    assert (every["encoding"] == "png").sum() == 131


def test_a_name_that_lost_its_last_letter_is_no_name(every):
    for name in every["image_name"][::97]:
        with pytest.raises(UnknownNameError):
            parse_image_name(name[:-1])


# --- the catalog


def told(old: str, new: str) -> list[str]:
    assert CATALOG.count(old) == 1
    text = CATALOG.replace(old, new)
    _, problems = check_catalog(text, catalog_path().parent, LOADERS)
    assert all(0 < problem.line <= len(text.splitlines()) for problem in problems)
    return [f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in problems]


KIND = "x-definitions.image_names.kinds.unique_things"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "'unique_THINGS_(?P<concept>",
            "'unique_THINGS_(?P<concpt>",
            [f"{KIND}.pattern: there is no group concpt; did you mean `concept`?"],
        ),
        ("'unique_THINGS_(?P<concept>", "'unique_THINGS_(", [f"{KIND}.pattern: .* has a group without a name"]),
        (
            "'unique_THINGS_(?P<concept>",
            "'unique_THINGS_[(?P<concept>",
            [f"{KIND}.pattern: .* is no regular expression"],
        ),
        (
            "description: Objects of THINGS that one subject saw.",
            "desription: Objects.",
            [f"{KIND}.description: is missing", f"{KIND}.desription: unknown key; did you mean `description`"],
        ),
        ("count: 720", "count: -1", [f"{KIND}.count: Input should be greater than or equal to 0"]),
        ("      unique_things:\n", "      unique_laion:\n", ["kinds.unique_laion: duplicate key"]),
        ("examples: [unique_THINGS_t-shirt_p02.jpg]", "examples: []", [f"{KIND}.examples: "]),
        (
            "examples: [unique_THINGS_t-shirt_p02.jpg]",
            "examples: [unique_THINGS+_t-shirt_p02.jpg]",
            ["image_names: example of unique_things: .* follows the rule unique_thingsplus"],
        ),
        (
            "examples: [unique_THINGS_t-shirt_p02.jpg]",
            "examples: [unique_THINGS_t-shirt_p02.gif]",
            ["image_names: example of unique_things: .*gif' is no name of an image"],
        ),
        (
            "'unique_THINGS_(?P<concept>",
            "'unique_(?:THINGS_|LAION_)(?P<concept>",
            ["image_names: example of unique_laion: .* follows several rules: unique_laion, unique_things"],
        ),
        (
            "'shared_4rep_NSD_(?P<batch>special100|special1000)_(?P<number>",
            "'shared_4rep_NSD_(?P<number>special100|special1000)_(?P<batch>",
            ["image_names: example of shared_nsd: invalid literal"],
        ),
        (
            "'shared_4rep_NSD_(?P<batch>",
            "'shared_4rep_NSD_(?P<owner>",
            ["kinds.shared_nsd: a shared image has no owner"],
        ),
        ("p02: sub-06", "p02: sub-6", ["image_names.owners.p02: sub-6 is no subject; did you mean `sub-06`?"]),
        ("p02: sub-06, ", "", ["image_names: example of unique_things: .* there is no owner p02"]),
        ("      cropped: 60\n", "", ["image_names: example of shared_ood: .* there is no ood_type cropped"]),
    ],
)
def test_a_wrong_rule_is_told(old, new, expected):
    found = told(old, new)
    assert len(found) == len(expected), found
    for message, pattern in zip(found, expected, strict=True):
        assert re.search(pattern.replace("[", r"\["), message), message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("key: [participant_id]", "key: [participant]", r"layout\.key: there is no column participant; did you mean"),
        ("key: [image_name]", "key: image_name", r"layout\.key: must be a list"),
        ("column: image_name}", "column: image}", r"known in a column image that stimulus_metadata has not; did you"),
        ("join: stimulus_metadata,", "join: metadata,", r"a join metadata, which is not among the joins; did you mean"),
        ("owner: subject", "owner: ses_", r"the owner in column label is ses_, which is not among the entities; did"),
        ('counted from 0.", counts: true', 'counted from 0.", counts: 2', r"beta_index\.counts: must be true or false"),
        ("values: [human, ai]", "values: [human, 1]", r"source\.values\.1: must be text, not 1; write it in quotes"),
        ('values: ["0", "1"]', 'values: ["no", "yes"]', r"localized: values of dtype int64 are whole numbers"),
        (
            '{dtype: int64, description: "Run in the session, 1 to 12."}',
            '{dtype: str, description: "Run.", counts: true}',
            r"run: a column that counts rows takes dtype: int64",
        ),
        (
            '{dtype: int64, description: "Run in the session, 1 to 12."}',
            '{dtype: int64, description: "Run.", names: *image_names}',
            r"run: names are text",
        ),
        (
            '{dtype: int64, description: "Run in the session, 1 to 12."}',
            '{dtype: str, description: "Run.", owner: subject}',
            r"run: only names of images have an owner",
        ),
        (
            '{dtype: float64, description: "Confidence of the detector."}',
            '{dtype: float64, description: "Score.", values: ["1"]}',
            r"score: values are listed of text and whole numbers only",
        ),
        (
            '{dtype: int64, description: "Run in the session, 1 to 12."}',
            '{dtype: int64, description: "Run.", known_in: {join: stimulus_metadata, column: n_reps}}',
            r"run: what is known in another table is text",
        ),
    ],
)
def test_a_wrong_check_of_a_table_is_told(old, new, expected):
    found = told(old, new)
    assert found
    assert all(re.search(expected, message) for message in found), found


def test_a_catalog_without_rules_has_no_page_of_them():
    with_rules = load_catalog()
    definitions = with_rules.definitions.model_copy(update={"image_names": None})
    without = with_rules.model_copy(update={"definitions": definitions})
    assert "image-names.md" in catalog_pages(with_rules, "a.yaml")
    assert "image-names.md" not in catalog_pages(without, "a.yaml")
    assert "image-names.md" not in catalog_pages(without, "a.yaml")["index.md"]


def test_the_page_lists_every_rule_with_counts_and_examples():
    page = catalog_pages(load_catalog(), "a.yaml")["image-names.md"]
    for name, rule in RULES.kinds.items():
        (row,) = re.findall(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
        assert f"{rule.count:,}" in row
        assert f"`{rule.source}`" in row
        assert all(f"`{group}`" in row for group in rule.regex.groupindex)
        assert f"```text\n{rule.pattern}\n```" in page
        assert all(f"`{example}`" in page for example in rule.examples)
    for key, value in {**RULES.owners, **RULES.ood_types}.items():
        assert f"| `{key}` | {value} |" in page
    assert "25,052" in page
