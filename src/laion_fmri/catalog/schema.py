"""The JSON Schema of a catalog file, for editors that complete and check while one types."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.rules import SCHEMA_VERSION

_FIELD = re.compile(r"^(?P<names>\w+(?:, \w+)*)(?: : .*)?\n(?P<text>(?: +.*\n?)+)", re.MULTILINE)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a catalog file.

    Examples
    --------
    >>> json_schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    schema = CatalogFile.model_json_schema(by_alias=True)
    for model in (schema, *schema["$defs"].values()):
        _describe(model)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": f"Catalog of laion_fmri, schema {SCHEMA_VERSION}",
    }


def catalog_schema() -> str:
    """Return the text of ``schemas/catalog.schema.json``."""
    return json.dumps(json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _describe(model: dict[str, Any]) -> None:
    """Give a model the first paragraph of its docstring, and its fields what is below "Attributes"."""
    summary, _, attributes = inspect.cleandoc(model.get("description", "")).partition("\n\nAttributes\n")
    model["description"] = _flat(summary.partition("\n\n")[0])
    texts = {
        name: _flat(match["text"])
        for match in _FIELD.finditer(attributes)
        for name in match["names"].split(", ")
    }
    for name, field in model["properties"].items():
        field.pop("title", None)
        if name in texts:
            field["description"] = texts[name]


def _flat(text: str) -> str:
    return " ".join(text.split())
