"""The example of a catalog entry as Python and as a shell command that downloads the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from laion_fmri.catalog.choice import choose, defaults
from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.filters import name_parts, token
from laion_fmri.catalog.models import Artifact, CatalogFile, FileSpec
from laion_fmri.catalog.rules import Tree
from laion_fmri.catalog.templates import fill
from laion_fmri.cli.flags import flag_of
from laion_fmri.loaders import get_loader

_WIDTH = 100


@dataclass(frozen=True)
class Example:
    """How to have one selection of an artifact.

    Attributes
    ----------
    call : str
        The selection as Python, such as ``catalog.betas(subject="03")``.
    narrow : str or None
        Shell command that downloads what reading the selection takes, and little else; None where no filter can tell
        the files from others.
    wide : str or None
        Shell command that downloads everything of the same filters; None where the selection has none.
    """

    call: str
    narrow: str | None
    wide: str | None


def example(catalog: CatalogFile, name: str) -> Example:
    """Return the example of an artifact, from the ``metadata.example`` of its entry."""
    source = catalog.sources[name]
    chosen: dict[str, Any] = source.metadata.get("example", {})
    arguments = ", ".join(f"{entity}={_literal(value)}" for entity, value in chosen.items())
    files = _example_files(name, source.args, chosen)
    call = f"catalog.{name}({arguments})" if arguments else f"catalog.{name}"
    tree = source.args.tree
    if tree.command and not tree.by_filters:
        named = {entity: _texts(value) for entity, value in chosen.items() if entity in source.args.entities}
        flags = [f"{flag_of(entity)} {' '.join(values)}" for entity, values in named.items()]
        return Example(call, _wrapped([f"laion-fmri {tree.command}", *flags]), None)
    own = tree if tree.by_filters and all(one is tree for one, _ in files) else None
    known = catalog.filters_of(own) if own else catalog.filters
    asked = {entity: _texts(value) for entity, value in chosen.items() if entity in tree.filters and entity in known}
    keyed = {entity: values for entity, values in asked.items() if known[entity].kind == "key"}
    narrowing = None if source.args.rest and tree.filters else {**_narrowing(known, files), **asked}
    return Example(
        call=call,
        narrow=None if narrowing is None else _command(catalog, own, chosen, narrowing, files),
        wide=_command(catalog, own, chosen, keyed, files) if keyed else None,
    )


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value).replace("'", '"')


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _example_files(name: str, artifact: Artifact, chosen: Mapping[str, Any]) -> list[tuple[Tree, str]]:
    """Return a key of each kind of file that reading the example takes, with its tree."""
    needed = get_loader(artifact.loader).needs(artifact, choose(name, artifact, chosen).options)
    specs: list[FileSpec] = [artifact, *(artifact.joins[join] for join in needed)]
    return [(spec.tree, _key(spec, chosen)) for spec in specs]


def _key(spec: FileSpec, chosen: Mapping[str, Any]) -> str:
    mine = {name: spec.entities[name].choose(name, value) for name, value in chosen.items() if name in spec.entities}
    selection = {**defaults(spec), **mine}
    return fill(spec.template(selection), {name: values[0] for name, values in selection.items()})


def _narrowing(filters: Mapping[str, Entity], files: Sequence[tuple[Tree, str]]) -> dict[str, tuple[str, ...]]:
    """Return the filters that keep some files and drop most others.

    A filter that none of the files has or obeys is set to its value for files without the entity.
    """
    narrowing = {}
    for name, entity in filters.items():
        values = tuple(dict.fromkeys(_value(name, entity, key) for tree, key in files if name in tree.filters))
        named = [value for value in values if value in entity.known]
        if named and len(named) == len(values) and len(entity.known) > 1:
            narrowing[name] = tuple(named)
        elif not any(values) and entity.absent:
            narrowing[name] = (entity.absent,)
    return narrowing


def _value(name: str, entity: Entity, key: str) -> str:
    if entity.kind == "key":
        match = token(entity.key_of(name), "([A-Za-z0-9]+)").search(key)
        return match[1] if match else ""
    suffix, extension = name_parts(key)
    return suffix if entity.kind == "suffix" else extension


def _command(
    catalog: CatalogFile,
    own: Tree | None,
    chosen: Mapping[str, Any],
    filters: Mapping[str, Iterable[str]],
    files: Iterable[tuple[Tree, str]],
) -> str:
    subject = catalog.definitions.discovery.subjects.entity
    anybody = next(iter(catalog.entities[subject].known), ALL)
    ordered = {name: filters[name] for name in (own.filters if own else catalog.filters) if name in filters}
    flags = dict.fromkeys(tree.flag for tree, _ in files if tree.flag and tree is not own)
    words = [
        f"{flag_of(subject)} {chosen.get(subject, anybody)}",
        *(f"{flag_of(name)} {' '.join(values)}" for name, values in ordered.items()),
        *map(flag_of, flags),
    ]
    return _wrapped([f"laion-fmri {own.command if own else 'download'}", *words])


def _wrapped(words: Sequence[str]) -> str:
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) < _WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}")
    return " \\\n".join(lines)
