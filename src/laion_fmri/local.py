"""What the data directory holds: the artifacts of the catalog as sources, and which of their files are here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.templates import fields, fill
from laion_fmri.config import data_root
from laion_fmri.selection import bare_subject
from laion_fmri.source import Source


def artifact_source(name: str, data_dir: str | Path | None = None) -> Source:
    """Return an artifact of the catalog that comes with the package, with nothing chosen yet.

    Parameters
    ----------
    name : str
        Name of the artifact.
    data_dir : str or Path, optional
        Where its files are; the configured directory where left out.

    Examples
    --------
    >>> artifact_source("trials")(subject="sub-03").choice.entities
    {'subject': ('03',)}
    """
    catalog = load_catalog()
    artifact = catalog.artifact(name)
    folder = None if data_dir is None else Path(data_dir)
    return Source(name, catalog.sources[name].description, artifact, data_dir=folder)


def one_or_each(source: Source, entity: str, wanted: Any, read: Callable[[Source], Any], prefix: str = "") -> Any:
    """Return what `read` gives for one value of an entity, or a dict of that for several values.

    Parameters
    ----------
    source : Source
        What is read.
    entity : str
        The entity in question.
    wanted : str, or list of str or ``"all"``
        One value, or several.
    read : callable
        Takes the source with one value chosen.
    prefix : str
        Of the keys of the dict, before the bare value.

    Raises
    ------
    SelectionError
        If a value is wrong.
    DataNotDownloadedError
        If a file of several values is not here; nothing has been read then.
    """
    chosen = source(**{entity: wanted})
    if wanted is None or (isinstance(wanted, str) and wanted != ALL):
        return read(chosen)
    chosen.present()
    values = chosen.choice.entities[entity] or ()
    return {f"{prefix}{value}": read(source(**{entity: value})) for value in values}


def has_files_of(subject: str) -> bool:
    """Tell whether any file of a subject is here."""
    catalog = load_catalog()
    entity = catalog.definitions.discovery.subjects.entity
    bare = bare_subject(catalog, subject)
    prefixes = [tree.prefix for tree in catalog.definitions.trees.values() if tree.prefix]
    folders = (data_root() / fill(prefix, {entity: bare}) for prefix in prefixes if entity in fields(prefix))
    return any(path.is_file() for folder in folders for path in folder.rglob("[!.]*"))


def local_subjects() -> list[str]:
    """Return the BIDS identifiers of the subjects of which any file is here, sorted."""
    catalog = load_catalog()
    name = catalog.definitions.discovery.subjects.entity
    entity = catalog.entities[name]
    return sorted(f"{entity.key_of(name)}-{value}" for value in entity.known if has_files_of(value))
