"""Reading a catalog file whole, with every mistake of it at once."""

from __future__ import annotations

import itertools
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from laion_fmri.catalog import lines, templates
from laion_fmri.catalog.lines import Lines, Problem, dotted, read_yaml
from laion_fmri.catalog.models import CatalogFile, Join
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import CatalogError

_RESERVED = frozenset(  # attributes of intake's YAMLFileCatalog: as artifact names they could not be reached
    "access add auth autoreload cache_dirs cat classname close configure_new container describe description "
    "discover dtype entry filesystem filter force_reload from_dict get gui has_been_persisted is_persisted items "
    "keys kwargs metadata name npartitions on_server partition_access path pop read read_chunked read_partition "
    "reload save search shape storage_options text to_dask to_spark ttl updated user_parameters values version "
    "walk yaml".split()
)


def read_catalog(path: Path) -> CatalogFile:
    """Read and check a catalog file.

    Parameters
    ----------
    path : Path
        A YAML file.

    Returns
    -------
    CatalogFile
        The checked model.

    Raises
    ------
    CatalogError
        With one ``file:line: path: message`` for every mistake.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CatalogError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise CatalogError([f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}"]) from None
    model, problems = check_catalog(text, path.parent)
    if model is None or problems:
        ordered = sorted(problems, key=lambda problem: problem.line)
        raise CatalogError([problem.render(str(path)) for problem in ordered])
    return model


def check_catalog(text: str, folder: Path) -> tuple[CatalogFile | None, list[Problem]]:
    """Check the text of a catalog whose long texts lie in `folder`."""
    data, where, problems = read_yaml(text)
    if data is None:
        return None, problems
    if not isinstance(data, dict):
        return None, [*problems, Problem(1, "", "a catalog is a mapping with name, description and sources")]
    try:
        model = CatalogFile.model_validate(data)
    except ValidationError as error:
        unquoted = {(problem.line) for problem in problems}
        found = [problem for problem in _pydantic_problems(error, where) if problem.line not in unquoted]
        return None, _once([*problems, *found, *_name_problems(data, where)])
    found = [*_name_problems(data, where), *_file_problems(model, where, folder)]
    return model, _once([*problems, *found])


def _once(problems: list[Problem]) -> list[Problem]:
    """Drop repeats: a block that many entries share is wrong once."""
    return list({(problem.line, problem.message): problem for problem in reversed(problems)}.values())[::-1]


def _pydantic_problems(error: ValidationError, where: Lines) -> Iterator[Problem]:
    for item in error.errors():
        path = tuple(part for part in item["loc"] if part not in ("acknowledge", "open"))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = f"unknown key{did_you_mean(str(path[-1]), _keys_at(path[:-1]))}"
        elif item["type"] == "missing":
            message = "is missing"
        elif item["type"] == "string_type":
            message = f"must be text, not {item['input']!r}; write it in quotes"
        elif item["type"] == "literal_error":
            message = f"{item['input']!r} is not possible here; {message.replace('Input should be', 'use')}"
        yield Problem(where.of(path), dotted(path), message)


def _keys_at(path: lines.Path) -> list[str]:
    """Return the keys that the models allow at a place of a catalog file."""
    annotation: Any = CatalogFile
    for part in path:
        annotation = next((inner for option in _options(annotation) for inner in _inside(option, part)), None)
    models = [option for option in _options(annotation) if isinstance(option, type) and issubclass(option, BaseModel)]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _options(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) is typing.Annotated:
        return _options(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [option for arg in typing.get_args(annotation) for option in _options(arg)]
    return [annotation]


def _inside(annotation: Any, part: str | int) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if part in (name, field.alias):
                yield field.annotation
    elif typing.get_origin(annotation) in (dict, tuple):
        yield typing.get_args(annotation)[1 if typing.get_origin(annotation) is dict else 0]


def _name_problems(data: dict[str, Any], where: Lines) -> Iterator[Problem]:
    sources = data.get("sources")
    for name in sources if isinstance(sources, dict) else ():
        path = ("sources", name)
        if name in _RESERVED or name.startswith("_"):
            message = "a catalog has an attribute of this name; call the artifact something else"
            yield Problem(where.of(path), dotted(path), message)
        elif not name.isidentifier():
            message = "the name of an artifact is letters, digits and underscores, so that cat.NAME works"
            yield Problem(where.of(path), dotted(path), message)


def _file_problems(model: CatalogFile, where: Lines, folder: Path) -> Iterator[Problem]:
    for path, message in itertools.chain(
        _definition_problems(model, folder), _reference_problems(model), _key_problems(model)
    ):
        yield Problem(where.of(path), dotted(path), message)


def _definition_problems(model: CatalogFile, folder: Path) -> Iterator[tuple[lines.Path, str]]:
    top: lines.Path = ("x-definitions",)
    for name, policy in model.definitions.access.items():
        if policy.policy == "acknowledge" and not (folder / policy.text).is_file():
            yield (*top, "access", name, "text"), f"there is no file {policy.text} beside the catalog"
    for name, tree in model.definitions.trees.items():
        for filter_name in tree.filters:
            if filter_name not in model.entities:
                yield (*top, "trees", name, "filters"), f"{filter_name} is no entity"
        for template in (tree.prefix or "", *(forced.path for forced in tree.forced)):
            for field in templates.fields(template):
                if field not in model.entities:
                    hint = did_you_mean(field, model.entities)
                    yield (*top, "trees", name, "prefix"), f"a field {{{field}}} that is no entity{hint}"
    for name, remote in model.definitions.remotes.items():
        if remote.held_out and remote.held_out.entity not in model.entities:
            yield (*top, "remotes", name, "held_out", "entity"), f"{remote.held_out.entity} is no entity"


def _reference_problems(model: CatalogFile) -> Iterator[tuple[lines.Path, str]]:
    discovery = model.definitions.discovery
    if discovery.subjects.entity not in model.entities:
        path = ("x-definitions", "discovery", "subjects", "entity")
        yield path, f"{discovery.subjects.entity} is no entity{did_you_mean(discovery.subjects.entity, model.entities)}"
    if discovery.rois and discovery.rois.artifact not in model.sources:
        yield ("x-definitions", "discovery", "rois", "artifact"), f"{discovery.rois.artifact} is no artifact"
    for name, source in model.sources.items():
        for join_name, join in source.args.joins.items():
            for message in _join_problems(model, join):
                yield ("sources", name, "args", "joins", join_name), message
        for option_name, option in source.args.options.items():
            wrong = option_name == "mask_source" and set(option.choices.values()) - set(source.args.joins)
            if wrong:
                yield ("sources", name, "args", "options", option_name), f"{listed(sorted(wrong))} is no join"


def _join_problems(model: CatalogFile, join: Join) -> Iterator[str]:
    if join.artifact not in model.sources:
        yield f"{join.artifact} is no artifact{did_you_mean(join.artifact, model.sources)}"
    elif model.sources[join.artifact].args.path != join.path:
        yield f"another path than the one of artifact {join.artifact}"


def _key_problems(model: CatalogFile) -> Iterator[tuple[lines.Path, str]]:
    for (name, one), (other_name, other) in itertools.combinations(model.sources.items(), 2):
        for mine, theirs in itertools.product(one.args.path, other.args.path):
            if templates.overlap(mine, one.args.entities, theirs, other.args.entities):
                yield ("sources", other_name, "args", "path"), f"claims keys that {name} claims too: {theirs}"
