"""How artifacts and catalogs look in a terminal and in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.models import Artifact, Option
from laion_fmri.catalog.policies import Access
from laion_fmri.catalog.words import listed
from laion_fmri.progress import size_text
from laion_fmri.source import Source

_CONDITIONS = {"open": "no conditions", "acknowledge": "acknowledged once", "agreement": "under an agreement"}

Rows = list[tuple[str, str]]


def access_text(policy: Access) -> str:
    """Return an access policy in a few words."""
    return f"{policy.license}, {_CONDITIONS[policy.policy]}"


def values_text(entity: Entity) -> str:
    """Return the values of an entity in a few words."""
    if entity.range:
        return f"{entity.range[0]} ... {entity.range[1]}"
    return listed(entity.known) if entity.known else "see the files"


def layout_text(artifact: Artifact) -> str:
    """Return what reading gives in a few words."""
    layout = artifact.layout
    if layout.columns:
        return f"table ({', '.join(layout.columns)})"
    if layout.dtype is None:
        return artifact.loader
    kind = " ".join(part for part in (layout.dtype, f"[{layout.units}]" if layout.units else "") if part)
    return f"({', '.join(layout.dims)}) {kind}"


def source_rows(source: Source) -> Rows:
    """Return what there is to say about a source, as label and text."""
    rows: Rows = [("", source.description)]
    for name, entity in source.artifact.entities.items():
        chosen = source.choice.entities.get(name)
        text = listed(chosen) if chosen else f"not chosen: {values_text(entity)}"
        rows.append((name, text))
    for name, option in source.artifact.options.items():
        rows.append((name, f"option, {_chosen_text(option, source.choice.options[name])}: {option.description}"))
    size = source.artifact.size
    return [
        *rows,
        ("reads", layout_text(source.artifact)),
        ("size", f"about {size_text(size.bytes)}, {size.note}"),
        ("access", access_text(source.artifact.access)),
        ("release", f"{source.artifact.dataset.title} {source.artifact.dataset.release}"),
    ]


def _chosen_text(option: Option, value: Any) -> str:
    if value is None:
        return "off"
    return f"{value.sum()} of {value.size}" if option.type == "mask" else str(value)


def source_text(source: Source) -> str:
    """Return a source as plain text."""
    width = max(len(label) for label, _ in source_rows(source)) + 2
    lines = [f"  {label:<{width}}{text}" if label else f"  {text}" for label, text in source_rows(source)]
    return "\n".join([f"<{source.name}>", *lines])


def source_html(source: Source) -> str:
    """Return a source as HTML."""
    rows = source_rows(source)
    return f"<b>{escape(source.name)}</b>: {escape(rows[0][1])}{_table(rows[1:])}"


def catalog_text(title: str, descriptions: Mapping[str, str]) -> str:
    """Return a catalog as plain text."""
    width = max(map(len, descriptions), default=0) + 2
    lines = [f"  {name:<{width}}{text}" for name, text in descriptions.items()]
    return "\n".join([f"<catalog {title}: {len(descriptions)} artifacts>", *lines])


def catalog_html(title: str, descriptions: Mapping[str, str]) -> str:
    """Return a catalog as HTML."""
    return f"<b>{escape(title)}</b>{_table(list(descriptions.items()))}"


def _table(rows: Rows) -> str:
    cells = (
        f'<tr><th style="text-align:left">{escape(label)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for label, text in rows
    )
    return f"<table>{''.join(cells)}</table>"
