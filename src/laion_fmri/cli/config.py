"""``laion-fmri config``."""

from __future__ import annotations

import click


@click.command
@click.option(
    "--data-dir",
    required=True,
    metavar="PATH",
    type=click.Path(file_okay=False),
    help="An existing directory; the files land in it.",
)
def config(data_dir: str) -> None:
    """Choose the data directory, for this and all later sessions."""
    from laion_fmri.config import dataset_initialize

    try:
        dataset_initialize(data_dir)
    except FileNotFoundError as error:
        raise click.UsageError(str(error)) from None
    click.echo(f"Data directory: {data_dir}")
