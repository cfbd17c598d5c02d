"""Finding files below the data directory from a path template, folder by folder.

Nothing is crawled, but the folder below which the template names any path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from laion_fmri.catalog.choice import Values
from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.templates import fields, pieces
from laion_fmri.storage.disk import is_part

Bound = dict[str, str]
Found = tuple[Path, Bound]
State = tuple[str, Bound]


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
    return [(root / path, bound) for path, bound in expected_paths(root, template, entities, values)]


def expected_paths(root: Path, template: str, entities: Mapping[str, Entity], values: Values) -> list[State]:
    """Return what `expected_files` does, with paths relative to the data directory; parameters are the same."""
    *folders, name = template.split("/")
    states: list[State] = [("", {})]
    free: dict[str, Entity] = {}
    known: set[str] = set()
    for part in (*(f"{folder}/" for folder in folders), name):
        new = [field for field in fields(part) if field not in known]
        known.update(new)
        free = {field: entities[field] for field in new if values[field] == (ALL,)}
        chosen = {field: values[field] for field in new if field not in free}
        states = [found for state in states for found in _step(root, state, part, chosen, free)]
    if free or all(values[field] != (ALL,) for field in known):
        return states
    return [(path, bound) for path, bound in states if (root / path).is_file()]


def _step(root: Path, state: State, part: str, chosen: Values, free: Mapping[str, Entity]) -> Iterator[State]:
    path, bound = state
    for values in product(*chosen.values()):
        way = {**bound, **dict(zip(chosen, values, strict=True))}
        if free:
            yield from _matching(root, path, part, way, free)
        else:
            yield path + part.format_map(way), way


def _matching(root: Path, path: str, part: str, bound: Bound, free: Mapping[str, Entity]) -> Iterator[State]:
    text, seen = "", set[str]()
    for literal, field in pieces(part):
        text += re.escape(literal)
        if field in bound:
            text += re.escape(bound[field])
        elif field is not None:
            text += f"(?P={field})" if field in seen else f"(?P<{field}>{free[field].regex})"
            seen.add(field)
    fits = re.compile(text).fullmatch
    names = _below if any(entity.kind == "path" for entity in free.values()) else _inside
    folder = root / path
    for name in names(folder) if folder.is_dir() else ():
        match = fits(name)
        if match:
            yield path + name, {**bound, **match.groupdict()}


def _inside(folder: Path) -> Iterator[str]:
    """Yield the names of the files in a folder, and with a slash behind them those of what else is there."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            yield entry.name if _is_file(entry) else f"{entry.name}/"


def _below(folder: Path) -> list[str]:
    """Return the files below a folder, as paths with ``/``; those that a transfer has not finished are none."""
    found = []
    with suppress(PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found += [f"{entry.name}/{path}" for path in _below(folder / entry.name)]
            elif _is_file(entry) and not is_part(Path(entry.name)):
                found.append(entry.name)
    return sorted(found)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False
