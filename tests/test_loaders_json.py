"""Loader of JSON files, compared with plain json."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import get_loader
from loader_files import entry, request

SUMMARY = entry("json", "sub-{subject}_ses-{ses}_summary.json", {"dims": []}, ["subject", "ses"], options={})
ONE = {"subject": "03", "ses": "01"}


def write(root: Path, text: str | bytes, **values: str) -> Path:
    path = root / SUMMARY.path[0].format(**{**ONE, **values})
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(root: Path, *choices: dict[str, str]):
    return get_loader("json").read(request(SUMMARY, root, [{**ONE, **choice} for choice in choices or [{}]]))


def test_a_file_is_its_content(tmp_path: Path):
    text = '{"runs": [1, 2.5, null], "name": "crème", "more": {"NA": true}}'
    path = write(tmp_path, text)
    with path.open(encoding="utf-8") as file:
        assert read(tmp_path) == json.load(file)
    path.write_bytes(text.encode("utf-8-sig"))
    assert read(tmp_path) == json.loads(text)


def test_files_are_found_by_the_entity_in_which_they_differ(tmp_path: Path):
    for ses in ("02", "01"):
        write(tmp_path, json.dumps({"session": ses}), ses=ses)
    found = read(tmp_path, {"ses": "02"}, {"ses": "01"})
    assert found == {"02": {"session": "02"}, "01": {"session": "01"}}
    assert list(found) == ["02", "01"]


def test_files_that_differ_in_several_entities_are_found_by_their_values(tmp_path: Path):
    choices = [{"subject": "03", "ses": "02"}, {"subject": "05", "ses": "01"}]
    for choice in choices:
        write(tmp_path, json.dumps(choice), **choice)
    assert read(tmp_path, *choices) == {("03", "02"): choices[0], ("05", "01"): choices[1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as JSON"),
        (b'{"runs": [1, 2', "cannot be read as JSON"),
        (b'{"name": "\xff"}', "cannot be read as JSON"),
        (b"[1, 2]", "holds a JSON list, not an object"),
        (b"3", "holds a JSON int, not an object"),
    ],
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes, message: str):
    path = write(tmp_path, content)
    with pytest.raises(DataFormatError, match=f"{re.escape(str(path))} {message}"):
        read(tmp_path)


def test_json_has_no_lazy_form(tmp_path: Path):
    write(tmp_path, "{}")
    with pytest.raises(SelectionError, match=r"sub-03_ses-01_summary.json.*use read\(\)"):
        get_loader("json").to_dask(request(SUMMARY, tmp_path, [ONE]))


def test_loaders_of_single_files_need_no_joins():
    for name in ("json", "matrix", "surface_label", "surface_map"):
        assert get_loader(name).needs(SUMMARY, {}) == ()
