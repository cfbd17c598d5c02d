"""The files that the data directory holds, or held: known by receipts, or found by the names that the catalog gives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.models import Artifact, CatalogFile
from laion_fmri.catalog.templates import fields, parse, pieces, sidecar_of
from laion_fmri.collector import paused_collector
from laion_fmri.storage.find import expected_paths
from laion_fmri.storage.names import mistake
from laion_fmri.storage.receipts import Receipt, Record, records


class Item(NamedTuple):
    """A file that is in the data directory, or should be.

    Attributes
    ----------
    path : str
        Relative to the data directory, with ``/``.
    tree : str
        Tree of the catalog that it belongs to.
    artifact : str or None
        Artifact of the catalog that it belongs to; None for a file that only its receipt knows.
    entities : mapping of str to str
        Its entity values.
    receipt : Receipt or None
        What is known of it; None where it came from elsewhere.
    """

    path: str
    tree: str
    artifact: str | None
    entities: Mapping[str, str]
    receipt: Receipt | None


class Names:
    """Tells whose file a path is.

    Parameters
    ----------
    catalog : CatalogFile
        Gives the names of files.
    """

    def __init__(self, catalog: CatalogFile) -> None:
        self._known = [
            (pieces(template)[0][0], template, name, source.args.entities)
            for name, source in catalog.sources.items()
            for template in _templates(source.args)
        ]

    def owner(self, path: str) -> tuple[str | None, Mapping[str, str]]:
        """Return the artifact of a path, and its entity values; None where no artifact has such a file."""
        for head, template, name, entities in self._known:
            if path.startswith(head) and (bound := parse(template, entities, path)) is not None:
                return name, bound
        return None, {}


@paused_collector()
def inventory(catalog: CatalogFile, root: Path, artifacts: Collection[str] = ()) -> list[Item]:
    """Return the files of a data directory, by their paths.

    Parameters
    ----------
    catalog : CatalogFile
        Gives the names of files.
    root : Path
        The data directory.
    artifacts : collection of str
        Only their files; all where it is empty.

    Raises
    ------
    SelectionError
        If there is no such artifact, naming the nearest.
    """
    wanted = {name: catalog.artifact(name) for name in artifacts or catalog.sources}
    known = records(root)
    here = {path: (name, bound) for name, one in wanted.items() for path, bound in _here(root, one)}
    items = []
    for path, (name, bound) in here.items():
        receipt = receipt_of(known.pop(path, None))
        items.append(Item(path, receipt.tree if receipt else wanted[name].tree.name, name, bound, receipt))
    names = Names(catalog)
    for path, record in known.items():
        owner, bound = names.owner(path)
        receipt = receipt_of(record)
        if receipt and (owner in wanted or not artifacts):
            items.append(Item(path, receipt.tree, owner, bound, receipt))
    return sorted(items, key=lambda item: item.path)


def _templates(artifact: Artifact) -> Iterator[str]:
    for template in artifact.path:
        yield template
        if artifact.sidecar:
            yield sidecar_of(template)


def _here(root: Path, artifact: Artifact) -> Iterator[tuple[str, Mapping[str, str]]]:
    for template in _templates(artifact):
        for path, bound in expected_paths(root, template, artifact.entities, dict.fromkeys(fields(template), (ALL,))):
            is_here = bound or (root / path).is_file()  # of a template without fields it is not known yet
            if is_here and not path.rpartition("/")[2].startswith(".") and not mistake(path):
                yield path, bound


def receipt_of(record: Record | None) -> Receipt | None:
    """Return a receipt; None where somebody changed its line."""
    try:
        receipt = Receipt.model_validate(record) if record else None
    except ValidationError:
        return None
    return receipt if receipt and not mistake(receipt.path) else None
