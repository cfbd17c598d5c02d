"""``laion-fmri optimize``: local stores, from which the same data are read again in a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.models import Artifact
from laion_fmri.cli.flags import ValuesCommand, ValuesOption, flag_of, subject_option
from laion_fmri.loaders import STORED

_HELP = """Write local stores of {artifacts}, from which any voxels and trials are read in a moment.

A store has all voxels of a brain mask, and takes about as much room as the file that it is made of, which stays and is
still needed. Files that are not here are left out, unless all of them are asked for by name. A store that is there and
right is left as it is. Stores lie in .laion_fmri/store below the data directory and may be removed at any time.
"""
_MASK = "mask_source"


def optimize_command(catalog: CatalogFile) -> click.Command:
    """Return the command for a catalog; its flags are the entities of what can have a store."""
    kept = {name: source.args for name, source in catalog.sources.items() if source.args.loader in STORED}
    subject = catalog.definitions.discovery.subjects.entity
    entities = {
        name: entity.model_copy(update={"absent": None})
        for artifact in kept.values()
        for name, entity in artifact.entities.items()
    }
    masks = dict.fromkeys(mask for artifact in kept.values() for mask in artifact.options[_MASK].choices)

    def run(mask_source: str | None, remove: bool, **given: str | tuple[str, ...]) -> None:
        for name, artifact in kept.items():
            chosen: dict[str, Any] = {one: given[one] or ALL for one in artifact.entities}
            if remove:
                _remove(name, artifact, chosen, [mask_source] if mask_source else [*artifact.options[_MASK].choices])
            else:
                _write(name, artifact, {**chosen, _MASK: mask_source or artifact.options[_MASK].default})

    params: list[click.Parameter] = [
        subject_option(name, entity) if name == subject else ValuesOption(name, [entity], [ALL])
        for name, entity in entities.items()
    ]
    text = "Brain mask whose voxels are kept. Default: that of reading; with --remove every one."
    params.append(click.Option([flag_of(_MASK)], type=click.Choice([*masks]), help=text))
    params.append(click.Option(["--remove"], is_flag=True, help="Remove the stores instead; the files stay."))
    return ValuesCommand("optimize", callback=run, params=params, help=_HELP.format(artifacts=" and ".join(kept)))


def _write(name: str, artifact: Artifact, chosen: dict[str, Any]) -> None:
    from laion_fmri.config import data_root
    from laion_fmri.loaders.store import store_name
    from laion_fmri.progress import size_text
    from laion_fmri.source import Source
    from laion_fmri.stores import store_at, stores_folder

    source = Source(name, "", artifact, chosen)
    here = [file.entities for file in source.files() if file.size is not None]
    if not here or ALL not in chosen.values():
        here = [file.entities for file in source.present()]
    for entities in here:
        start = time.monotonic()
        source(**entities).optimize()
        store = store_at(stores_folder(data_root(), name) / store_name(artifact, entities, chosen[_MASK]))
        click.echo(f"{store.path}: {size_text(store.bytes)}, {time.monotonic() - start:.1f} s")


def _remove(name: str, artifact: Artifact, chosen: dict[str, Any], masks: Sequence[str]) -> None:
    from laion_fmri.loaders.store_writer import remove

    found = [*_stores(name, artifact, chosen, masks)]
    for store in found:
        remove(store)
        click.echo(f"{store}: removed")
    if not found:
        click.echo(f"{name}: there is no such store")


def _stores(name: str, artifact: Artifact, chosen: dict[str, Any], masks: Sequence[str]) -> Iterator[Path]:
    from laion_fmri.config import data_root
    from laion_fmri.loaders.store import store_name
    from laion_fmri.source import Source
    from laion_fmri.stores import stores_folder

    for file in Source(name, "", artifact, chosen).files():
        for mask in masks:
            store = stores_folder(data_root(), name) / store_name(artifact, file.entities, mask)
            if store.is_dir():
                yield store


optimize = optimize_command(load_catalog())
