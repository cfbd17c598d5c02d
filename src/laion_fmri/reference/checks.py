"""What reading a table checks, as the catalog says."""

from __future__ import annotations

from collections.abc import Iterator

from laion_fmri.catalog.layout import Column
from laion_fmri.catalog.models import Artifact
from laion_fmri.reference.image_names import PAGE
from laion_fmri.reference.markdown import code, codes, link


def checks(artifact: Artifact) -> Iterator[str]:
    """Yield a sentence for each thing that holds of a table."""
    layout = artifact.layout
    if layout.key:
        yield f"No two rows agree in {codes(layout.key, ' and')}."
    for name, column in layout.columns.items():
        for text in _of_column(column):
            yield f"{code(name)} {text}"


def _of_column(column: Column) -> Iterator[str]:
    if column.counts:
        yield "counts the rows from 0, in their order."
    if column.values:
        yield f"is {codes(column.values, ' or')}."
    if column.names:
        of = f"; one that a single subject saw is of the {code(column.owner)} of the file" if column.owner else ""
        yield f"is an {link('image name', PAGE)}{of}."
    if column.known_in:
        other = code(column.known_in.join)
        yield f"stands in {code(column.known_in.column)} of {other} too, where that is downloaded."


def checked_joins(artifact: Artifact) -> set[str]:
    """Return the joins that are read only to check cells against them."""
    layouts = (artifact.layout, *(join.layout for join in artifact.joins.values()))
    columns = (column for layout in layouts for column in layout.columns.values())
    return {column.known_in.join for column in columns if column.known_in}
