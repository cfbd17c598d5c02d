"""The plan of one artifact: the files of a selection, and those that reading takes beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from laion_fmri.catalog.artifacts import Selected
from laion_fmri.catalog.choice import Choice, complete, defaults
from laion_fmri.catalog.filters import held_out_test
from laion_fmri.catalog.models import Artifact, FileSpec
from laion_fmri.catalog.rules import Tree
from laion_fmri.catalog.templates import sidecar_of
from laion_fmri.fetch import Listings, decided
from laion_fmri.loaders import get_loader
from laion_fmri.remote_files import selected
from laion_fmri.storage.disk import free_bytes
from laion_fmri.storage.plan import Plan, RemoteFile
from laion_fmri.storage.remote import Client


def plan_of(name: str, artifact: Artifact, choice: Choice, remote: Client, root: Path) -> Plan:
    """List a remote and plan the download of what was chosen of an artifact.

    Parameters
    ----------
    name : str
        The artifact, for messages.
    artifact : Artifact
        It itself.
    choice : Choice
        Entity values and options.
    remote : Client
        What is asked.
    root : Path
        The data directory.
    """
    listings = Listings(remote)
    wanted: dict[str, tuple[Tree, RemoteFile]] = {}
    entities = dict(artifact.entities)
    for files, chosen in _specs(artifact, choice):
        entities |= files.entities
        for file in _remote_files(name, files, chosen, listings):
            wanted.setdefault(file.key, (files.tree, file))
    held_out = held_out_test(artifact.remote.held_out, entities)
    decisions = decided(wanted.values(), entities, held_out, root)
    return Plan(remote.url, str(root), artifact.dataset.release, free_bytes(root), decisions)


def _specs(artifact: Artifact, choice: Choice) -> Iterator[tuple[FileSpec, Selected]]:
    yield artifact, choice.entities
    for name in get_loader(artifact.loader).needs(artifact, choice.options):
        join = artifact.joins[name]
        mine = {key: values for key, values in choice.entities.items() if key in join.entities}
        yield join, {**defaults(join), **mine}


def _remote_files(name: str, files: FileSpec, chosen: Selected, listings: Listings) -> Iterator[RemoteFile]:
    template, values = complete(name, files, chosen)
    has_sidecar = isinstance(files, Artifact) and files.sidecar
    for wanted in (template, sidecar_of(template)) if has_sidecar else (template,):
        for file, _ in selected(files, wanted, values, listings):
            yield file
