"""``laion-fmri info``."""

from __future__ import annotations

import click


@click.command
@click.option("--subject", metavar="ID", help="Show the ROIs of this subject too.")
def info(subject: str | None) -> None:
    """Show the dataset, its subjects and the ROIs of the first one, as the bucket has them.

    Needs neither a data directory nor a licence.
    """
    from laion_fmri.discovery import describe, get_rois
    from laion_fmri.selection import resolve_subject_id

    identifier = resolve_subject_id(subject) if subject is not None else None
    describe()
    if identifier:
        click.echo(f"\n{identifier}\n  ROIs:      {', '.join(get_rois(identifier)) or 'none'}")
