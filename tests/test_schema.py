"""The JSON Schema of a catalog: right catalogs pass, wrong ones do not, and the file is the export."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from laion_fmri.catalog import catalog_path
from laion_fmri.catalog.lines import read_yaml
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.schema import catalog_schema, json_schema

ROOT = Path(__file__).parents[1]
TEXT = catalog_path().read_text(encoding="utf-8")
SCHEMA = Draft202012Validator(json_schema())


def edited(place: str, value: object) -> object:
    """Return the catalog with a value replaced, or removed where the new one is `...`."""
    data = copy.deepcopy(yaml.safe_load(TEXT))
    *parents, last = place.split("/")
    block = data
    for key in parents:
        block = block[int(key) if isinstance(block, list) else key]
    if value is ...:
        del block[last]
    else:
        block[last] = value
    return data


def test_the_schema_is_a_schema_of_its_draft():
    Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]


def test_the_catalog_of_the_package_passes():
    assert list(SCHEMA.iter_errors(yaml.safe_load(TEXT))) == []
    assert list(SCHEMA.iter_errors(read_yaml(TEXT)[0])) == []


@pytest.mark.parametrize("path", ["sub-{subject}.tsv", ["sub-{subject}.tsv"], ["a.tsv", "b.tsv"]])
def test_a_path_is_text_or_a_list_of_texts(path):
    assert SCHEMA.is_valid(edited("sources/participants/args/path", path))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("sources/participants/args/path", []),
        ("sources/participants/args/path", 5),
        ("sources/participants/args/path", [5]),
        ("sources/participants/args/path", ...),
        ("sources/participants/args/lodaer", "table"),
        ("sources/participants/metdata", {}),
        ("sources/participants/driver", "csv"),
        ("sources/participants/args/layout/columns/participant_id/dtype", "text"),
        ("x-definitions/dataset/catalog_schema", "2"),
        ("x-definitions/dataset/release", 1.1),
        ("x-definitions/entities/subject/values", [1, 3]),
        ("x-definitions/entities/subject/values", ["01", 3]),
        ("x-definitions/entities/ses/range", ["01"]),
        ("x-definitions/entities/ses/range", [1, 30]),
        ("x-definitions/entities/ses/match", "strikt"),
        ("x-definitions/entities/desc/aliases", {"singletrial": 1}),
        ("x-definitions/access/cc0/policy", "acknowlege"),
        ("x-definitions/access/cc0/answer", ...),
        ("x-definitions/remotes/bucket/held_out/values", [31]),
        ("x-definitions/trees/glmsingle/filters", "ses"),
        ("sources", ...),
        ("version", 1),
    ],
)
def test_a_wrong_catalog_does_not_pass(place, value):
    assert not SCHEMA.is_valid(edited(place, value))


def test_every_field_says_what_it_means():
    schema = json_schema()
    for name, model in {"CatalogFile": schema, **schema["$defs"]}.items():
        assert model["description"], name
        for field, rule in model["properties"].items():
            assert rule.get("description"), f"{name}.{field}"


def test_the_text_is_stable_and_says_the_same():
    assert catalog_schema() == catalog_schema()
    assert json.loads(catalog_schema()) == json_schema()
    assert catalog_schema().endswith("}\n")
    assert set(json_schema()["properties"]) == {f.alias or name for name, f in CatalogFile.model_fields.items()}


def test_the_file_is_the_export_and_the_catalog_names_it():
    file = ROOT / "schemas" / "catalog.schema.json"
    assert file.read_text(encoding="utf-8") == catalog_schema()
    first, *_ = TEXT.splitlines()
    *_, named = first.partition("$schema=")
    assert (catalog_path().parent / named).resolve() == file
