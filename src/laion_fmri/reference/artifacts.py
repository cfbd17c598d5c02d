"""What the page of an artifact says, as Markdown for its template; pure over the catalog and its loaders."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.models import Artifact, FileSpec, Option
from laion_fmri.catalog.policies import Access
from laion_fmri.catalog.remotes import HeldOut
from laion_fmri.catalog.rules import Tree
from laion_fmri.catalog.templates import fields
from laion_fmri.cli.flags import flag_of
from laion_fmri.loaders import get_loader
from laion_fmri.reference.checks import checked_joins
from laion_fmri.reference.markdown import code, codes, escape, link, table


def access(policy: Access) -> str:
    """Return the licence of a policy and what it asks of the user."""
    licence = link(policy.license, policy.url)
    if policy.policy == "open":
        return f"{licence}; nothing to accept"
    if policy.policy == "agreement":
        form = link("form", f"{policy.service.url}/{policy.service.pages.request}")
        return f"{licence}, a data-use agreement: a {form}, filled in once before the first download"
    return f"{licence}; shown before the first download, accepted once by typing {code(policy.answer)}"


def allowed(entity: Entity) -> str:
    """Return the values of an entity."""
    if entity.range:
        return codes(entity.range, " to")
    if entity.known:
        return codes(entity.known)
    return f"text of the form {code(entity.pattern)}" if entity.pattern else "any path below the folder"


def aliases(entity: Entity) -> str:
    """Return the other names of values."""
    return "; ".join(f"{code(alias)} for {code(value)}" for alias, value in entity.aliases.items())


def downloaded(tree: Tree) -> str:
    """Return when a download takes a tree."""
    ways = [flag_of(tree.flag), f"{tree.flag}=True"] if tree.flag else []
    ways += [f"laion-fmri {tree.command}"] if tree.command else []
    return f"with {codes(ways, ' or')}" if ways else "always"


def entity_table(spec: FileSpec) -> str:
    """Return the entities of an artifact as a table."""
    header = ["Entity", "Meaning", "Values", "Default", "Other names", "Needed"]
    return table(header, (_entity_row(name, entity, spec) for name, entity in spec.entities.items()))


def _entity_row(name: str, entity: Entity, spec: FileSpec) -> list[str]:
    meaning = escape(entity.description)
    if entity.strip:
        meaning += f" Local file names leave out {code(entity.strip)}."
    default = code(entity.default) if entity.default else ""
    return [code(name), meaning, allowed(entity), default, aliases(entity), _needed(name, entity, spec)]


def _needed(name: str, entity: Entity, spec: FileSpec) -> str:
    everywhere = all(name in fields(path) for path in spec.path)
    if entity.default is None:
        return "yes" if everywhere else "for some files"
    return "no" if everywhere else f"no; {code('None')} leaves it out"


def ways(spec: FileSpec) -> str:
    """Return which entities name a file together, where there are several ways."""
    return ", or ".join(codes(fields(path), " and") for path in spec.path)


def gaps(spec: FileSpec) -> str:
    """Return which values no file has together, a sentence each."""
    together = (
        " with ".join(f"{code(name)} {codes(values, ' or')}" for name, values in gap.items()) for gap in spec.gaps
    )
    return " ".join(f"No file has {values}." for values in together)


def spellings(spec: FileSpec, example: Mapping[str, Any]) -> str:
    """Return the ways to write one value, shown on the first entity whose values are numbers."""
    for name, entity in spec.entities.items():
        value = str(example.get(name, next(iter(entity.known), "")))
        if value.isdecimal() and entity.kind == "key":
            return codes([str(int(value)), f'"{value}"', f'"{entity.key_of(name)}-{value}"'], " and")
    return ""


def returns(artifact: Artifact) -> str:
    """Return what the loader says of its answer, as Markdown: a type, then sentences."""
    text = inspect.getdoc(get_loader(artifact.loader).read) or ""
    section = re.search(r"^Returns\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text, re.DOTALL | re.MULTILINE)
    kind, _, rest = (section[1] if section else "").partition("\n")
    body = inspect.cleandoc(rest).replace("``", "`")
    return f"{code(kind)}. {body}" if kind else ""


def column_table(artifact: Artifact) -> str:
    """Return the columns of a table artifact as a table."""
    columns = artifact.layout.columns
    rows = ([code(name), code(column.dtype), escape(column.description)] for name, column in columns.items())
    return table(["Column", "dtype", "Meaning"], rows)


def array_table(artifact: Artifact) -> str:
    """Return the arrays that the catalog knows of a file as a table."""
    rows = (
        [code(name), codes(array.dims), array.units or "", escape(array.description)]
        for name, array in artifact.layout.arrays.items()
    )
    return table(["Array", "Dimensions", "Units", "Meaning"], rows)


def option_table(artifact: Artifact) -> str:
    """Return the options of ``read()`` as a table."""
    rows = (
        [
            code(name),
            escape(rule.description),
            _possible(rule),
            code(rule.default) if rule.default else "off",
            rule.units or "",
        ]
        for name, rule in artifact.options.items()
    )
    return table(["Option", "Meaning", "Values", "Default", "Units"], rows)


def _possible(rule: Option) -> str:
    if rule.type == "choice":
        return codes(rule.choices, " or")
    if rule.type == "names":
        return "a name or a list of names"
    if rule.type == "flag":
        return code("True")
    if rule.type == "mask":
        return "a bool array"
    if rule.type == "regions":
        named = "; ".join(f"{code(name)} is {code(query)}" for name, query in rule.named.items())
        names = f"; {named}" if named else ""
        return f"a query, a list of queries, or a mapping of names to those{names}"
    ends = [
        f"from {rule.minimum:g}" if rule.minimum is not None else "",
        f"to {rule.maximum:g}" if rule.maximum is not None else "",
    ]
    return " ".join(["a number", *filter(None, ends)])


def join_table(artifact: Artifact, descriptions: Mapping[str, str]) -> str:
    """Return the files that a loader reads beside its own: what they are, and when it reads them."""
    rows = (
        [
            link(join.artifact, f"{join.artifact}.md"),
            escape(descriptions[join.artifact]),
            when(artifact, name),
        ]
        for name, join in artifact.joins.items()
    )
    return table(["Artifact", "What it is", "Read"], rows)


def when(artifact: Artifact, join: str) -> str:
    """Return with which options a loader reads a join, found by asking the loader."""
    if join in checked_joins(artifact):
        return "where it is here, to check names against it; never fetched along"
    needs = get_loader(artifact.loader).needs
    usual = {name: rule.default for name, rule in artifact.options.items()}
    changed = {label: join in needs(artifact, {**usual, **change}) for label, change in _changes(artifact)}
    usually = join in needs(artifact, usual)
    others = [label for label, read in changed.items() if read != usually]
    if usually:
        return f"always, but for {codes(others, ' and')}" if others else "always"
    return f"with {codes(others, ' or')}" if others else "never"


def _changes(artifact: Artifact) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, rule in artifact.options.items():
        if rule.type == "choice":
            for choice in rule.choices:
                yield f'{name}="{choice}"', {name: choice}
        else:
            yield (f"{name}=True" if rule.type == "flag" else f"{name}=..."), {name: _some_value(rule)}


def _some_value(rule: Option) -> Any:
    if rule.type == "number":
        return rule.minimum or rule.maximum or 0
    return True if rule.type == "flag" else (ALL,)


def held_out(artifact: Artifact) -> str:
    """Return which of the files nobody is given."""
    rule = artifact.remote.held_out
    if rule is None or rule.entity not in artifact.entities:
        return "Nothing of it is held out."
    exempt = [one for one in rule.exempt if (artifact.tree.prefix or "").startswith(one.prefix)]
    beside = f", except keys that contain {codes(exempt[0].contains, ' or')}" if exempt else ""
    return (
        f"{of_values(rule, artifact.entities[rule.entity])} are held out{beside}: "
        "the remote lists them and gives them to nobody."
    )


def of_values(rule: HeldOut, entity: Entity) -> str:
    """Return what a held-out rule covers, as the beginning of a sentence."""
    key = entity.key_of(rule.entity)
    return f"Files in the folders {codes([f'{key}-{value}' for value in rule.values], ' and')}"
