"""YAML as plain data plus the line of every value; refuses what YAML lets pass silently.

Intake patches the global ``yaml.SafeLoader`` while it reads a catalog, so this is a loader class of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]

_MOST_NODES = 100_000
_PLAIN_LABEL = re.compile(r"0[0-9]+")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map")}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    pass


@dataclass(frozen=True)
class Problem:
    """One mistake in a file.

    Attributes
    ----------
    line : int
        Counted from 1.
    where : str
        Dotted path of the value, empty for the whole file.
    message : str
        What is wrong and what would be right.
    """

    line: int
    where: str
    message: str

    def render(self, file: str) -> str:
        """Return ``file:line: path: message``."""
        return ": ".join(part for part in (f"{file}:{self.line}", self.where, self.message) if part)


def dotted(path: Path) -> str:
    """Return a path as text, such as ``sources.betas.args``."""
    return ".".join(str(part) for part in path)


class Lines:
    """Line numbers of a YAML document, by the path of the value."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines

    def of(self, path: Path) -> int:
        """Return the line of a value, or of its nearest parent that has one."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)


def read_yaml(text: str) -> tuple[Any, Lines, list[Problem]]:
    """Parse one YAML document.

    Parameters
    ----------
    text : str
        The document.

    Returns
    -------
    data : object
        Plain dicts, lists and scalars; None where the text is no YAML at all.
    lines : Lines
        Where each value stands.
    problems : list of Problem
        Duplicate keys, tags, merge keys, numbers that were meant as labels, template marks, alias bombs.

    Examples
    --------
    >>> data, lines, problems = read_yaml("a: 1\\nb:\\n  c: [x]\\nb: 2\\n")
    >>> lines.of(("b", "c", 0)), [problem.render("f.yaml") for problem in problems]
    (3, ['f.yaml:4: b: duplicate key; the first one is on line 2'])
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "not YAML"
        return None, Lines({}), [Problem(mark.line + 1 if mark else 1, "", f"not YAML: {what}")]
    finally:
        loader.dispose()
    if node is None:
        return None, Lines({}), [Problem(1, "", "the file is empty")]
    if _expanded_size(node, {}, ()) > _MOST_NODES:
        message = f"its aliases unfold to more than {_MOST_NODES:,} values; a catalog needs far fewer"
        return None, Lines({}), [Problem(1, "", message)]
    reader = _Reader(loader)
    return reader.build(node, ()), Lines(reader.lines), reader.problems


def _expanded_size(node: yaml.Node, known: dict[int, int], parents: tuple[int, ...]) -> int:
    """Count the values of a node with every alias unfolded, without unfolding; a cycle counts as too many."""
    key = id(node)
    if key in parents:
        return _MOST_NODES + 1
    if key not in known:
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        known[key] = 1 + sum(_expanded_size(child, known, (*parents, key)) for child in children)
    return known[key]


class _Reader:
    def __init__(self, loader: Any) -> None:
        self._constructor = loader
        self._told: set[tuple[int, str]] = set()
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in _PLAIN_TAGS:
            self._tell(node, path, f"tag {node.tag.replace('tag:yaml.org,2002:', '!!')} is not allowed")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, i)) for i, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._tell(key_node, path, "merge keys (<<) are not allowed; write the keys out or use an alias")
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in first:
                self._tell(key_node, here, f"duplicate key; the first one is on line {first[key]}")
                continue
            first[key] = line
            self.lines[here] = line
            data[key] = self.build(value_node, here)
        return data

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        text = str(node.value)
        if node.style is None and _PLAIN_LABEL.fullmatch(text):
            self._tell(node, path, f'unquoted label; write "{text}"')
            return text
        if any(mark in text for mark in ("{{", "{%", "{#")):
            self._tell(node, path, "template marks ({{, {%, {#) are not allowed; intake would render them")
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            self._tell(node, path, f"cannot be read: {error}")
            return None

    def _tell(self, node: yaml.Node, path: Path, message: str) -> None:
        line = node.start_mark.line + 1
        if (line, message) not in self._told:
            self._told.add((line, message))
            self.problems.append(Problem(line, dotted(path), message))
