"""``laion-fmri catalog``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.group(invoke_without_command=True)
@click.pass_context
def catalog(ctx: click.Context) -> None:
    """Check a catalog file."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@catalog.command
@click.argument("file", required=False, type=click.Path(path_type=Path))
def validate(file: Path | None) -> int:
    """Check FILE, by default the catalog that comes with the package.

    Every mistake is one line on standard error: file:line: path: message.
    """
    from laion_fmri.catalog import catalog_path
    from laion_fmri.catalog.check import read_catalog
    from laion_fmri.errors import CatalogError
    from laion_fmri.loaders import LOADERS

    path = file or catalog_path()
    try:
        found = read_catalog(path, LOADERS)
    except CatalogError as error:
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return error.exit_code
    counts = {"artifacts": found.sources, "trees": found.trees, "entities": found.entities}
    listed = ", ".join(f"{len(things)} {name}" for name, things in counts.items())
    click.echo(f"{path}: ok: {found.dataset.title} {found.dataset.release}, {listed}")
    return 0
