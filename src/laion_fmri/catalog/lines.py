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
_DEEPEST = 50
_PLAIN_LABEL = re.compile(r"0[0-9]+")
_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_TAG + kind for kind in ("str", "int", "float", "bool", "null")}
_MERGE = _TAG + "merge"
_TEMPLATE_MARKS = ("{{", "{%", "{#")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    pass


class _RefusedError(Exception):
    def __init__(self, place: Any, why: str) -> None:
        super().__init__(why)
        self.line = place.start_mark.line + 1


@dataclass(frozen=True)
class Problem:
    """One mistake in a file.

    Attributes
    ----------
    line : int
        Counted from 1.
    path : Path
        Keys and positions that lead to the value; empty for the whole file.
    message : str
        What is wrong and what would be right.
    """

    line: int
    path: Path
    message: str

    def render(self, file: str) -> str:
        """Return ``file:line: path: message``, the path dotted.

        Examples
        --------
        >>> Problem(7, ("sources", "betas", "args"), "size is missing").render("f.yaml")
        'f.yaml:7: sources.betas.args: size is missing'
        """
        dotted = ".".join(map(str, self.path))
        return ": ".join(part for part in (f"{file}:{self.line}", dotted, self.message) if part)


class Lines:
    """Where the values of a YAML document stand."""

    def __init__(self) -> None:
        self._lines: dict[Path, int] = {}
        self._homes: dict[Path, Path] = {}

    def add(self, path: Path, line: int, home: Path) -> None:
        """Note a value: the line that names it and the first path of the same node."""
        self._lines[path] = line
        self._homes[path] = home

    def __contains__(self, path: Path) -> bool:
        return path in self._lines

    def of(self, path: Path) -> int:
        """Return the line of a value, or of its nearest parent that has one."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def home(self, path: Path) -> Path:
        """Return where a value is written out: another path than its own where an alias stands for it."""
        if not path or path in self._homes:
            return self._homes.get(path, path)
        return (*self.home(path[:-1]), path[-1])


def read_yaml(text: str) -> tuple[Any, Lines, list[Problem]]:
    r"""Parse one YAML document.

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
    >>> data, lines, problems = read_yaml("a: 1\nb:\n  c: [x]\nb: 2\n")
    >>> lines.of(("b", "c", 0)), [problem.render("f.yaml") for problem in problems]
    (3, ['f.yaml:4: b: duplicate key; the first one is on line 2'])
    """
    try:
        _refuse_deep_nesting(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
        if node is not None:
            _refuse_endless_aliases(node)
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        return None, Lines(), [Problem(line, (), f"not YAML: {error.reason}")]
    except _RefusedError as error:
        return None, Lines(), [Problem(error.line, (), str(error))]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return None, Lines(), [Problem(line, (), f"not YAML: {error.problem}")]
    if node is None:
        return None, Lines(), [Problem(1, (), "the file is empty")]
    reader = _Reader(loader)
    return reader.build(node, (), node.start_mark.line + 1), reader.lines, reader.problems


def _refuse_deep_nesting(text: str) -> None:
    """Raise before the composer, which follows the nesting on the C stack, sees the text."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise _RefusedError(event, f"nested more than {_DEEPEST} deep")


def _refuse_endless_aliases(root: yaml.Node) -> None:
    """Raise where aliases unfold to a cycle, too many values or too deep a nesting; unfolds nothing."""
    done: dict[int, tuple[int, int]] = {}
    begun: set[int] = set()

    def measure(node: yaml.Node) -> tuple[int, int]:
        if id(node) not in done:
            if id(node) in begun:
                raise _RefusedError(node, "an alias inside the block that it stands for")
            begun.add(id(node))
            sizes, depths = zip((0, 0), *map(measure, _children(node)), strict=True)
            done[id(node)] = 1 + sum(sizes), 1 + max(depths)
        size, depth = done[id(node)]
        if size > _MOST_NODES or depth > _DEEPEST:
            raise _RefusedError(node, f"aliases unfold to over {_MOST_NODES:,} values, or over {_DEEPEST} deep")
        return size, depth

    measure(root)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


class _Reader:
    """Builds plain data from nodes, noting lines and problems on the way."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._homes: dict[int, Path] = {}
        self._told: set[tuple[int, str]] = set()
        self.lines = Lines()
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, path: Path, line: int) -> Any:
        self.lines.add(path, line, self._homes.setdefault(id(node), path))
        if self._tagged(node):
            self._tell(node, path, f"tag {node.tag.replace(_TAG, '!!')} is not allowed")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        return [self.build(child, (*path, i), child.start_mark.line + 1) for i, child in enumerate(node.value)]

    def _tagged(self, node: yaml.Node) -> bool:
        """Tell whether a tag is written out; a plain scalar has the one that its text implies."""
        implicit = (not node.style, bool(node.style)) if isinstance(node, yaml.ScalarNode) else True
        return bool(node.tag != self._loader.resolve(type(node), node.value, implicit))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            here, line = (*path, key), key_node.start_mark.line + 1
            if key in first:
                self._tell(key_node, here, f"duplicate key; the first one is on line {first[key]}")
                continue
            first[key] = line
            data[key] = self.build(value_node, here, line)
        return data

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if node.tag == _MERGE:
            self._tell(node, path, "merge keys (<<) are not allowed; write the keys out or use an alias")
        elif not isinstance(node, yaml.ScalarNode) or self._tagged(node):
            self._tell(node, path, "a key must be plain text")
        else:
            key = str(node.value)
            if node.tag != _TAG + "str" or (not node.style and _PLAIN_LABEL.fullmatch(key)):
                self._tell(node, (*path, key), f'unquoted key; write "{key}"')
            return key
        return None

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = str(node.value)
        if not node.style and _PLAIN_LABEL.fullmatch(text):
            self._tell(node, path, f'unquoted label; write "{text}"')
            return text
        if node.tag not in _PLAIN_TAGS:
            self._tell(node, path, f'YAML takes this for a {node.tag.removeprefix(_TAG)}; write "{text}"')
            return text
        if any(mark in text for mark in _TEMPLATE_MARKS):
            marks = ", ".join(_TEMPLATE_MARKS)
            self._tell(node, path, f"template marks ({marks}) are not allowed; intake would render them")
        try:
            return self._loader.construct_object(node)
        except ValueError as error:
            self._tell(node, path, f"cannot be read: {error}")
            return None

    def _tell(self, node: yaml.Node, path: Path, message: str) -> None:
        if (id(node), message) not in self._told:
            self._told.add((id(node), message))
            self.problems.append(Problem(node.start_mark.line + 1, path, message))
