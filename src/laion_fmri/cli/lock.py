"""``laion-fmri lock``: which files are here, for a paper."""

from __future__ import annotations

import click

_HELP = """Write down which files are in the data directory: for a paper, and for others to get exactly those.

They get them with laion-fmri download --locked FILE. Uses no network. Nothing is written unless every file is as it was
downloaded. See docs/integrity.md.
"""


@click.command(help=_HELP)
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    default="laion-fmri.lock.json",
    show_default=True,
    help="The file that is written.",
)
def lock(output: str) -> None:
    """Write a lock file."""
    from laion_fmri.lockfile import lock as write
    from laion_fmri.progress import size_text

    found = write(output)
    size = size_text(sum(file.size for file in found.files))
    click.echo(f"{output}: {len(found.files)} files, {size}, of {found.dataset}, release {found.release}")
