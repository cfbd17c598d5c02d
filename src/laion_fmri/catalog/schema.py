"""JSON Schemas: that of a catalog file, for editors that complete and check while one types, and those of others."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import ModelSchema

from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.rules import SCHEMA_VERSION

_FIELD = re.compile(r"^(?P<names>[\w-]+(?:, [\w-]+)*)(?: : .*)?\n(?P<text>(?: +.*\n?)+)", re.MULTILINE)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a catalog file.

    Examples
    --------
    >>> json_schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    return _schema(CatalogFile, f"Catalog of laion_fmri, schema {SCHEMA_VERSION}")


def catalog_schema() -> str:
    """Return the text of ``schemas/catalog.schema.json``."""
    return _text(json_schema())


def schema_text(model: type[BaseModel], title: str) -> str:
    """Return the text of the schema of a model."""
    return _text(_schema(model, title))


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, schema_generator=_WithTexts)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": title}


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class _WithTexts(GenerateJsonSchema):
    """Describes a model by the first paragraph of its docstring, and a field by what the docstring says of it."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        found["description"] = _flat(inspect.getdoc(schema["cls"]) or "")
        texts = _attributes(schema["cls"])
        for name, field in found["properties"].items():
            field.pop("title", None)
            if name in texts:
                field["description"] = texts[name]
        return found


def _attributes(model: type) -> dict[str, str]:
    """Return the text of every field, from the docstrings of a model and its bases."""
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        _, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("\n\nAttributes\n")
        for match in _FIELD.finditer(attributes):
            texts |= dict.fromkeys(match["names"].split(", "), _flat(match["text"]))
    return texts


def _flat(text: str) -> str:
    """Return the first paragraph of a text on one line."""
    return " ".join(text.partition("\n\n")[0].split())
