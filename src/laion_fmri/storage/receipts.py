"""What is known of files that were downloaded: one line of JSON for each, below ``.laion_fmri/receipts``.

A process writes a file of its own and no other, so that several may write at once on any file system. Of several lines
about one path the latest holds. Many such files are joined into one from time to time.
"""

import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from laion_fmri.storage import system
from laion_fmri.storage.disk import local_stamps
from laion_fmri.storage.plan import Local

FOLDER = Path(".laion_fmri", "receipts")
_MOST_FILES = 16
_AT_ONCE = 1000  # lines
_ABANDONED = 86_400  # seconds after which a file that is still open belongs to no living process
_OPEN, _CLOSED = ".open.jsonl", ".jsonl"

_NEEDED = {"path", "key", "size", "mtime_ns", "at"}
_to_json = json.JSONEncoder(separators=(",", ":")).encode

Record = Mapping[str, Any]


class Receipt(BaseModel):
    """What is known of a file that was downloaded.

    Attributes
    ----------
    path : str
        Where it is, relative to the data directory, with ``/``.
    key : str
        Its key.
    remote : str
        Address that it came from.
    tree : str
        Tree of the catalog that it belongs to.
    release : str
        Release of the dataset that the catalog described.
    size : int
        Bytes.
    etag : str, optional
        What the remote called its version; quoted, as on the wire.
    sha256, md5, crc32 : str, optional
        Hexadecimal digest of its bytes; one of them is there: that which the remote gave, or else the CRC-32.
    mtime_ns : int
        When the file was last written, in nanoseconds of the Unix epoch; another time says that somebody touched it.
    at : float
        When it was downloaded, found right or removed, in seconds of the Unix epoch.
    removed : bool
        Whether it was removed on purpose, so that nobody misses it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    path: str
    key: str
    remote: str
    tree: str
    release: str
    size: Annotated[int, Field(ge=0)]
    etag: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    crc32: Annotated[str, Field(pattern="^[0-9a-f]{8}$")] | None = None
    mtime_ns: int
    at: float
    removed: bool = False


def local_files(root: Path, paths: Iterable[str]) -> dict[str, Local]:
    """Return what is here of some paths below `root`, with what the receipts say.

    Parameters
    ----------
    root : Path
        The data directory.
    paths : iterable of str
        Relative to it.
    """
    found = {path: Local(size, mtime_ns) for path, (size, mtime_ns) in local_stamps(root, paths).items()}
    for record in _each(root) if found else ():
        path, at = record["path"], record["at"]
        here = found.get(path)
        if here and here.at <= at:
            said = record.get("etag"), record.get("sha256")
            holds = here.size == record["size"] and here.mtime_ns == record["mtime_ns"] and not record.get("removed")
            etag, sha256 = said if holds else (None, None)
            found[path] = Local(here.size, here.mtime_ns, etag, sha256, at)
    return found


def records(root: Path) -> dict[str, Record]:
    """Return the latest receipt of each path that was not removed, as plain data; what cannot be read is left out."""
    latest: dict[str, Record] = {}
    for record in _each(root):
        known = latest.get(record["path"])
        if known is None or known["at"] <= record["at"]:
            latest[record["path"]] = record
    return {path: record for path, record in latest.items() if not record.get("removed")}


def _each(root: Path) -> Iterator[Record]:
    """Yield all receipts, file by file; a line that cannot be read is left out, since its writer was stopped in it."""
    for file in sorted((root / FOLDER).glob(f"*{_CLOSED}")):
        with suppress(OSError), file.open("rb") as lines:
            while some := list(islice(lines, _AT_ONCE)):
                yield from (record for record in _parsed(some) if isinstance(record, dict) and record.keys() >= _NEEDED)


def _parsed(lines: Sequence[bytes]) -> Iterable[Any]:
    """Return the content of some lines: all at once where all are whole, which takes half the time."""
    with suppress(ValueError):
        found: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
        return found
    return (record for line in lines for record in _of_line(line))


def _of_line(line: bytes) -> Iterator[Any]:
    with suppress(ValueError):
        yield json.loads(line)


class Journal:
    """The receipts that this process writes.

    Parameters
    ----------
    root : Path
        The data directory.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self._fd: int | None = None
        self._path = Path()

    def add(self, receipt: Receipt) -> None:
        """Write a receipt; see `note`."""
        self.note(receipt.__dict__)

    def note(self, record: Record) -> None:
        """Write a receipt that is plain data, and is not checked.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if self._fd is None:
            system.make_folder(self._folder)
            name = f"{int(time.time())}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
            self._path = self._folder / f"{name}{_OPEN}"
            self._fd = system.create(self._path)
        known = {name: value for name, value in record.items() if value is not None and value is not False}
        system.append(self._fd, _to_json(known) + "\n")

    def close(self) -> None:
        """End the file; it is renamed, so that others may join it with more."""
        if self._fd is not None:
            try:
                system.flush(self._fd)
            finally:
                os.close(self._fd)
                self._fd = None
            system.publish(self._path, self._path.with_name(self._path.name.removesuffix(_OPEN) + _CLOSED))
            _join(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def write(root: Path, receipts: Iterable[Receipt]) -> None:
    """Write some receipts."""
    with Journal(root) as journal:
        for receipt in receipts:
            journal.add(receipt)


def forget(root: Path, paths: Iterable[str]) -> None:
    """Note that files were removed on purpose."""
    known = records(root)
    removed = {"removed": True, "at": time.time()}
    write(root, (Receipt.model_validate({**known[path], **removed}) for path in paths if path in known))


def _join(folder: Path) -> None:
    """Join many files into one, if nobody writes them any more."""
    files = [file for file in folder.glob(f"*{_CLOSED}") if not _is_written(file)]
    if len(files) <= _MOST_FILES:
        return
    latest = records(folder.parents[len(FOLDER.parts) - 1])
    target = folder / f"{int(time.time())}-{os.getpid()}-{uuid.uuid4().hex[:8]}{_CLOSED}"
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    fd = system.create(part)
    try:
        try:
            system.append(fd, "".join(f"{json.dumps(record)}\n" for record in latest.values()))
            system.flush(fd)
        finally:
            os.close(fd)
        system.publish(part, target)
        for file in files:
            system.remove(file)
    finally:
        system.remove(part)


def _is_written(file: Path) -> bool:
    if not file.name.endswith(_OPEN):
        return False
    with suppress(OSError):
        return time.time() - file.stat().st_mtime < _ABANDONED
    return True
