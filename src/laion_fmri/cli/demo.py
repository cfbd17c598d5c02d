"""``laion-fmri demo``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="laion_fmri_demo",
    show_default=True,
    help="An empty or new folder, or the one of an earlier demo.",
)
def demo(folder: Path) -> None:
    """Run the main job on an offline miniature of the dataset: browse, plan, download, read, draw."""
    from laion_fmri.sandbox.demo import run

    run(folder)
