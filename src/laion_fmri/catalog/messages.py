"""What pydantic finds wrong with a catalog, in the words and at the lines of its file."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from laion_fmri.catalog.artifacts import MISFIT
from laion_fmri.catalog.lines import Lines, Path, Problem
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.words import did_you_mean, listed

_SHAPES = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
}
_QUOTED = "'(.*?)'"
_LONGEST_SHOWN = 60


def pydantic_problems(error: ValidationError, lines: Lines) -> Iterator[Problem]:
    """Yield one problem for each mistake that the models found by themselves.

    Those between entities, paths and options of one entry are left to `references`, which finds them even
    where another part of the entry is wrong.
    """
    for item in error.errors():
        if item["type"] != MISFIT:
            path = _path(item, lines)
            yield Problem(lines.of(path), path, _message(item))


def _path(item: Any, lines: Lines) -> Path:
    """Return the place of a mistake, without the names of union members that pydantic puts in."""
    path: Path = ()
    for part in item["loc"]:
        if (*path, part) in lines:
            path = (*path, part)
    if item["type"].startswith("union_tag"):
        return (*path, item["ctx"]["discriminator"].strip("'"))
    return (*path, item["loc"][-1]) if item["type"] == "missing" else path


def _message(item: Any) -> str:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = _keys_at(item["loc"][:-1])
        return f"unknown key{did_you_mean(str(item['loc'][-1]), allowed) or f'; there are {listed(allowed)}'}"
    if kind in _SHAPES:
        quotes = "; write it in quotes" if kind == "string_type" and isinstance(value, int | float) else ""
        return f"must be {_SHAPES[kind]}, not {_shown(value)}{quotes}"
    if kind in ("missing", "union_tag_not_found"):
        return "is missing"
    right = context.get("expected") or context.get("expected_tags")
    if right:
        wrong = context.get("tag", value)
        return f"{_shown(wrong)} is not possible; use {right}{did_you_mean(str(wrong), re.findall(_QUOTED, right))}"
    return str(item["msg"]).removeprefix("Value error, ")


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"a {type(value).__name__}"


def _keys_at(loc: Path) -> list[str]:
    """Return the keys that the models allow at a location of pydantic."""
    annotation: Any = CatalogFile
    for part in loc:
        annotation = _inside(annotation, part)
    model = _model(annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _inside(annotation: Any, part: str | int) -> Any:
    options = _options(annotation)
    if len(options) > 1:
        return next(option for option in options if part in _tags(option))
    annotation = options[0]
    if typing.get_origin(annotation) is dict:
        return typing.get_args(annotation)[1]
    if typing.get_origin(annotation) is tuple:
        return typing.get_args(annotation)[0]
    fields = _model(annotation).model_fields
    return next(field.annotation for name, field in fields.items() if part in (name, field.alias))


def _options(annotation: Any) -> list[Any]:
    """Return the members of a union but None; a list of one for anything else."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _options(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        members = (one for one in typing.get_args(annotation) if one is not type(None))
        return [option for one in members for option in _options(one)]
    return [annotation]


def _tags(model: type[BaseModel]) -> set[str]:
    literals = (field.annotation for field in model.model_fields.values())
    return {value for one in literals if typing.get_origin(one) is typing.Literal for value in typing.get_args(one)}


def _model(annotation: Any) -> type[BaseModel]:
    (model,) = _options(annotation)
    return typing.cast(type[BaseModel], model)
