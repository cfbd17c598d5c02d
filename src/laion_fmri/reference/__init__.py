"""Floor 5: the pages and schemas that are generated from the catalog, the loaders and the commands."""

from __future__ import annotations

import uuid
from pathlib import Path

__all__ = ["generated", "write"]


def write(docs: Path, schemas: Path, check: bool) -> list[Path]:
    """Bring the generated files up to date.

    Parameters
    ----------
    docs : Path
        Folder of the documentation; the pages go to its ``reference`` folder.
    schemas : Path
        Folder of the schemas.
    check : bool
        Write nothing.

    Returns
    -------
    list of Path
        Files that were not up to date: changed, missing, or about something that is gone (these are deleted).
    """
    texts = generated(docs, schemas)
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_bytes() != text.encode()]
    gone = [path for path in _generated_pages(docs / "reference") if path not in texts]
    if not check:
        for path in stale:
            _replace(path, texts[path])
        for path in gone:
            path.unlink()
    return sorted([*stale, *gone])


def generated(docs: Path, schemas: Path) -> dict[Path, str]:
    """Return the text of every generated file."""
    from laion_fmri.access.answers import Manifest
    from laion_fmri.catalog import catalog_path, load_catalog
    from laion_fmri.catalog.schema import catalog_schema, schema_text
    from laion_fmri.lockfile import Lock
    from laion_fmri.reference.commands import command_page
    from laion_fmri.reference.pages import catalog_pages
    from laion_fmri.storage.receipts import Receipt

    source = f"catalog/{catalog_path().name}"
    pages = {**catalog_pages(load_catalog(), source), "cli.md": command_page(source)}
    texts = {
        "catalog.schema.json": catalog_schema(),
        "lock.schema.json": schema_text(Lock, "Lock file of laion_fmri"),
        "manifest.schema.json": schema_text(Manifest, "Manifest of an access service"),
        "receipt.schema.json": schema_text(Receipt, "Receipt of laion_fmri"),
    }
    files = {docs / "reference" / name: text for name, text in pages.items()}
    return files | {schemas / name: text for name, text in texts.items()}


def _generated_pages(folder: Path) -> list[Path]:
    from laion_fmri.reference.template import MARK

    return [path for path in folder.glob("*.md") if path.read_text(encoding="utf-8").startswith(MARK)]


def _replace(path: Path, text: str) -> None:
    """Write a file so that it is whole or as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.write_bytes(text.encode())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
