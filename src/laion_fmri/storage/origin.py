"""Where the bytes of a file come from: what a transfer asks of every remote, whatever its kind."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from laion_fmri.errors import RemoteError
from laion_fmri.storage.hosts import allowed


class Part(NamedTuple):
    """Which bytes of a file an answer gives.

    Attributes
    ----------
    start : int
        Place of the first of them in the file; 0 where the whole file comes instead of a part.
    stop : int, optional
        Place after the last of them, where the answer tells.
    total : int, optional
        Bytes of the whole file, where the answer tells.
    etag : str, optional
        Names the version of the file, where the answer tells; quoted, as on the wire.
    """

    start: int
    stop: int | None
    total: int | None
    etag: str | None


@dataclass(frozen=True)
class Body:
    """The answer to a request for bytes of a file.

    Attributes
    ----------
    chunks : iterator of bytes
        The bytes, in order.
    part : Part
        Which they are.
    """

    chunks: Iterator[bytes]
    part: Part


class Stream(Protocol):
    """Something whose files can be read as they come, by several threads at once."""

    def open(
        self, key: str, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AbstractContextManager[Body]:
        """Ask for the bytes of a file and give the answer; the connection is let go at the end of the block.

        It tries once: trying again is for the caller.

        Parameters
        ----------
        key : str
            Key of the file.
        start, stop : int
            First byte, and the one after the last; all up to the end where `stop` is left out.
        etag : str, optional
            The version that is wanted; any other is a `ChangedError`.

        Raises
        ------
        DeniedError
            If the file may not be had.
        GoneError
            If there is no such file.
        ChangedError
            If it has another version than the one that is wanted.
        PassingError
            If trying again may help. The iterator raises it too, where the connection breaks or ends early.
        RemoteError
            For everything else, which trying again does not mend.
        """
        ...


class Place(NamedTuple):
    """Where a file can be asked for.

    Attributes
    ----------
    url : str
        The address, which may hold a secret.
    address : str
        What errors call it.
    """

    url: str
    address: str


class Origin(Protocol):
    """Where a transfer gets its files.

    Attributes
    ----------
    etag_is_md5 : bool
        Whether an ETag of 32 hexadecimal digits is the MD5 of the file.
    """

    etag_is_md5: bool

    def place(self, key: str) -> Place:
        """Return where a file can be asked for now.

        Raises
        ------
        OfflineError
            If the network may not be used.
        PassingError
            If that cannot be said at the moment.
        RemoteError
            If it cannot be said at all.
        """
        ...

    def follow(self, url: str, address: str) -> str:
        """Return an address that an answer leads to; RemoteError where it may not be asked."""
        ...

    def works(self, place: Place) -> None:
        """Note that an address gives its file."""
        ...

    def meaning(self, place: Place, error: RemoteError) -> RemoteError:
        """Return what it means that a request ended with an error."""
        ...


class SteadyOrigin:
    """What is common to origins whose addresses stay good; see `Origin`."""

    @property
    def hosts(self) -> Collection[str]:
        """Hosts that may be asked."""
        raise NotImplementedError

    def follow(self, url: str, address: str) -> str:
        """Return an address that an answer leads to, if its host may be asked."""
        return allowed(url, address, self.hosts)

    def works(self, place: Place) -> None:
        """Do nothing: addresses always work."""

    def meaning(self, place: Place, error: RemoteError) -> RemoteError:
        """Return an error as it is."""
        return error
