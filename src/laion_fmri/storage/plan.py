"""What a download will do, decided from a listing, the catalog and the state of the disk; touches neither."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.filters import Selection, Test, key_filter
from laion_fmri.catalog.rules import Tree
from laion_fmri.catalog.templates import fill, local_path


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


@dataclass(frozen=True)
class RemoteFile:
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


@dataclass(frozen=True)
class PlannedFile:
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
    """

    key: str
    path: str
    size: int
    tree: str
    action: Action
    reason: str
    etag: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, repr=False)
class Plan:
    """Everything a download will do.

    Attributes
    ----------
    remote : str
        Address that the files come from.
    data_dir : str
        Folder that they land in.
    free : int
        Bytes free on the file system of `data_dir`.
    files : tuple of PlannedFile
        Every file that the request names.
    """

    remote: str
    data_dir: str
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
        """Whether the file system has room for them."""
        return self.bytes_to_download <= self.free

    def to_dict(self) -> dict[str, object]:
        """Return the plan as plain data: totals first, then every file."""
        return {
            "remote": self.remote,
            "data_dir": self.data_dir,
            "free_bytes": self.free,
            "bytes_to_download": self.bytes_to_download,
            "counts": {str(action): len(self.of(action)) for action in Action},
            "files": [asdict(file) for file in self.files],
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


def planned(
    files: Iterable[tuple[Tree, RemoteFile]],
    held_out: Test,
    entities: Mapping[str, Entity],
    local_sizes: Mapping[str, int],
) -> tuple[PlannedFile, ...]:
    """Decide for each wanted file what happens to it.

    Parameters
    ----------
    files : iterable of (Tree, RemoteFile)
        The wanted files.
    held_out : callable
        Tells the keys that the remote gives to nobody.
    entities : mapping of str to Entity
        Grammar that turns keys into local paths.
    local_sizes : mapping of str to int
        Size of every local path that exists.
    """
    placed = [(tree, file, local_path(file.key, entities)) for tree, file in files]
    claims = Counter(path for _, _, path in placed)
    decided = []
    for tree, file, path in placed:
        if held_out(file.key):
            action, reason = Action.HELD_OUT, "not public"
        elif claims[path] > 1:
            action, reason = Action.REFUSE, "another key has the same local path"
        else:
            action, reason = decide(path, file.size, local_sizes.get(path))
        decided.append(PlannedFile(file.key, path, file.size, tree.name, action, reason, file.etag, file.sha256))
    return tuple(decided)


def decide(path: str, size: int, local_size: int | None) -> tuple[Action, str]:
    """Decide about one file from its listed size and the size it has here (None: not here).

    Examples
    --------
    >>> decide("participants.tsv", 10, 10)
    (<Action.SKIP: 'skip'>, 'already here')
    >>> decide("../outside", 10, None)[0]
    <Action.REFUSE: 'refuse'>
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or {"..", "."} & {*path.split("/")} or not path.isprintable():
        return Action.REFUSE, "its name would lead out of the data directory"
    if local_size is None:
        return Action.DOWNLOAD, "not here yet"
    if local_size == size:
        return Action.SKIP, "already here"
    return Action.DOWNLOAD, f"here with {local_size} bytes"
