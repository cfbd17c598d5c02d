"""What a download will do, decided from a listing, the catalog and the state of the disk; touches neither."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import NamedTuple

from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.filters import Selection, Test, key_filter
from laion_fmri.catalog.rules import Tree
from laion_fmri.catalog.templates import fill, local_paths
from laion_fmri.storage.names import clashes, mistake


class Action(StrEnum):
    """What happens to a file."""

    DOWNLOAD = "download"
    SKIP = "skip"
    HELD_OUT = "held out"
    REFUSE = "refuse"


OUTCOMES = {
    Action.DOWNLOAD: "to download",
    Action.SKIP: "already here",
    Action.HELD_OUT: "held out",
    Action.REFUSE: "refused",
}
_MOST_SHOWN = 10
_LEAST_MARGIN, _MARGIN = 1 << 24, 100  # bytes, and the part of what is fetched, that stay free


class RemoteFile(NamedTuple):
    """A file of the remote.

    Attributes
    ----------
    key : str
        Its key.
    size : int
        Bytes.
    etag : str, optional
        Names its version, where the remote tells; quoted, as on the wire.
    sha256 : str, optional
        Hexadecimal digest of its bytes, where it is known beforehand.
    """

    key: str
    size: int
    etag: str | None = None
    sha256: str | None = None


class Local(NamedTuple):
    """A file that is here.

    Attributes
    ----------
    size : int
        Bytes.
    mtime_ns : int
        When it was last written.
    etag, sha256 : str, optional
        What its receipt says of it, where it was not touched since.
    at : float
        When that was written, in seconds of the Unix epoch.
    """

    size: int
    mtime_ns: int
    etag: str | None = None
    sha256: str | None = None
    at: float = -inf


class PlannedFile(NamedTuple):
    """A file of a plan.

    Attributes
    ----------
    key : str
        Key of the remote.
    path : str
        Where it lands, relative to the data directory, with ``/``.
    size : int
        Bytes.
    tree : str
        Tree of the catalog that it belongs to.
    action : Action
        What happens to it.
    reason : str
        Why.
    etag, sha256 : str, optional
        As of `RemoteFile`.
    here : int, optional
        Bytes of what is at its place now, if anything is.
    """

    key: str
    path: str
    size: int
    tree: str
    action: Action
    reason: str
    etag: str | None = None
    sha256: str | None = None
    here: int | None = None


Placed = tuple[Tree, RemoteFile, str]
"""A file of a tree, and its local path."""


@dataclass(frozen=True, repr=False)
class Plan:
    """Everything a download will do.

    Attributes
    ----------
    remote : str
        Address that the files come from.
    data_dir : str
        Folder that they land in.
    release : str
        Release of the dataset that the catalog describes.
    free : int
        Bytes free on the file system of `data_dir`.
    files : tuple of PlannedFile
        Every file that the request names.
    """

    remote: str
    data_dir: str
    release: str
    free: int
    files: tuple[PlannedFile, ...]

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(self.of(action))} {text}" for action, text in OUTCOMES.items())
        shown = sorted(self.of(Action.DOWNLOAD), key=lambda file: -file.size)[:_MOST_SHOWN]
        lines = [
            f"<plan from {self.remote} to {self.data_dir}>",
            f"  {counts}",
            f"  {self.bytes_to_download:,} bytes to download, {self.free:,} free",
            *(f"  {file.size:>15,}  {file.path}" for file in shown),
        ]
        rest = len(self.of(Action.DOWNLOAD)) - len(shown)
        return "\n".join([*lines, *([f"  and {rest} smaller ones; .files has all"] if rest else [])])

    def of(self, action: Action) -> tuple[PlannedFile, ...]:
        """Return the files with this action."""
        return tuple(file for file in self.files if file.action is action)

    @property
    def bytes_to_download(self) -> int:
        """Bytes that will come over the wire."""
        return sum(file.size for file in self.of(Action.DOWNLOAD))

    @property
    def fits(self) -> bool:
        """Whether the file system has room for them, and a margin."""
        needed = self.bytes_to_download
        return not needed or needed + max(_LEAST_MARGIN, needed // _MARGIN) <= self.free

    def to_dict(self) -> dict[str, object]:
        """Return the plan as plain data: totals first, then every file."""
        return {
            "remote": self.remote,
            "data_dir": self.data_dir,
            "release": self.release,
            "free_bytes": self.free,
            "bytes_to_download": self.bytes_to_download,
            "counts": {str(action): len(self.of(action)) for action in Action},
            "files": [file._asdict() for file in self.files],
        }

    def to_json(self) -> str:
        """Return the plan as JSON text."""
        return json.dumps(self.to_dict(), indent=2)


def wanted_files(
    listing: Iterable[RemoteFile],
    tree: Tree,
    entities: Mapping[str, Entity],
    selection: Selection,
    scope: Mapping[str, str],
) -> list[RemoteFile]:
    """Return the files of a listed tree that a selection asks for.

    Parameters
    ----------
    listing : iterable of RemoteFile
        All keys of the tree.
    tree : Tree
        Says which filters apply and which files no filter drops.
    entities : mapping of str to Entity
        Grammar of the filters.
    selection : mapping
        Bare values by filter; None where a filter is off.
    scope : mapping of str to str
        Values of the fields of the tree's templates, such as the subject.
    """
    applied = {name: values for name, values in selection.items() if name in tree.filters}
    keeps = key_filter(entities, applied)
    forced = {fill(rule.path, scope) for rule in tree.forced if _names_a_value(rule.when, entities, selection)}
    return [file for file in listing if not file.key.endswith("/") and (keeps(file.key) or file.key in forced)]


def _names_a_value(name: str, entities: Mapping[str, Entity], selection: Selection) -> bool:
    return any(value != entities[name].absent for value in selection.get(name) or ())


def placed(files: Iterable[tuple[Tree, RemoteFile]], entities: Mapping[str, Entity]) -> list[Placed]:
    """Return files with where each lands; the grammar of entities turns keys into local paths."""
    place = local_paths(entities)
    return [(tree, file, place(file.key)) for tree, file in files]


def planned(files: Sequence[Placed], held_out: Test, local: Mapping[str, Local]) -> tuple[PlannedFile, ...]:
    """Decide for each wanted file what happens to it.

    Parameters
    ----------
    files : sequence of (Tree, RemoteFile, str)
        The wanted files, each with its local path.
    held_out : callable
        Tells the keys that the remote gives to nobody.
    local : mapping of str to Local
        What is here, by local path.
    """
    refused = clashes([path for _, _, path in files])
    decided = []
    for tree, file, path in files:
        here = local.get(path)
        action, reason = (
            (Action.HELD_OUT, "not public") if held_out(file.key) else decide(path, file, here, refused.get(path))
        )
        size = here.size if here else None
        decided.append(PlannedFile(file.key, path, file.size, tree.name, action, reason, file.etag, file.sha256, size))
    return tuple(decided)


def decide(path: str, file: RemoteFile, local: Local | None, clash: str | None = None) -> tuple[Action, str]:
    """Decide about one file.

    Parameters
    ----------
    path : str
        Where it would land, relative to the data directory.
    file : RemoteFile
        What the remote has.
    local : Local or None
        What is here. Where its checksum is not known, the size decides.
    clash : str, optional
        Why it cannot lie beside other files.

    Examples
    --------
    >>> decide("participants.tsv", RemoteFile("participants.tsv", 10), Local(10, 0))
    (<Action.SKIP: 'skip'>, 'already here')
    >>> decide("betas.h5", RemoteFile("betas.h5", 10, etag='"2"'), Local(10, 0, etag='"1"'))
    (<Action.DOWNLOAD: 'download'>, 'changed since it was downloaded')
    >>> decide("../outside", RemoteFile("../outside", 10), None)[0]
    <Action.REFUSE: 'refuse'>
    """
    why_not = clash or mistake(path)
    if why_not:
        return Action.REFUSE, why_not
    if local is None:
        return Action.DOWNLOAD, "not here yet"
    if local.size != file.size:
        return Action.DOWNLOAD, f"here with {local.size} bytes"
    if file.sha256 and local.sha256 and file.sha256 != local.sha256:
        return Action.DOWNLOAD, "here with another content"
    if file.etag and local.etag and file.etag != local.etag:
        return Action.DOWNLOAD, "changed since it was downloaded"
    return Action.SKIP, "already here"
