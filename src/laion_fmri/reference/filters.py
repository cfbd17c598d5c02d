"""The page of the download filters; every rule on it is read off the catalog."""

from __future__ import annotations

from collections.abc import Iterator

from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.cli.flags import flag_of
from laion_fmri.reference import artifacts
from laion_fmri.reference.markdown import code, codes, escape, table
from laion_fmri.reference.template import render


def filters_page(catalog: CatalogFile, source: str) -> str:
    """Return what a download takes and leaves."""
    subject = catalog.definitions.discovery.subjects.entity
    anybody = next(iter(catalog.entities[subject].known), ALL)
    shown = [(name, entity.known[0]) for name, entity in catalog.filters.items() if entity.known][:1]
    flags = [f"{flag_of(name)} {value}" for name, value in [(subject, anybody), *shown]]
    arguments = [f'"{anybody}"', *(f'{name}="{value}"' for name, value in shown)]
    return render(
        "filters.md.jinja",
        source,
        subject=subject,
        subjects=artifacts.allowed(catalog.entities[subject]),
        command=" ".join(["laion-fmri download", *flags]),
        call=f"from laion_fmri.download import download\n\ndownload({', '.join(arguments)})",
        spelling=f"{code(anybody)} and {code(f'{catalog.entities[subject].key_of(subject)}-{anybody}')}",
        filters=_filter_table(catalog),
        special=[*_special(catalog), *_own(catalog)],
        trees=_tree_table(catalog),
        required=codes([tree.name for tree in catalog.trees if tree.required], " and"),
        forced=[*_forced(catalog)],
        held_out=_held_out(catalog),
    )


def _filter_table(catalog: CatalogFile) -> str:
    rows = (
        [
            code(name),
            escape(entity.description),
            artifacts.allowed(entity),
            artifacts.aliases(entity),
            _without(entity),
        ]
        for name, entity in {**catalog.filters, **_more(catalog)}.items()
    )
    return table(["Filter", "Meaning", "Values", "Other names", "A file without it"], rows)


def _more(catalog: CatalogFile) -> dict[str, Entity]:
    """Return the filters that only trees with a command of their own have."""
    names = dict.fromkeys(name for tree in catalog.trees for name in tree.filters if catalog.trees_with_filter(name))
    return {name: catalog.entities[name] for name in names}


def _own(catalog: CatalogFile) -> Iterator[str]:
    for name in _more(catalog):
        commands = [f"laion-fmri {tree.command}" for tree in catalog.trees_with_filter(name)]
        yield f"{code(name)} is a filter of {codes(commands, ' and')} only."


def _without(entity: Entity) -> str:
    if entity.match == "permissive":
        return "stays"
    if entity.match == "strict" and entity.absent:
        return f"is left out, unless {code(entity.absent)} is among the values"
    return "is left out"


def _special(catalog: CatalogFile) -> Iterator[str]:
    for name, entity in catalog.filters.items():
        if entity.absent:
            given = code(f'{name}="{entity.absent}"')
            yield f"{given} asks for the files without {code(name)}; beside other values it adds them."
        if entity.waived:
            when, value = code(entity.waived.when), code(entity.waived.value)
            yield (
                f"While {when} is on, {code(name)} leaves {value} files alone: "
                "they come along with the files that they describe."
            )


def _tree_table(catalog: CatalogFile) -> str:
    rows = (
        [
            code(tree.name),
            escape(tree.description),
            code(tree.prefix) if tree.prefix else codes(tree.files),
            artifacts.downloaded(tree),
            codes(tree.filters) or "none",
            codes(name for name in catalog.filters if name not in tree.filters) or "none",
        ]
        for tree in catalog.trees
    )
    return table(["Tree", "What it holds", "Keys", "Downloaded", "Obeys", "Ignores"], rows)


def _forced(catalog: CatalogFile) -> Iterator[str]:
    for tree in catalog.trees:
        for forced in tree.forced:
            absent = catalog.entities[forced.when].absent
            but = f" other than {code(absent)}" if absent else ""
            yield f"{code(forced.path)}, whenever {code(forced.when)} names a value{but}."


def _held_out(catalog: CatalogFile) -> str:
    rule = catalog.remote.held_out
    if rule is None:
        return ""
    files = artifacts.of_values(rule, catalog.entities[rule.entity])
    lines = [
        f"{files} are not public yet: the remote lists them and gives them to nobody. "
        "A download never asks for them, whatever the filters say."
    ]
    for exempt in rule.exempt:
        parts = codes(exempt.contains, " or")
        lines.append(f"Public all the same: keys below {code(exempt.prefix)} that contain {parts}.")
    return "\n".join(lines)
