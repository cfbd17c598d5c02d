"""The loader of train/test splits: what it gives, and what it refuses."""

from __future__ import annotations

import json
import pickle

import pytest

from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.local import artifact_source

A, B, C, D, E = (f"shared_4rep_NSD_special100_{n}.jpg" for n in range(5))
TRAIN, TEST = [A, B, C], [D, E]
GOOD = {
    "name": "tau",
    "pool": "sub-04 full pool",
    "splitter": "by hand",
    "params": {"seed": 1},
    "n_train": 3,
    "n_test": 2,
    "variants": [{"variant_id": 0, "train_ids": TRAIN, "test_ids": TEST}],
}


def variant(**changed):
    return {"variants": [{**GOOD["variants"][0], **changed}]}


@pytest.fixture
def write(data_dir):
    def put(content, pool="sub-03", split="tau"):
        path = data_dir / "splits" / "data" / pool / f"{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return path

    return put


def read(pool="sub-03", split="tau"):
    return artifact_source("splits")(pool=pool, split=split).read()


def test_a_split_has_the_names_of_its_file_and_the_pool_of_its_folder(write):
    write(GOOD)
    split = read()
    assert (split.name, split.pool, split.splitter, split.params) == ("tau", "sub-03", "by hand", {"seed": 1})
    assert (split.n_train, split.n_test) == (3, 2)
    assert split.variants == GOOD["variants"]
    assert repr(split) == "<split tau of sub-03: 3 images to train on, 2 to test>"
    assert pickle.loads(pickle.dumps(split)) == split


def test_all_variants_are_given(write):
    second = {"variant_id": 1, "train_ids": [A, B, D], "test_ids": [C, E]}
    write({**GOOD, "variants": [*GOOD["variants"], second]})
    assert [one["variant_id"] for one in read().variants] == [0, 1]


@pytest.mark.parametrize(
    ("name", "family"), [("tau", "tau"), ("cluster_k5_3", "cluster_k5"), ("random_0", "random"), ("ood", "ood")]
)
def test_the_family_of_a_split_is_its_name_without_the_number_of_a_fold(write, name, family):
    write({**GOOD, "name": name}, split=name)
    assert read(split=name).split_family == family


def test_several_files_are_a_dict_by_what_differs(write):
    for pool in ("sub-03", "shared"):
        for split in ("tau", "ood"):
            write({**GOOD, "name": split}, pool, split)
    assert {name: split.name for name, split in read(split=["tau", "ood"]).items()} == {"tau": "tau", "ood": "ood"}
    both = read(pool=["sub-03", "shared"], split=["tau", "ood"])
    assert {(split.pool, split.name) for split in both.values()} == set(both)
    assert len(both) == 4


MISTAKES = {
    "no object": ([1], "holds a JSON list"),
    "a key that is missing": ({key: GOOD[key] for key in GOOD if key != "splitter"}, "splitter has to be of type str"),
    "a key of another type": ({**GOOD, "n_train": "3"}, "n_train has to be of type int and is of type str"),
    "another split": ({**GOOD, "name": "ood"}, "it is the split ood in place of tau"),
    "no variant": ({**GOOD, "variants": []}, "its variants have to be numbered"),
    "a variant that is none": ({**GOOD, "variants": ["x"]}, "its variants have to be numbered"),
    "two variants of one number": ({**GOOD, "variants": GOOD["variants"] * 2}, r"their variant_id are \[0, 0\]"),
    "a side that is missing": (
        {**GOOD, "variants": [{"variant_id": 0, "test_ids": TEST}]},
        "train_ids has to be a list of names and is missing",
    ),
    "a name that is no text": ({**GOOD, **variant(test_ids=[D, 5])}, "test_ids has to be a list of names"),
    "a name of no image": ({**GOOD, **variant(test_ids=[D, "dog.jpg"])}, "test_ids, place 1: 'dog.jpg' is no name of"),
    "another count": ({**GOOD, "n_test": 3}, "test_ids has 2 names, and n_test says 3"),
    "a name twice": ({**GOOD, **variant(train_ids=[A, B, B])}, "train_ids has names twice: .*special100_1.jpg"),
    "a name on both sides": (
        {**GOOD, **variant(test_ids=[A, D])},
        "variant 0: images stand on both sides: .*special100_0.jpg",
    ),
}


@pytest.mark.parametrize(("content", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_damaged_split_is_refused_naming_file_and_mistake(write, content, told):
    path = write(content)
    with pytest.raises(DataFormatError, match=rf"(?s){path}.*{told}.*download it again"):
        read()


def test_a_file_that_is_no_json_is_refused(write):
    write(GOOD).write_bytes(b"<html>")
    with pytest.raises(DataFormatError, match="cannot be read as JSON"):
        read()


def test_a_split_has_no_lazy_form(write):
    write(GOOD)
    with pytest.raises(SelectionError, match=r"no lazy form \(tau.json\)"):
        artifact_source("splits")(pool="sub-03", split="tau").to_dask()
