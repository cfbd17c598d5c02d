"""Files that stay where they are: read over the wire from front to back, and kept nowhere.

A `RemotePath` takes the place of the path of a file that is not here. Each byte comes once; where a connection breaks,
the rest is asked for, of the same version.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

from laion_fmri.catalog.remotes import HttpsRemote, S3Remote
from laion_fmri.errors import ChangedError, PassingError, RemoteError
from laion_fmri.storage import retry, system
from laion_fmri.storage.gauge import Gauge
from laion_fmri.storage.origin import Body, Stream
from laion_fmri.storage.plan import RemoteFile
from laion_fmri.storage.remote import Client, client

HEAD = 1 << 16
"""The first bytes of a file, which stay in memory once they came: who looks at its header reads the rest later."""

Pieces = Generator[bytes | memoryview, None, None]

_AGAIN = "run the same again"
_BUFFER = 1 << 18


class Site:
    """A remote and the client that asks it; without its connections it travels to other processes.

    Parameters
    ----------
    remote : S3Remote or HttpsRemote
        Of the catalog.
    """

    def __init__(self, remote: S3Remote | HttpsRemote) -> None:
        self._remote = remote

    @cached_property
    def client(self) -> Client:
        """What is asked."""
        return client(self._remote)

    def __reduce__(self) -> tuple[type[Site], tuple[S3Remote | HttpsRemote]]:
        return Site, (self._remote,)


class _Status(NamedTuple):
    """What is known of a file without reading it; its version is told by its ETag, and not by a time."""

    st_size: int
    st_mtime_ns: int = 0


@dataclass(frozen=True, eq=False)
class RemotePath:
    """A file of a remote, with what readers use of a path.

    Attributes
    ----------
    site : Site
        Where it is.
    file : RemoteFile
        Which it is; with an ETag, no other version is read.
    """

    site: Site
    file: RemoteFile

    def __str__(self) -> str:
        return f"{self.site.client.url}/{self.file.key}"

    @property
    def name(self) -> str:
        """Name of the file, without its folder."""
        return PurePosixPath(self.file.key).name

    @property
    def suffix(self) -> str:
        """Last ending of the name, with its dot."""
        return PurePosixPath(self.file.key).suffix

    def stat(self) -> _Status:
        """Return its size."""
        return _Status(self.file.size)

    @cached_property
    def start(self) -> bytes:
        """Its first bytes."""
        return b"".join(each_piece(self.site.client, self.file, 0, min(HEAD, self.file.size)))

    def open(
        self, mode: str = "r", buffering: int = -1, encoding: str | None = None, newline: str | None = None
    ) -> IO[Any]:
        """Open it for reading, as `pathlib.Path.open` does."""
        raw = Reader(self)
        if not buffering:
            return raw  # type: ignore[return-value]  # a raw file is one in all that is asked of it
        file = io.BufferedReader(raw, _BUFFER)
        return file if "b" in mode else io.TextIOWrapper(file, encoding, newline=newline)

    def __getstate__(self) -> dict[str, Any]:
        return {"site": self.site, "file": self.file}


class Reader(io.RawIOBase):
    """An open `RemotePath`. What lies ahead is read on to; going back asks for the file anew.

    Parameters
    ----------
    path : RemotePath
        The file.
    """

    def __init__(self, path: RemotePath) -> None:
        self._path = path
        self._begin(0)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that any place of it can be gone to."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, and return how many bytes there were; less than it holds only at the end of the file."""
        out, done = memoryview(buffer).cast("B"), 0
        while done < len(out) and (piece := self._take(len(out) - done)):
            out[done : done + len(piece)] = piece
            done += len(piece)
        return done

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, counted from the start, from here or from the end."""
        place = offset + (0, self._place, self._path.file.size)[whence]
        if place < self._place:
            self._stop()
            self._begin(place)
        while self._place < place and self._take(place - self._place):
            pass
        return self._place

    def close(self) -> None:
        """Let the connection go."""
        self._stop()
        super().close()

    def _begin(self, place: int) -> None:
        self._place = place
        self._rest = memoryview(b"")
        self._pieces = _from(self._path, place)

    def _stop(self) -> None:
        self._pieces.close()

    def _take(self, most: int) -> memoryview:
        """Return the next bytes, at most so many; none at the end. They are good until the next call."""
        self._rest = self._rest or memoryview(next(self._pieces, b""))
        piece, self._rest = self._rest[:most], self._rest[most:]
        self._place += len(piece)
        return piece


def _from(path: RemotePath, place: int) -> Pieces:
    """Yield the bytes of a file from a place on: those kept in memory, then those that come."""
    if place < len(path.start):
        yield memoryview(path.start)[place:]
    start = max(place, len(path.start))
    with closing(each_piece(path.site.client, path.file, start, path.file.size)) as pieces:
        yield from pieces


def each_piece(origin: Stream, file: RemoteFile, start: int, stop: int) -> Pieces:
    """Yield some bytes of a file as they come, each piece good until the next; closed early, it hangs up.

    Parameters
    ----------
    origin : Stream
        Gives the bytes.
    file : RemoteFile
        The file.
    start, stop : int
        The first byte, and the one after the last.

    Raises
    ------
    ChangedError
        If the remote has another version of the file by now.
    RemoteError
        If the rest cannot be had, however often it is asked for.
    """
    place = best = start
    failures = 0
    while place < stop:
        try:
            with origin.open(file.key, place, stop, file.etag) as body:
                for piece in _of_body(body, file, place, stop):
                    place += len(piece)
                    yield piece
            if place < stop:
                raise PassingError(f"{file.key}: got {place - start:,} of {stop - start:,} bytes; {_AGAIN}")
        except RemoteError as error:
            failures += 1
            if place >= best + retry.PATIENCE.progress:
                failures, best = 1, place
            seconds = retry.next_try(error, failures, retry.PATIENCE, system.chance())
            if seconds is None:
                raise
            system.wait(seconds)


def _of_body(body: Body, file: RemoteFile, place: int, stop: int) -> Iterator[bytes | memoryview]:
    """Yield the bytes of an answer from a place on; of one that begins before it, what is before is dropped."""
    if body.part.total not in (None, file.size):
        raise ChangedError(f"{file.key}: it has {body.part.total:,} bytes now, not {file.size:,}; {_AGAIN}")
    at = body.part.start
    if at not in (0, place):
        raise RemoteError(f"{file.key}: got bytes from {at} on where those from {place} on were asked for")
    gauge = Gauge(file.key)
    for piece in body.chunks:
        rest = memoryview(piece)[max(0, place - at) : max(0, stop - at)]
        at += len(piece)
        if rest:
            yield rest
        if at >= stop:
            return
        gauge.add(len(piece))
