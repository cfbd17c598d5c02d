"""What a caller's value means, and how values and paths turn into each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from bidsschematools.rules import regexify_filename_rules
from bidsschematools.schema import load_schema
from hypothesis import given, settings
from hypothesis import strategies as st

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.artifacts import FileSpec
from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.templates import fields, fill, listing_prefix, local_path, overlap, parse
from laion_fmri.errors import SelectionError

CATALOG = load_catalog()
ENTITIES = CATALOG.entities
SUBJECT, SES, LABEL = ENTITIES["subject"], ENTITIES["ses"], ENTITIES["label"]
PEOPLE = ("01", "03", "05", "06", "07")


# Entity.choose


@pytest.mark.parametrize(
    ("value", "chosen"),
    [
        ("03", ("03",)),
        ("3", ("03",)),
        ("sub-03", ("03",)),
        ("sub-3", ("03",)),
        ("003", ("03",)),
        (3, ("03",)),
        (np.int64(3), ("03",)),
        (np.uint8(3), ("03",)),
        (np.array(3), ("03",)),
        (np.str_("03"), ("03",)),
        ("all", PEOPLE),
        (["03", 1, "sub-03", "1"], ("03", "01")),
        (("07", "05"), ("07", "05")),
        ({"07", "05", "06"}, ("05", "06", "07")),
        (frozenset({7, "sub-03"}), ("03", "07")),
        ((number for number in (5, 3)), ("05", "03")),
        (range(5, 8), ("05", "06", "07")),
        (np.array([6, 1]), ("06", "01")),
        (np.array(["06", "sub-01"]), ("06", "01")),
        (pd.Series(["06", "07"]), ("06", "07")),
        ({"03": "first", "01": "second"}, ("03", "01")),
    ],
)
def test_a_value_means_labels(value, chosen):
    found = SUBJECT.choose("subject", value)
    assert found == chosen
    assert all(type(one) is str for one in found)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("02", "subject='02' is not one of 01, 03, 05, 06, 07$"),
        ("99", "subject='99' is not one of 01, 03, 05, 06, 07"),
        (2, "subject='2' is not one of"),
        (-3, "subject='-3' is not one of"),
        ("", "subject='' is not one of"),
        ("sub-", "subject='' is not one of"),
        ("../x", "subject='../x' is not one of"),
        ("Sub-03", "subject='Sub-03' is not one of"),
        (" 03", "subject=' 03' is not one of"),
        ("03\n", r"subject='03\\n' is not one of"),
        ("\u0663", "subject='\u0663' is not one of"),
        ("9" * 5000, "is not one of"),
        (["03", "02"], "subject='02' is not one of"),
        ([], r"subject=\[\] selects nothing; name a value or leave subject out"),
        (set(), r"subject=set\(\) selects nothing"),
        (["all"], 'subject: "all" stands alone'),
        (["all", "03"], 'subject: "all" stands alone'),
        (True, "subject=True is of type bool; give text, an integer or a list of those"),
        (np.True_, r"subject=.*True.* is of type bool"),
        ([False], "subject=False is of type bool"),
        (3.0, "subject=3.0 is of type float"),
        (np.float64(3), r"subject=.*3.0.* is of type float64"),
        (None, "subject=None is of type NoneType"),
        ([None], "subject=None is of type NoneType"),
        (b"03", "subject=b'03' is of type bytes"),
        ([["03"]], r"subject=\['03'\] is of type list"),
        (object(), "is of type object"),
    ],
)
def test_a_value_that_means_nothing_is_refused(value, message):
    with pytest.raises(SelectionError, match=message):
        SUBJECT.choose("subject", value)


def test_numbers_are_padded_to_the_label_of_the_same_number():
    mixed = Entity(description="Session.", values=("1", "01", "4BarScreen", "0031"))
    assert mixed.choose("ses", ["1", "01", 31, "ses-31"]) == ("1", "01", "0031")
    assert SES.choose("ses", [1, 30]) == ("01", "30")
    with pytest.raises(SelectionError, match=r"ses='31' is not one of 01, .*30 in all"):
        SES.choose("ses", 31)


def test_an_alias_means_its_value():
    desc = ENTITIES["desc"]
    assert desc.choose("desc", "singletrial") == desc.choose("desc", "desc-singletrial") == ("SingletrialBetas",)
    with pytest.raises(SelectionError, match="did you mean 'SingletrialBetas'"):
        desc.choose("desc", "SingletrialBeta")


def test_values_of_an_open_entity_are_those_of_its_pattern():
    assert LABEL.choose("label", "all") == ("all",)
    assert LABEL.choose("label", ["FFA-1", "FFA1", "label-hV4"]) == ("FFA1", "hV4")
    for wrong in ("../FFA1", "FFA1/x", "FFA_1", "", "FFA 1", "FFA1\n", "all\n"):
        with pytest.raises(SelectionError, match="is not a possible value; it must look like"):
            LABEL.choose("label", wrong)
    with pytest.raises(SelectionError, match="stands alone"):
        LABEL.choose("label", ["FFA1", "all"])


@settings(deadline=None)
@given(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=6))
def test_every_way_to_write_a_list_means_the_same(wanted):
    ways = [[f"sub-{one}" for one in wanted], [int(one) for one in wanted], [one.lstrip("0") for one in wanted]]
    chosen = SUBJECT.choose("subject", wanted)
    assert chosen == tuple(dict.fromkeys(wanted))
    assert all(SUBJECT.choose("subject", way) == chosen for way in ways)


@settings(deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_whatever_is_given_comes_out_as_known_labels_or_is_refused(value):
    try:
        chosen = SUBJECT.choose("subject", value)
    except SelectionError:
        return
    assert chosen
    assert set(chosen) <= set(PEOPLE)


# Templates


def templates_of_the_catalog() -> Iterator[tuple[FileSpec, str]]:
    for source in CATALOG.sources.values():
        for spec in (source.args, *source.args.joins.values()):
            for template in spec.path:
                yield spec, template


TEMPLATES = list(dict.fromkeys((template, spec.tree.name) for spec, template in templates_of_the_catalog()))
SPECS = {template: spec for spec, template in templates_of_the_catalog()}


def value_of(entity: Entity) -> st.SearchStrategy[str]:
    values = st.sampled_from(entity.known) if entity.known else st.from_regex(entity.regex, fullmatch=True)
    return values.map(lambda value: value.translate(dict.fromkeys(map(ord, entity.strip)))).filter(bool)


@pytest.mark.parametrize("template", SPECS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_filled_template_is_parsed_back(template, data):
    entities = SPECS[template].entities
    values = {field: data.draw(value_of(entities[field])) for field in fields(template)}
    path = fill(template, values)
    assert parse(template, entities, path) == values
    assert local_path(path, entities) == path
    others = [f"{path}x", path.replace(".", "x", 1)] if not SPECS[template].rest and "." in template else []
    for wrong in (f"x/{path}", f"{path}\n", path.lower() if path.isupper() else path.upper(), *others):
        assert parse(template, entities, wrong) is None


@pytest.mark.parametrize("template", SPECS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_a_path_is_of_no_other_artifact(template, data):
    entities = SPECS[template].entities
    path = fill(template, {field: data.draw(value_of(entities[field])) for field in fields(template)})
    owners = [
        name
        for name, source in CATALOG.sources.items()
        if any(parse(one, source.args.entities, path) for one in source.args.path if fields(one))
        or path in source.args.path
    ]
    assert len(owners) == 1


def test_a_field_that_stands_twice_has_one_value():
    template, entities = "sub-{subject}/sub-{subject}_ses-{ses}.tsv", {"subject": SUBJECT, "ses": SES}
    assert parse(template, entities, "sub-03/sub-03_ses-01.tsv") == {"subject": "03", "ses": "01"}
    assert parse(template, entities, "sub-03/sub-05_ses-01.tsv") is None
    assert parse(template, entities, "sub-02/sub-02_ses-01.tsv") is None
    assert parse(template, entities, "sub-03/sub-03_ses-1.tsv") is None


def test_the_key_and_the_local_path_of_a_file_have_the_same_values():
    rois = CATALOG.artifact("rois")
    key = "derivatives/rois/sub-03/face/sub-03_space-T1w_res-1pt8_label-pSTS-faces-_mask.nii.gz"
    path = local_path(key, ENTITIES)
    assert path == "derivatives/rois/sub-03/face/sub-03_space-T1w_res-1pt8_label-pSTSfaces_mask.nii.gz"
    values = {"subject": "03", "category": "face", "res": "1pt8", "label": "pSTSfaces"}
    assert parse(rois.path[0], rois.entities, key) == parse(rois.path[0], rois.entities, path) == values


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("label-FFA-1", "label-FFA1"),
        ("a_label-FFA-1.nii.gz", "a_label-FFA1.nii.gz"),
        ("label-a-b/label-c-d_x-e-f", "label-ab/label-cd_x-e-f"),
        ("a_label-laion-dorsal_desc-x.func.gii", "a_label-laiondorsal_desc-x.func.gii"),
        ("a_task-foo-bar_x.tsv", "a_task-foo-bar_x.tsv"),
        ("a_xlabel-foo-bar_x.tsv", "a_xlabel-foo-bar_x.tsv"),
        ("a_task-label-foo-bar_x.tsv", "a_task-label-foo-bar_x.tsv"),
        ("glmsingle-tedana/sub-03_label_x.tsv", "glmsingle-tedana/sub-03_label_x.tsv"),
        ("freesurfer/sub-03/label/lh.x-y.label", "freesurfer/sub-03/label/lh.x-y.label"),
    ],
)
def test_hyphens_leave_labels_alone_and_nothing_else(key, path):
    assert local_path(key, ENTITIES) == path


@settings(deadline=None)
@given(st.text("label-FA1_/.", max_size=30))
def test_a_local_path_is_its_own_local_path(key):
    path = local_path(key, ENTITIES)
    assert local_path(path, ENTITIES) == path
    assert path.replace("-", "") == key.replace("-", "")
    assert re.split("[_/.]", path.replace("-", "")) == re.split("[_/.]", key.replace("-", ""))


@settings(deadline=None)
@given(st.data())
def test_templates_of_one_key_overlap(data):
    """What both templates parse is claimed by both; what overlap denies, no key can be."""
    one, other = (data.draw(st.sampled_from(sorted(SPECS))) for _ in range(2))
    mine, theirs = SPECS[one].entities, SPECS[other].entities
    path = fill(one, {field: data.draw(value_of(mine[field])) for field in fields(one)})
    assert overlap(one, mine, other, theirs) == overlap(other, theirs, one, mine)
    if parse(other, theirs, path) is not None:
        assert overlap(one, mine, other, theirs)


PIECES = ["a", "b", "-", ".", "_", "/", "{x}", "{y_1}", "{z}"]
SMALL = {
    "x": Entity(description="Closed.", values=("a", "b", "a.b")),
    "y_1": Entity(description="Open.", pattern="[ab-]+"),
    "z": Entity(description="Closed.", values=("c", "b-")),
}


@settings(deadline=None, max_examples=500)
@given(
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.lists(st.sampled_from(PIECES), max_size=6), st.data()
)
def test_overlap_misses_no_common_key(one, pieces, data):
    other = "".join(pieces)
    path = fill(one, {field: data.draw(value_of(SMALL[field])) for field in fields(one)})
    if parse(other, SMALL, path) is not None:
        assert overlap(one, SMALL, other, SMALL)


@pytest.mark.parametrize(
    ("selection", "prefixes"),
    [
        ({}, ["d/sub-"]),
        ({"subject": ["all"]}, ["d/sub-"]),
        ({"subject": ["03"]}, ["d/sub-03/ses-"]),
        ({"ses": ["01"]}, ["d/sub-"]),
        ({"subject": ["03", "05"], "ses": ["all"]}, ["d/sub-03/ses-", "d/sub-05/ses-"]),
        (
            {"subject": ["03", "05"], "ses": ["01", "02"]},
            [f"d/sub-{sub}/ses-{ses}/sub-{sub}_ses-{ses}_x.tsv" for sub in ("03", "05") for ses in ("01", "02")],
        ),
    ],
)
def test_prefixes_hold_every_key_of_a_selection(selection, prefixes):
    assert list(listing_prefix("d/sub-{subject}/ses-{ses}/sub-{subject}_ses-{ses}_x.tsv", selection)) == prefixes


def test_a_template_without_fields_is_its_own_prefix():
    assert list(listing_prefix("participants.tsv", {"subject": ["03"]})) == ["participants.tsv"]


# BIDS

SCHEMA = load_schema()
BIDS_ORDER = [SCHEMA.objects.entities[name].name for name in SCHEMA.rules.entities]
BIDS_DERIVATIVES = [rule["regex"] for rule in regexify_filename_rules(SCHEMA.rules.files.deriv, SCHEMA, level=2)]


def example(template: str) -> str:
    entities = SPECS[template].entities
    return fill(template, {field: [*entities[field].known, "V1v"][0] for field in fields(template)})


BIDS_LIKE = sorted(path for path in map(example, SPECS) if path.rpartition("/")[2].startswith("sub-"))


@pytest.mark.parametrize("path", BIDS_LIKE)
def test_the_entities_of_a_file_name_are_those_of_bids_in_their_order(path):
    *folders, name = path.split("/")
    *tokens, suffix = name.partition(".")[0].split("_")
    keys = [token.partition("-")[0] for token in tokens]
    known = [key for key in keys if key in BIDS_ORDER]
    assert known == sorted(known, key=BIDS_ORDER.index)
    assert len(keys) == len(set(keys))
    assert set(keys) - set(known) <= {"stat", "contrast"}  # proposed for statistical maps, not in the schema
    assert all(re.fullmatch(SCHEMA.objects.formats.label.pattern, token.partition("-")[2]) for token in tokens)
    assert suffix.isalnum()
    for folder in folders:
        if folder.startswith(("sub-", "ses-")):
            assert folder in tokens


def test_the_brain_mask_is_a_mask_by_the_rules_of_bids():
    for template in CATALOG.artifact("brain_mask").path:
        *_, path = example(template).partition("derivatives/anatomical/")
        assert any(re.match(rule, path) for rule in BIDS_DERIVATIVES), path
