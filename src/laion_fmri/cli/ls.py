"""``laion-fmri ls``: its flags are the entities of the artifacts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.templates import fields
from laion_fmri.cli.artifacts import ArtifactArgument
from laion_fmri.cli.flags import ValuesCommand, ValuesOption, flag_of

if TYPE_CHECKING:
    from laion_fmri.source import Source
    from laion_fmri.storage.find import FileEntry

_HELP = """List the artifacts of the catalog, or the files of one ARTIFACT and which of them are here.

Uses no network. An entity that is left out is not narrowed. Of values that only the bucket knows, those that are here
are listed.
"""


def ls_command(catalog: CatalogFile) -> click.Command:
    """Return the command for a catalog."""

    def run(artifact: str | None, as_json: bool, **given: tuple[str, ...]) -> None:
        chosen = {name: values if len(values) > 1 else values[0] for name, values in given.items() if values}
        if artifact:
            _show_files(_source(catalog, artifact)(**chosen), as_json)
        elif chosen:
            flags = ", ".join(map(flag_of, chosen))
            raise click.UsageError(f"{flags}: narrows the files of an artifact; name one: ls ARTIFACT {flags} ...")
        else:
            _show_artifacts(catalog, as_json)

    flags = [ValuesOption(name, found, [ALL]) for name, found in entities(catalog).items()]
    in_json = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")
    return ValuesCommand("ls", callback=run, params=[ArtifactArgument(catalog.sources), *flags, in_json], help=_HELP)


def entities(catalog: CatalogFile) -> dict[str, list[Entity]]:
    """Return the entities of all artifacts by name, without the words that only filters know.

    A name may stand for another entity in another artifact.
    """
    found: dict[str, list[Entity]] = {}
    for source in catalog.sources.values():
        for name, filtered in source.args.entities.items():
            entity = filtered.model_copy(update={"absent": None})
            if entity not in found.setdefault(name, []):
                found[name].append(entity)
    return found


def _source(catalog: CatalogFile, name: str) -> Source:
    from laion_fmri.source import Source

    artifact = catalog.artifact(name)
    return Source(name, catalog.sources[name].description, artifact)


def _show_artifacts(catalog: CatalogFile, as_json: bool) -> None:
    from laion_fmri.cli.tables import print_table

    if as_json:
        artifacts = [
            {**_source(catalog, name).describe(), "download_with": _way(source.args) or None}
            for name, source in catalog.sources.items()
        ]
        click.echo(json.dumps(artifacts, indent=2))
        return
    columns = ["artifact", "entities", "access", "download with", "description"]
    rows = (
        [name, ", ".join(source.args.entities), source.args.access.policy, _way(source.args), source.description]
        for name, source in catalog.sources.items()
    )
    print_table(columns, rows)


def _way(artifact: Artifact) -> str:
    """Return the flag or the command that downloads it, for what no plain download brings."""
    tree = artifact.tree
    return flag_of(tree.flag) if tree.flag else tree.command or ""


def ways(artifact: Artifact, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what to choose for each path template that has all of the entities given: all, of those left out."""
    for template in artifact.path:
        names = fields(template)
        if set(given) <= set(names):
            yield {name: given.get(name, ALL) if name in names else None for name in artifact.entities}


def _show_files(source: Source, as_json: bool) -> None:
    from laion_fmri.cli.tables import print_table
    from laion_fmri.config import data_root
    from laion_fmri.progress import size_text

    choices = list(ways(source.artifact, source.given)) or [{}]
    files = [file for choice in choices for file in source(**choice).files()]
    if as_json:
        click.echo(json.dumps([_plain(file) for file in files], indent=2))
        return
    root = data_root()
    print_table(
        ["size", "file"],
        (
            ["not here" if file.size is None else size_text(file.size), file.path.relative_to(root).as_posix()]
            for file in files
        ),
    )
    here = [file.size for file in files if file.size is not None]
    click.echo(f"{len(here)} of {len(files)} files here, {size_text(sum(here))}, in {root}")


def _plain(file: FileEntry) -> dict[str, object]:
    return {"path": str(file.path), "entities": dict(file.entities), "size": file.size}


ls = ls_command(load_catalog())
