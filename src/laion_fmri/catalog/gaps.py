"""Combinations of values that no file has, though each of the values has files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import SelectionError

Gap = dict[str, tuple[str, ...]]


def in_gap(values: Mapping[str, str], gaps: Iterable[Gap]) -> bool:
    """Tell whether no file has these values together.

    Examples
    --------
    >>> gaps = [{"pool": ("pooled",), "split": ("ood", "random_0")}]
    >>> in_gap({"pool": "pooled", "split": "ood"}, gaps), in_gap({"pool": "shared", "split": "ood"}, gaps)
    (True, False)
    """
    return any(all(values.get(name) in absent for name, absent in gap.items()) for gap in gaps)


def without_gaps(chosen: Mapping[str, Sequence[str] | None], gaps: Sequence[Gap]) -> dict[str, tuple[str, ...]]:
    """Return the chosen values that some file has together with chosen values of the other entities of the gaps.

    Examples
    --------
    >>> gaps = [{"pool": ("pooled",), "split": ("ood",)}]
    >>> without_gaps({"pool": ["pooled"], "split": ["tau", "ood"]}, gaps)
    {'pool': ('pooled',), 'split': ('tau',)}
    """
    names = [name for name, values in chosen.items() if values and any(name in gap for gap in gaps)]
    ways = (dict(zip(names, way, strict=True)) for way in itertools.product(*(chosen[name] or () for name in names)))
    possible = [way for way in ways if not in_gap(way, gaps)]
    return {name: tuple(dict.fromkeys(way[name] for way in possible)) for name in names}


def there_is(entity: str, values: Mapping[str, str], entities: Mapping[str, Entity], gaps: Iterable[Gap]) -> list[str]:
    """Return the values of an entity that some file has together with `values` of others."""
    return [value for value in entities[entity].known if not in_gap({**values, entity: value}, gaps)]


def refuse_gaps(named: Mapping[str, Sequence[str]], entities: Mapping[str, Entity], gaps: Sequence[Gap]) -> None:
    """Raise SelectionError if values that a caller names are never together, saying which are.

    Parameters
    ----------
    named : mapping of str to sequence of str
        Values by entity; without entities of which the caller takes whatever there is.
    entities : mapping of str to Entity
        Their grammar.
    gaps : sequence of Gap
        What no file has.
    """
    for gap in gaps:
        if not gap.keys() <= named.keys():
            continue
        for combination in itertools.product(*(named[name] for name in gap)):
            values = dict(zip(gap, combination, strict=True))
            if in_gap(values, [gap]):
                *others, last = gap
                given = {name: values[name] for name in others}
                right = listed(there_is(last, given, entities, gaps), most=len(entities[last].known))
                raise SelectionError(
                    f"no file has {_text(values)} together; with {_text(given)} there is {last}={right}"
                )


def _text(values: Mapping[str, str]) -> str:
    return " and ".join(f"{name}={value}" for name, value in values.items())


def gap_mistake(gap: Gap, entities: Mapping[str, Entity]) -> str | None:
    """Return what is wrong with a gap, if anything is."""
    if len(gap) < 2:  # noqa: PLR2004
        return "names one entity; a value that has no file at all is no value"
    for name, values in gap.items():
        if name not in entities:
            return f"there is no entity {name}{did_you_mean(name, entities)}"
        for value in values:
            if value not in entities[name].known:
                return f"{name} has no value {value}{did_you_mean(value, entities[name].known)}"
    return None
