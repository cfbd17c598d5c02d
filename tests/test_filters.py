"""Which keys the filters keep: the whole truth table, the rules as properties, and a slow second opinion."""

from __future__ import annotations

import itertools
import string
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.filters import filter_values, held_out_test, key_filter, name_parts, token
from laion_fmri.errors import SelectionError

ENTITIES = load_catalog().entities
HELD_OUT = held_out_test(load_catalog().remote.held_out, ENTITIES)

G = "derivatives/glmsingle-tedana/sub-03/"
SESSION = f"{G}ses-04/func/sub-03_ses-04_task-images_"
RUN = "sub-03/ses-01/func/sub-03_ses-01_task-images_run-01_"
FACE = "derivatives/rois/sub-03/face/sub-03_"

BETAS = f"{SESSION}space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
BETAS_JSON = f"{SESSION}space-T1w_stat-effect_desc-SingletrialBetas_statmap.json"
TRIALS = f"{SESSION}desc-SingletrialBetas_trials.tsv"
SUMMARY = f"{SESSION}desc-GLMsingle_summary.json"
NOISE_CEILING = f"{SESSION}space-T1w_desc-Noiseceiling_statmap.nii.gz"
R2_MEAN = f"{G}sub-03_task-images_space-T1w_stat-rsquare_desc-R2mean_statmap.nii.gz"
CEILING_12 = f"{G}sub-03_task-images_space-T1w_desc-Noiseceiling12rep_statmap.nii.gz"
NO_TASK = f"{G}sub-03_space-T1w_desc-prfR2paradigmStandardOls_statmap.nii.gz"
ROI = f"{FACE}space-T1w_res-1pt8_label-FFA-1_mask.nii.gz"
ROI_SURFACE = f"{FACE}hemi-L_space-fsnative_label-FFA-1_mask.func.gii"
ROI_LABEL = f"{FACE}hemi-L_space-fsnative_label-FFA-1_mask.label"
BOLD = f"{RUN}echo-1_part-mag_bold.nii.gz"
BOLD_JSON = f"{RUN}echo-1_part-mag_bold.json"
EVENTS = f"{RUN}events.tsv"
SBREF = f"{RUN}echo-1_sbref.nii.gz"
FIELDMAP = "sub-03/ses-01/fmap/sub-03_ses-01_run-01_phasediff.nii.gz"
FREESURFER = "derivatives/freesurfer/sub-03/surf/lh.sphere.reg"

KEPT = [
    (BETAS, {"ses": "04"}, True),
    (BETAS, {"ses": "ses-04"}, True),
    (BETAS, {"ses": "4"}, False),
    (BETAS, {"ses": "Ses-04"}, False),
    (BETAS, {"ses": ["02", "04"]}, True),
    (BETAS, {"ses": "averages"}, False),
    (BETAS, {"ses": []}, False),
    (CEILING_12, {"ses": "04"}, False),
    (CEILING_12, {"ses": "averages"}, True),
    (CEILING_12, {"ses": "ses-averages"}, True),
    (CEILING_12, {"ses": ["04", "averages"]}, True),
    (CEILING_12, {"ses": "Averages"}, False),
    (R2_MEAN, {"ses": "04"}, False),
    (R2_MEAN, {"ses": "averages"}, True),
    (ROI, {"ses": "04"}, False),
    (BETAS, {"task": "images"}, True),
    (BETAS, {"task": "task-images"}, True),
    (BETAS, {"task": "Images"}, False),
    (BETAS, {"task": "image"}, False),
    (BETAS, {"task": "other"}, False),
    (NO_TASK, {"task": "images"}, True),
    (NO_TASK, {"task": "other"}, True),
    (TRIALS, {"space": "fsnative"}, True),
    (BETAS, {"space": "fsnative"}, False),
    (BETAS, {"space": "t1w"}, False),
    (BETAS, {"desc": "SingletrialBetas"}, True),
    (BETAS, {"desc": "desc-SingletrialBetas"}, True),
    (BETAS, {"desc": "Singletrial"}, False),
    (CEILING_12, {"desc": "Noiseceiling"}, False),
    (NOISE_CEILING, {"stat": "effect"}, True),
    (R2_MEAN, {"stat": "effect"}, False),
    (ROI, {"desc": "SingletrialBetas", "stat": "effect"}, True),
    (ROI, {"space": "T1w"}, True),
    (ROI_SURFACE, {"space": "T1w"}, False),
    (ROI, {"suffix": "statmap"}, False),
    (ROI, {"suffix": "mask"}, True),
    (BETAS, {"suffix": "statmap"}, True),
    (BETAS, {"suffix": "_statmap"}, False),
    (TRIALS, {"suffix": "trials"}, True),
    (TRIALS, {"suffix": "events"}, False),
    (BETAS_JSON, {"suffix": "statmap"}, True),
    (BETAS_JSON, {"suffix": "statmap", "extension": "nii.gz"}, True),
    (BETAS_JSON, {"extension": "nii.gz"}, False),
    (BETAS_JSON, {"extension": "json"}, True),
    (BETAS_JSON, {"suffix": "events", "extension": "json"}, False),
    (SUMMARY, {"suffix": "summary", "extension": "tsv"}, True),
    (SUMMARY, {"suffix": "statmap"}, False),
    (BETAS, {"extension": "nii.gz"}, True),
    (BETAS, {"extension": ".nii.gz"}, False),
    (BETAS, {"extension": "nii"}, False),
    (BETAS, {"extension": "gz"}, False),
    (ROI_SURFACE, {"extension": "func.gii"}, True),
    (ROI_SURFACE, {"extension": "gii"}, False),
    (ROI_LABEL, {"extension": "label"}, True),
    (FREESURFER, {"extension": "reg"}, False),
    (FREESURFER, {"extension": "sphere.reg"}, True),
    (BOLD, {"run": "01"}, True),
    (BOLD, {"run": "run-01"}, True),
    (BOLD, {"run": "1"}, False),
    (BOLD, {"echo": "1"}, True),
    (BOLD, {"echo": "2"}, False),
    (EVENTS, {"echo": "2"}, True),
    (EVENTS, {"part": "mag"}, True),
    (SBREF, {"part": "phase"}, True),
    (FIELDMAP, {"echo": "1", "task": "images"}, True),
    (BOLD_JSON, {"suffix": "bold", "extension": "nii.gz"}, True),
    (BETAS, {"ses": "04", "stat": "effect", "extension": "nii.gz"}, True),
    (BETAS, {"ses": "04", "stat": "noiseceiling"}, False),
    # rule 10, empty lists
    (R2_MEAN, {"ses": []}, False),
    (BETAS, {"suffix": []}, False),
    (FREESURFER, {"extension": []}, False),
    (BETAS, {"task": []}, False),
    (NO_TASK, {"task": []}, True),
    # rules 2, 3 and 6, tokens that only look like one
    (f"{G}ses-04", {"ses": "04"}, True),
    (f"{G}ses-04\n", {"ses": "04"}, False),
    (f"{G}ses-04a/x.tsv", {"ses": "04"}, False),
    (f"{G}xses-04/x.tsv", {"ses": "04"}, False),
    (f"{G}ses-averages/x.tsv", {"ses": "averages"}, False),
    (f"{G}ses-04-1/x.tsv", {"ses": "averages"}, True),
    (f"{G}x_task-images-floc_x.tsv", {"task": "images"}, True),
    ("task-floc.tsv", {"task": "images"}, False),
    # rule 1, filters that are off
    (BETAS, {}, True),
    (BETAS, {"ses": None, "suffix": None}, True),
]


def keeps(key: str, wanted: Mapping[str, str | Sequence[str] | None]) -> bool:
    """Filter a key with values as they are: no alias, and no check whether the catalog knows them."""
    selection = {
        name: None if values is None else [bare(name, one) for one in ([values] if isinstance(values, str) else values)]
        for name, values in wanted.items()
    }
    return key_filter(ENTITIES, selection)(key)


def bare(name: str, value: str) -> str:
    return value if name in ("suffix", "extension") else value.removeprefix(f"{name}-")


@pytest.mark.parametrize(("key", "wanted", "kept"), KEPT, ids=[f"{wanted} {key[-40:]}" for key, wanted, _ in KEPT])
def test_the_truth_table_of_the_filters(key, wanted, kept):
    assert keeps(key, wanted) is kept


@pytest.mark.parametrize(
    ("key", "held_out"),
    [
        *((f"derivatives/glmsingle-tedana/sub-01/ses-{ses}/func/x.nii.gz", True) for ses in (31, 32, 33, 34)),
        ("derivatives/glmsingle-tedana/sub-01/ses-30/func/x.nii.gz", False),
        ("derivatives/glmsingle-tedana/sub-01/ses-35/func/x.nii.gz", False),
        ("derivatives/glmsingle-tedana/sub-01/ses-310/func/x.nii.gz", False),
        ("derivatives/glmsingle-tedana/sub-01/xses-31/func/x.nii.gz", False),
        ("derivatives/glmsingle-tedana/sub-01/ses-31", True),
        ("sub-03/ses-31/anat/sub-03_ses-31_T1w.nii.gz", True),
        ("sub-03/ses-31/func/sub-03_ses-31_task-oloc_run-01_echo-1_part-mag_bold.nii.gz", True),
        ("derivatives/tedana/sub-03/ses-31/func/sub-03_ses-31_task-oloc_desc-optcom_bold.nii.gz", True),
        ("derivatives/localizers/sub-03/ses-31/func/sub-03_ses-31_task-oloc_hemi-L_stat-z_statmap.func.gii", False),
        ("derivatives/localizers/sub-03/ses-31/func/sub-03_ses-31_task-oloc.json", False),
        ("derivatives/localizers/sub-03/ses-31/func/sub-03_ses-31_task-oloc2_statmap.json", True),
        ("derivatives/localizers/sub-03/ses-31/func/sub-03_ses-31_task-images_bold.nii.gz", True),
        ("derivatives/glmsingle-tedana/sub-01/sub-01_ses-31_x.tsv", False),
        (R2_MEAN, False),
    ],
)
def test_the_truth_table_of_held_out_data(key, held_out):
    assert HELD_OUT(key) is held_out


def test_a_remote_without_a_held_out_rule_gives_everything():
    assert not held_out_test(None, ENTITIES)("sub-03/ses-31/anat/x.nii.gz")


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        (BETAS, ("statmap", "nii.gz")),
        (FREESURFER, ("lh", "sphere.reg")),
        ("README", ("README", "")),
        ("a_b/README", ("README", "")),
        ("a.b/participants.tsv", ("participants", "tsv")),
        ("x/_bold.nii.gz", ("bold", "nii.gz")),
        ("x/.hidden", ("", "hidden")),
        ("x/a_b..json", ("b", ".json")),
        ("x/", ("", "")),
    ],
)
def test_suffix_and_extension_of_a_key(key, parts):
    assert name_parts(key) == parts


def test_a_filter_that_is_not_there_is_refused_naming_the_nearest():
    with pytest.raises(SelectionError, match="there is no filter sess; did you mean `ses`"):
        key_filter(ENTITIES, {"sess": ["04"]})


# The rules once more, written down as slowly and literally as possible.


def reference(key: str, selection: Mapping[str, Sequence[str] | None]) -> bool:
    return all(holds(key, name, values, selection) for name, values in selection.items() if values is not None)


def holds(key: str, name: str, values: Sequence[str], selection: Mapping[str, Sequence[str] | None]) -> bool:
    *_, file_name = key.split("/")
    stem, *rest = file_name.split(".")
    *_, suffix = stem.split("_")
    extension = ".".join(rest)
    if name == "suffix":
        return suffix in values
    if name == "extension":
        wanted_suffixes = selection.get("suffix")
        sidecar = wanted_suffixes is not None and extension == "json" and suffix in wanted_suffixes
        return sidecar or extension in values
    found = token_values(key, name)
    if name == "ses":
        return any(value in found for value in values if value != "averages") if found else "averages" in values
    return any(value in found for value in values) or not found


def token_values(key: str, name: str) -> set[str]:
    found = set()
    for start, end in itertools.combinations(range(len(key) + 1), 2):
        text, before, after = key[start:end], key[start - 1 : start], key[end : end + 1]
        value = text.removeprefix(f"{name}-")
        right = value != text and value and set(value) <= set(string.ascii_letters + string.digits)
        if right and before in ("", "/", "_") and after in ("", "/", "_", "."):
            found.add(value)
    return found


VALUES = {
    "ses": ["01", "04", "30", "averages", "4BarScreenfLoc"],
    "task": ["images", "floc", "image"],
    "space": ["T1w", "fsnative"],
    "desc": ["SingletrialBetas", "Noiseceiling", "Noiseceiling4rep"],
    "run": ["01", "1"],
    "suffix": ["statmap", "mask", "trials", ""],
    "extension": ["nii.gz", "json", "tsv", "", ".json", "gz"],
}
NEAR_MISSES = [
    "xses-04", "ses-04a", "ses-4", "ses-", "ses", "Ses-04", "ses-04-1", "ses-04 ", "ses--04", "tasks-images",
    "task-ima", "task-images-floc", "desc-Noiseceilings", "ses-\u0660\u0664", "ses-04\n", "-04", "", "sub-03", "func",
]  # fmt: skip
TOKENS = st.sampled_from([f"{name}-{value}" for name, values in VALUES.items() for value in values] + NEAR_MISSES)
NAMES = st.builds(
    "{}{}".format,
    st.lists(TOKENS | st.sampled_from(VALUES["suffix"]), max_size=6).map("_".join),
    st.sampled_from(["", ".nii.gz", ".json", ".tsv", ".nii", "..json", ".", ".json.gz", ".func.gii"]),
)
KEYS = st.lists(st.lists(TOKENS, max_size=2).map("_".join) | NAMES, max_size=4).flatmap(
    lambda folders: NAMES.map(lambda name: "/".join([*folders, name]))
) | st.text("ses-04_/.j\n", max_size=12)
SELECTIONS = st.fixed_dictionaries(
    {}, optional={name: st.none() | st.lists(st.sampled_from(values), max_size=3) for name, values in VALUES.items()}
)

quickly = settings(max_examples=300, deadline=None)


@quickly
@given(KEYS, SELECTIONS)
def test_the_filters_agree_with_the_rules(key, selection):
    assert key_filter(ENTITIES, selection)(key) == reference(key, selection)


@quickly
@given(KEYS, SELECTIONS, st.sampled_from(list(VALUES)), st.data())
def test_another_filter_adds_nothing_but_sidecars(key, selection, name, data):
    fewer = {key: values for key, values in selection.items() if key != name}
    more = {**fewer, name: data.draw(st.lists(st.sampled_from(VALUES[name]), max_size=3))}
    if key_filter(ENTITIES, more)(key) and not key_filter(ENTITIES, fewer)(key):
        assert name == "suffix"
        assert name_parts(key)[1] == "json"
        assert fewer["extension"] is not None


@quickly
@given(KEYS, st.sampled_from(list(VALUES)), st.data())
def test_a_list_is_the_union_of_its_values(key, name, data):
    values = data.draw(st.lists(st.sampled_from(VALUES[name]), min_size=1, max_size=3))
    assert keeps(key, {name: values}) == any(keeps(key, {name: value}) for value in values)


@quickly
@given(KEYS, SELECTIONS, st.randoms())
def test_the_order_of_values_and_filters_does_not_matter(key, selection, random):
    shuffled = {name: values and random.sample(values, len(values)) for name, values in selection.items()}
    shuffled = dict(random.sample(list(shuffled.items()), len(shuffled)))
    assert key_filter(ENTITIES, shuffled)(key) == key_filter(ENTITIES, selection)(key)


@quickly
@given(KEYS, st.sampled_from(["task", "space", "desc", "run"]), st.data())
def test_a_permissive_filter_keeps_a_key_without_the_entity(key, name, data):
    values = data.draw(st.lists(st.sampled_from(VALUES[name]), max_size=3))
    if not token_values(key, name):
        assert keeps(key, {name: values})


@quickly
@given(KEYS, st.sampled_from(["ses", "task", "space", "desc"]), st.data())
def test_a_bare_value_and_a_full_token_mean_the_same(key, name, data):
    entity = ENTITIES[name]
    value = data.draw(st.sampled_from([*entity.known, *filter(None, [entity.absent])]))
    chosen = filter_values(name, entity, value, entity.known)
    assert filter_values(name, entity, f"{name}-{value}", entity.known) == chosen == (value,)
    assert keeps(key, {name: f"{name}-{value}"}) == keeps(key, {name: value})


@quickly
@given(KEYS, st.sampled_from(VALUES["ses"]))
def test_a_token_is_found_where_the_rules_see_one(key, value):
    assert bool(token("ses", value).search(key)) == (value in token_values(key, "ses"))


# What callers give.


def values_of(name: str, wanted: object) -> tuple[str, ...] | None:
    return filter_values(name, ENTITIES[name], wanted, ENTITIES[name].known)


@pytest.mark.parametrize(
    ("name", "wanted", "values"),
    [
        ("ses", None, None),
        ("ses", "04", ("04",)),
        ("ses", ["ses-04", "04", "01"], ("04", "01")),
        ("ses", ("04",), ("04",)),
        ("ses", (ses for ses in ["04"]), ("04",)),
        ("ses", np.array(["04", "05"]), ("04", "05")),
        ("ses", [], ()),
        ("ses", "averages", ("averages",)),
        ("ses", "ses-averages", ("averages",)),
        ("ses", ["averages", "ses-03"], ("averages", "03")),
        ("desc", "singletrial", ("SingletrialBetas",)),
        ("desc", "desc-singletrial", ("SingletrialBetas",)),
        ("desc", ["singletrial", "SingletrialBetas"], ("SingletrialBetas",)),
        ("suffix", "statmap", ("statmap",)),
        ("extension", ["nii.gz", "json"], ("nii.gz", "json")),
        ("run", "run-07", ("07",)),
        ("echo", ["1", "echo-3"], ("1", "3")),
    ],
)
def test_a_filter_argument_names_values(name, wanted, values):
    assert values_of(name, wanted) == values


def test_the_alias_of_the_betas_selects_them():
    assert key_filter(ENTITIES, {"desc": values_of("desc", "singletrial")})(BETAS)
    assert not key_filter(ENTITIES, {"desc": ["singletrial"]})(BETAS)


def test_values_that_are_held_out_are_accepted_where_they_are_given_as_known():
    assert filter_values("ses", ENTITIES["ses"], "31", [*ENTITIES["ses"].known, "31"]) == ("31",)


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("ses", "Averages", "ses='Averages' is not one of 01, .*; did you mean 'averages'"),
        ("ses", "4", "ses='4' is not one of .*; did you mean '04'"),
        ("ses", "ses-99", "ses='99' is not one of 01, 02, .*31 in all"),
        ("ses", ["04", "Ses-05"], "ses='Ses-05' is not one of"),
        ("task", "image", "task='image' is not one of images; did you mean 'images'"),
        ("space", "t1w", "space='t1w' is not one of T1w, fsnative; did you mean 'T1w'"),
        ("desc", "SingletrialBeta", "did you mean 'SingletrialBetas'"),
        ("suffix", "_statmap", "did you mean 'statmap'"),
        ("extension", ".nii.gz", "did you mean 'nii.gz'"),
        ("extension", "extension-json", "extension='extension-json' is not one of"),
        ("run", "../01", "run='../01' is not a possible value; it must look like"),
        ("run", "1", "run='1' is not a possible value; it must look like"),
        ("echo", "01", "echo='01' is not one of 1, 2, 3; did you mean '1'"),
        ("ses", "", "ses='' is not one of"),
        ("ses", "04\n", "is not one of"),
    ],
)
def test_an_unknown_value_is_refused_naming_the_nearest(name, wanted, message):
    with pytest.raises(SelectionError, match=message):
        values_of(name, wanted)


@pytest.mark.parametrize("wanted", [4, 4.0, True, b"04", [4], ["04", None], [["04"]], {"04": 1}.items(), object()])
def test_a_value_that_is_no_text_is_refused_with_an_example(wanted):
    with pytest.raises(TypeError, match=r'ses=.* is of type .+; give text such as "01" or a list of texts'):
        values_of("ses", wanted)


def test_a_special_value_of_an_open_entity_is_accepted():
    ses = Entity(description="Session.", pattern="[0-9]{2}", match="strict", absent="averages")
    assert filter_values("ses", ses, ["averages", "07"], []) == ("averages", "07")
    with pytest.raises(TypeError, match='give text such as "averages" or a list of texts'):
        filter_values("ses", ses, 7, [])
    with pytest.raises(TypeError, match="run=7 is of type int; give text or a list of texts"):
        values_of("run", 7)
