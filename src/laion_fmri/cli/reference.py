"""``laion-fmri reference``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command
@click.option("--check", is_flag=True, help="Write nothing; name the files that are not up to date and exit with 1.")
@click.option("--docs", type=click.Path(path_type=Path), default="docs", show_default=True, help="Folder of the pages.")
@click.option(
    "--schemas", type=click.Path(path_type=Path), default="schemas", show_default=True, help="Folder of the schemas."
)
def reference(docs: Path, schemas: Path, check: bool) -> int:
    """Write the reference pages and the JSON Schemas from the catalog."""
    from laion_fmri.reference import write

    files = write(docs, schemas, check=check)
    if check:
        sys.stderr.write("".join(f"{path} is not up to date; run: laion-fmri reference\n" for path in files))
        return 1 if files else 0
    for path in files:
        click.echo(f"wrote {path}")
    return 0
