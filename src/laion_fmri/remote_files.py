"""Reading without a download: the files of an artifact that are here, and the others where the remote has them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from laion_fmri.catalog.choice import Values, complete, defaults
from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.filters import held_out_test
from laion_fmri.catalog.gaps import in_gap
from laion_fmri.catalog.models import Artifact, FileSpec, Join
from laion_fmri.catalog.templates import fields, local_path, parse
from laion_fmri.errors import NoMatchingDataError
from laion_fmri.fetch import Listings
from laion_fmri.loaders import Find, LocalFile
from laion_fmri.missing import Chosen, lost_value
from laion_fmri.storage.find import expected_files
from laion_fmri.storage.plan import RemoteFile
from laion_fmri.storage.reader import RemotePath, Site


def selected(
    files: FileSpec, template: str, values: Values, listings: Listings
) -> Iterator[tuple[RemoteFile, dict[str, str]]]:
    """Yield the files of a remote that a selection asks for, with the entity values of each."""
    for file in listings.candidates(files, template, values):
        bound = parse(template, files.entities, local_path(file.key, files.entities))
        if bound is not None and all(values[name] == (ALL,) or value in values[name] for name, value in bound.items()):
            yield file, bound


@dataclass
class Reachable:
    """The files of an artifact and of its joins that can be read, wherever they are.

    Attributes
    ----------
    name : str
        The artifact, for messages.
    artifact : Artifact
        It itself.
    root : Path
        The data directory.
    needs : collection of str
        The joins that are read; of others, only files that are here are found.
    here : callable
        Finds the files of a join that are here; see `Request.find`.
    """

    name: str
    artifact: Artifact
    root: Path
    needs: Collection[str]
    here: Find

    def __post_init__(self) -> None:
        self._site = Site(self.artifact.remote)

    @cached_property
    def _listings(self) -> Listings:
        return Listings(self._site.client)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_listings"}

    def find(self, join: str, values: Mapping[str, str]) -> tuple[LocalFile, ...]:
        """Return the files of a join; see `Request.find`."""
        if join not in self.needs:
            return self.here(join, values)
        files = self.artifact.joins[join]
        chosen = {name: (value,) for name, value in values.items() if name in files.entities}
        return self.files(files, {**defaults(files), **chosen})

    def files(self, files: FileSpec, chosen: Chosen) -> tuple[LocalFile, ...]:
        """Return the files of a selection in its order: those that are here as they are, the others at the remote.

        Raises
        ------
        NoMatchingDataError
            If neither has a file of some value that was asked for.
        """
        template, values = complete(self.name, files, chosen)
        expected = expected_files(self.root, template, files.entities, values)
        expected = [(path, bound) for path, bound in expected if not in_gap(bound, files.gaps)]
        found = {path: LocalFile(path, bound) for path, bound in expected if path.is_file()}
        if len(found) < len(expected) or (ALL,) in values.values():
            found = {**self._far(files, template, values), **found}
        missing = next((bound for path, bound in expected if path not in found), None)
        lost = missing or lost_value([one.entities for one in found.values()], values)
        if lost or not found:
            raise NoMatchingDataError(self._nothing(files, lost or chosen))
        return tuple(
            found[path] for path in sorted(found, key=lambda path: self._order(found[path], path, template, values))
        )

    def _far(self, files: FileSpec, template: str, values: Values) -> dict[Path, LocalFile]:
        entities = {**self.artifact.entities, **files.entities}
        held_out = held_out_test(self.artifact.remote.held_out, entities)
        return {
            self.root / local_path(file.key, entities): LocalFile(cast(Path, RemotePath(self._site, file)), bound)
            for file, bound in selected(files, template, values, self._listings)
            if not held_out(file.key)
        }

    def _order(self, file: LocalFile, path: Path, template: str, values: Values) -> list[tuple[list[int], str]]:
        """Return what sorts files as `expected_files` does: folder by folder, by chosen values and then by name."""
        names = path.relative_to(self.root).parts
        return [
            ([values[field].index(file.entities[field]) for field in fields(part) if values[field] != (ALL,)], name)
            for part, name in zip(template.split("/"), names, strict=False)
        ]

    def _nothing(self, files: FileSpec, wanted: Mapping[str, Any]) -> str:
        what = f"it needs {files.artifact}, and " if isinstance(files, Join) else ""
        values = {name: value if isinstance(value, str) else ",".join(value or ()) for name, value in wanted.items()}
        who = ", ".join(f"{name} {value}" for name, value in values.items() if value)
        where = f"{self._site.client.url} has no file of {who or 'the dataset'}"
        return f"{self.name}: {what}{where}; see what there is: laion-fmri ls"
