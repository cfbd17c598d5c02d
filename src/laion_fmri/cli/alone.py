"""``laion-fmri download-...``: one command for each tree whose files belong to no subject."""

from __future__ import annotations

from typing import Any

import click

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.catalog.entities import ALL
from laion_fmri.cli.flags import ValuesCommand, ValuesOption, jobs_option


def tree_command(catalog: CatalogFile, name: str) -> click.Command:
    """Return the command that fetches all artifacts of a tree."""
    tree = catalog.definitions.trees[name]
    sources = {key: source for key, source in catalog.sources.items() if source.args.tree.name == name}
    entities = {key: entity for source in sources.values() for key, entity in source.args.entities.items()}

    def run(n_jobs: int, **given: tuple[str, ...]) -> int:
        from laion_fmri.cli.download import tell
        from laion_fmri.source import Source

        codes = []
        for key, source in sources.items():
            chosen: dict[str, Any] = {one: list(given[one]) or ALL for one in source.args.entities}
            codes.append(tell(Source(key, source.description, source.args, chosen).download(n_jobs)))
        return max(codes)

    params: list[click.Parameter] = [ValuesOption(key, [entity]) for key, entity in entities.items()]
    params.append(jobs_option())
    text = f"Download: {tree.description}\n\nFiles that are here with their listed size are skipped."
    return ValuesCommand(tree.command, callback=run, params=params, help=text)


def __getattr__(name: str) -> click.Command:
    catalog = load_catalog()
    tree = catalog.definitions.trees.get(name)
    if tree and tree.command and not tree.by_filters:
        return tree_command(catalog, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
