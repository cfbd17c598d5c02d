"""What a caller chose of an artifact: entity values and options, checked against the catalog."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.gaps import refuse_gaps, without_gaps
from laion_fmri.catalog.models import Artifact, FileSpec, Option
from laion_fmri.catalog.regions import parse
from laion_fmri.catalog.words import did_you_mean, listed, nearest
from laion_fmri.errors import SelectionError

Values = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Choice:
    """A checked choice.

    Attributes
    ----------
    entities : dict of str to tuple of str or None
        Values by entity; None for an entity that the file shall not have. Entities without value or default
        are not in it.
    options : dict of str to object
        Every option of the artifact; None where it has neither value nor default.
    """

    entities: Mapping[str, tuple[str, ...] | None]
    options: Mapping[str, Any]


def choose(name: str, artifact: Artifact, given: Mapping[str, Any]) -> Choice:
    """Check what a caller gave.

    Parameters
    ----------
    name : str
        Name of the artifact, for messages.
    artifact : Artifact
        What it is checked against.
    given : mapping
        Values by name of entity or option.

    Raises
    ------
    SelectionError
        For an unknown name or value, naming the nearest right one, and for values that no file has together.
    """
    known = [*artifact.entities, *artifact.options]
    for argument in given:
        if argument not in known:
            hint = did_you_mean(argument, known) or f"; it takes {listed(known) or 'no arguments'}"
            raise SelectionError(f"{name} has no entity or option {argument}{hint}")
    entities = {entity: _values(name, artifact, entity, given) for entity in artifact.entities if entity in given}
    _refuse_gaps(name, artifact, entities, given)
    options = {option: _option(name, option, rule, given.get(option)) for option, rule in artifact.options.items()}
    chosen = {**defaults(artifact), **entities}
    return Choice({**chosen, **without_gaps(chosen, artifact.gaps)}, options)


def defaults(files: FileSpec) -> Values:
    """Return the values of the entities that have a default."""
    return {
        name: entity.choose(name, entity.default)
        for name, entity in files.entities.items()
        if entity.default is not None
    }


def _values(name: str, artifact: Artifact, entity: str, given: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = given[entity]
    if value is None:
        return None
    try:
        return artifact.entities[entity].choose(entity, value)
    except SelectionError as error:
        rule = artifact.remote.held_out
        if rule and rule.entity == entity and _names_held_out(artifact, entity, value, rule.values):
            raise SelectionError(f"{name}: {entity}={value!r} is held out: it is not public yet") from None
        raise SelectionError(f"{name}: {error}") from None


def _refuse_gaps(
    name: str, artifact: Artifact, chosen: Mapping[str, tuple[str, ...] | None], given: Mapping[str, Any]
) -> None:
    wholly = {entity for entity, value in given.items() if isinstance(value, str) and value == ALL}
    named = {entity: values for entity, values in chosen.items() if values and entity not in wholly}
    try:
        refuse_gaps(named, artifact.entities, artifact.gaps)
    except SelectionError as error:
        raise SelectionError(f"{name}: {error}") from None


def _names_held_out(artifact: Artifact, entity: str, value: object, held_out: tuple[str, ...]) -> bool:
    values = [value] if isinstance(value, str | int) else value
    return isinstance(values, list | tuple) and any(
        artifact.entities[entity].bare(entity, str(one)) in held_out for one in values
    )


def _option(name: str, option: str, rule: Option, value: Any) -> Any:
    if value is None:
        return rule.default
    if rule.type == "choice":
        if value not in rule.choices:
            near = nearest(str(value), rule.choices)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise SelectionError(f"{name}: {option}={value!r} is not one of {listed(rule.choices)}{hint}")
        return value
    if rule.type == "number":
        return _number(name, option, rule, value)
    return _CHECKS[rule.type](name, option, value)


def _flag(name: str, option: str, value: Any) -> bool | None:
    if not isinstance(value, bool):
        raise SelectionError(f"{name}: {option}={value!r} is neither True nor False")
    return value or None


def _mask(name: str, option: str, value: Any) -> Any:
    kind, shape = getattr(value, "dtype", type(value).__name__), getattr(value, "shape", ())
    if str(kind) != "bool" or len(shape) != 1:
        raise SelectionError(f"{name}: {option} has type {kind} and shape {shape}; expected bool of shape (n_voxels,)")
    return value


def _number(name: str, option: str, rule: Option, value: Any) -> float:
    try:
        number = float("nan") if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        number = float("nan")
    low = float("-inf") if rule.minimum is None else rule.minimum
    high = float("inf") if rule.maximum is None else rule.maximum
    if not low <= number <= high:
        units = f" {rule.units}" if rule.units else ""
        raise SelectionError(f"{name}: {option}={value!r} is not a number from {low:g} to {high:g}{units}")
    return number


def _names(name: str, option: str, value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple | set) else ()
    if not names or not all(isinstance(one, str) and one for one in names):
        raise SelectionError(f"{name}: {option}={value!r} is not a name or a list of names")
    return names


def _regions(name: str, option: str, value: Any) -> tuple[str, ...] | dict[str, tuple[str, ...]]:
    if isinstance(value, Mapping) and value:
        queries = {region: _queries(name, f"{option}[{region!r}]", query) for region, query in value.items()}
        wrong = [region for region in queries if not isinstance(region, str) or not region.strip() or "+" in region]
        if wrong:
            raise SelectionError(f"{name}: {option}: {wrong[0]!r} is no name of a region: it is text without +")
        return queries
    return _queries(name, option, value)


def _queries(name: str, option: str, value: Any) -> tuple[str, ...]:
    texts = _names(name, option, value)
    for text in texts:
        try:
            parse(text)
        except SelectionError as error:
            raise SelectionError(f"{name}: {option}={error}") from None
    return texts


_CHECKS: dict[str, Callable[[str, str, Any], Any]] = {
    "flag": _flag,
    "mask": _mask,
    "names": _names,
    "regions": _regions,
}


def complete(name: str, files: FileSpec, entities: Mapping[str, tuple[str, ...] | None]) -> tuple[str, Values]:
    """Return the path template that a choice takes and the values of its fields.

    Raises
    ------
    SelectionError
        If entities are missing, or chosen that no file has together.
    """
    try:
        template = files.template(entities)
    except SelectionError as error:
        raise SelectionError(f"{name}: {error}") from None
    return template, {entity: values for entity, values in entities.items() if values is not None}
