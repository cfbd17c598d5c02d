"""Where the bytes of a file come from: what a transfer asks of every remote, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Body:
    """The answer of an origin: the bytes of a file, from a place on.

    Attributes
    ----------
    chunks : iterator of bytes or memoryview
        The bytes, in order; each piece is good until the next one is asked for.
    start : int
        Place of the first of them in the file. 0 where the origin gives the whole file instead of a part.
    stop : int, optional
        Place after the last of them, where the origin tells.
    total : int, optional
        Bytes of the whole file, where the origin tells.
    etag : str, optional
        Names the version of the file, where the origin tells; quoted, as on the wire.
    """

    chunks: Iterator[bytes | memoryview]
    start: int = 0
    stop: int | None = None
    total: int | None = None
    etag: str | None = None


class Origin(Protocol):
    """Something that gives the bytes of files, to several threads at once.

    Attributes
    ----------
    etag_is_md5 : bool
        Whether an ETag of 32 hexadecimal digits is the MD5 of the file.
    """

    etag_is_md5: bool

    def open(
        self, key: str, start: int = 0, stop: int | None = None, etag: str | None = None
    ) -> AbstractContextManager[Body]:
        """Ask for the bytes of a file and give the answer; the connection is let go at the end of the block.

        The origin tries once and follows no address of its own making: trying again is for the transfer.

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
        ExpiredError
            If the address that was used is no longer valid; the next call uses a new one.
        PassingError
            If trying again may help. The iterator raises it too, where the connection breaks or ends early.
        RemoteError
            For everything else, which trying again does not mend.
        """
        ...

    def stop(self) -> None:
        """Break what is under way, for other threads too; nothing can be opened any more."""
        ...
