"""The page about catalogs: its example is a whole catalog of another lab, and what it says of validation holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.check import check_catalog
from laion_fmri.cli import main
from laion_fmri.reference.pages import catalog_pages

ROOT = Path(__file__).parents[1]
DOCS, SCHEMAS = ROOT / "docs", ROOT / "schemas"


def other_catalog() -> str:
    page = (DOCS / "catalog.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return text


def test_the_catalog_of_another_lab_in_the_docs_validates():
    model, problems = check_catalog(other_catalog(), DOCS)
    assert problems == []
    assert model.name == "moving_dots"


def test_the_schema_that_editors_use_accepts_the_catalog_of_another_lab():
    schema = json.loads((SCHEMAS / "catalog.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(other_catalog()), schema)


MISTAKES = {  # what the page says that validation finds
    "unquoted label": ('range: ["01", "12"]', "range: [01, 12]"),
    "duplicate key": ("      region: eu-central-1", "      region: eu-central-1\n      region: eu-west-1"),
    "tag": ("title: Moving Dots", "title: !lab Moving Dots"),
    "merge key": ("dims: [i, j, k], dtype: bool", "<<: *dataset"),
    "template marks": ("description: Response maps.", 'description: "{{ maps }}"'),
    "unknown key": ("sidecar: true", "sidecars: true"),
    "missing key": ("      loader: table\n", ""),
    "mistyped value": ("bytes: 3000000", "bytes: large"),
    "unknown entity in a tree": ("when: visit", "when: visits"),
    "unknown filter": ("filters: [visit, suffix", "filters: [visits, suffix"),
    "unknown field": ("_dir-{direction}_map", "_dir-{directions}_map"),
    "unknown artifact": ("artifact: brain_mask", "artifact: brain_masks"),
    "unknown join": ("choices: {anatomical: brain_mask}", "choices: {anatomical: mask}"),
    "default that is no value": ("default: anatomical", "default: functional"),
    "alias of no value": ("first: baseline", "first: basic"),
    "bad pattern": ("[a-z-]+", "[a-z-"),
    "unused entity": ("sub-{subject}_ses-{visit}_dir-{direction}_map", "sub-{subject}_ses-{visit}_map"),
    "path of another artifact": ("      path: *mask_path", "      path: derivatives/anatomy/sub-{subject}/mask.nii.gz"),
    "two claims": ("entities: {}\n      path: participants.tsv", "entities: *mask_entities\n      path: *mask_path"),
    "taken name": ("  participants:\n", "  search:\n"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_validation_finds_what_the_page_says_it_finds(mistake, tmp_path, capsys):
    file = tmp_path / "moving-dots.yaml"
    file.write_text(other_catalog(), encoding="utf-8")
    assert main(["catalog", "validate", str(file)]) == 0

    old, new = MISTAKES[mistake]
    assert old in other_catalog()
    file.write_text(other_catalog().replace(old, new), encoding="utf-8")
    assert main(["catalog", "validate", str(file)]) == 2
    assert f"{file}:" in capsys.readouterr().err


def test_the_pages_of_another_catalog_speak_of_that_dataset_alone():
    model, _ = check_catalog(other_catalog(), DOCS)
    pages = catalog_pages(model, "moving-dots.yaml")
    assert pages.keys() == {"index.md", "filters.md", "responses.md", "brain_mask.md", "orders.md", "participants.md"}
    text = "\n".join(pages.values())
    assert "laion-fmri download --subject 02 --visit baseline --suffix map --extension nii.gz" in text
    ours = load_catalog()
    assert ours.dataset.title not in text
    assert not [tree.name for tree in ours.trees if tree.prefix and f"`{tree.prefix}`" in text]
