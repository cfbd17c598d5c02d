"""Finding files below the data directory from a path template, folder by folder.

Nothing is crawled, but the folder below which the template names any path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from laion_fmri.catalog.choice import Values
from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.templates import fields, pieces
from laion_fmri.storage.disk import is_part

Found = tuple[Path, dict[str, str]]


@dataclass(frozen=True)
class FileEntry:
    """A file of a selection.

    Attributes
    ----------
    path : Path
        Where it is, or would be.
    entities : dict of str to str
        Its entity values.
    size : int or None
        Bytes; None where it is not here.
    """

    path: Path
    entities: Mapping[str, str]
    size: int | None

    @classmethod
    def of(cls, path: Path, entities: Mapping[str, str]) -> FileEntry:
        """Return the entry of a path, whatever is there."""
        return cls(path, entities, path.stat().st_size if path.is_file() else None)


def expected_files(root: Path, template: str, entities: Mapping[str, Entity], values: Values) -> list[Found]:
    """Return the paths of a selection, with the entity values of each.

    Where every value is known the paths are made from the template, whether the files are here or not. Values that
    only the remote knows are found among the files that are here.

    Parameters
    ----------
    root : Path
        The data directory.
    template : str
        Path template.
    entities : mapping of str to Entity
        Grammar of its fields.
    values : dict of str to tuple of str
        The values of each field; ``("all",)`` where any will do.
    """
    states: list[Found] = [(root, {})]
    for part in template.split("/"):
        states = [state for path, bound in states for state in _step(path, part, bound, entities, values)]
    if any(values[field] == (ALL,) for field in fields(template)):
        return [(path, bound) for path, bound in states if path.is_file()]
    return states


def _step(
    folder: Path, part: str, bound: dict[str, str], entities: Mapping[str, Entity], values: Values
) -> Iterator[Found]:
    unbound = [field for _, field in pieces(part) if field and field not in bound]
    free = [field for field in dict.fromkeys(unbound) if values[field] == (ALL,)]
    ways = [bound]
    for field in dict.fromkeys(unbound):
        if field not in free:
            ways = [{**way, field: value} for way in ways for value in values[field]]
    for way in ways:
        if free:
            yield from _matching(folder, part, way, {field: entities[field] for field in free})
        else:
            yield folder / part.format_map(way), way


def _matching(folder: Path, part: str, bound: dict[str, str], free: Mapping[str, Entity]) -> Iterator[Found]:
    deep = any(entity.kind == "path" for entity in free.values())
    text, seen = "", set[str]()
    for literal, field in pieces(part):
        text += re.escape(literal)
        if field in bound:
            text += re.escape(bound[field])
        elif field is not None:
            text += f"(?P={field})" if field in seen else f"(?P<{field}>{free[field].regex})"
            seen.add(field)
    names = _below(folder) if deep else [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    for name in sorted(names):
        match = re.fullmatch(text, name)
        if match:
            yield folder / name, {**bound, **match.groupdict()}


def _below(folder: Path) -> list[str]:
    """Return the files below a folder, as paths with ``/``; those that a transfer has not finished are none."""
    files = (path for path in folder.rglob("*") if path.is_file() and not is_part(path))
    return [path.relative_to(folder).as_posix() for path in files]
