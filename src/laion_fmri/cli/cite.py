"""``laion-fmri cite``."""

from __future__ import annotations

import click

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.cli.artifacts import ArtifactArgument


def cite_command(catalog: CatalogFile) -> click.Command:
    """Return the command for a catalog."""

    def run(artifact: str | None) -> None:
        dataset = catalog.artifact(artifact).dataset if artifact else catalog.dataset
        licence = dataset.license
        if artifact:
            access = catalog.artifact(artifact).access
            licence = f"{access.license} ({access.url})"
            click.echo(f"Artifact:  {artifact}. {catalog.sources[artifact].description}")
        click.echo(f"Citation:  {dataset.citation}")
        click.echo(f"Release:   {dataset.release} ({dataset.released})")
        click.echo(f"Licence:   {licence}")
        click.echo(f"Address:   {dataset.url}")

    return click.Command("cite", callback=run, params=[ArtifactArgument(catalog.sources)], help=_HELP)


_HELP = "Show how to cite the dataset, or an ARTIFACT of it, with release and licence."

cite = cite_command(load_catalog())
