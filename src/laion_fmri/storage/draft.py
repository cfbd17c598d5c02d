"""The bytes of a file on their way to its final path: counted, looked at, hashed, and published whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from laion_fmri.errors import RemoteError
from laion_fmri.storage import sniff
from laion_fmri.storage.digests import md5_of, new_digest
from laion_fmri.storage.partial import Partial
from laion_fmri.storage.plan import PlannedFile


class WrongError(RemoteError):
    """What came is not the file."""


@dataclass(frozen=True)
class Pulled:
    """A file that is at its final path.

    Attributes
    ----------
    algorithm, digest : str
        Its checksum.
    mtime_ns : int
        When it was written.
    """

    algorithm: str
    digest: str
    mtime_ns: int


class Draft:
    """What came of a file so far.

    Parameters
    ----------
    file : PlannedFile
        What it is to become.
    partial : Partial
        Where its bytes are.
    etag_is_md5 : bool
        Whether the remote names versions by the MD5 of their bytes.
    """

    def __init__(self, file: PlannedFile, partial: Partial, etag_is_md5: bool) -> None:
        self._size = file.size
        self._partial = partial
        md5 = md5_of(file.etag) if etag_is_md5 and file.sha256 is None else None
        self._wanted = md5 or file.sha256
        self._algorithm = "sha256" if file.sha256 else "md5" if md5 else "crc32"
        self._digest = new_digest(self._algorithm, partial.fd)

    def look(self, chunk: bytes, place: int) -> None:
        """Look at bytes that came for a place near the start; WrongError if they are not how such a file begins."""
        before = self._partial.head(place) if place else b""
        if why := sniff.mismatch(self._partial.target, (before + chunk)[: sniff.ENOUGH]):
            raise WrongError(f"{why}; nothing was kept of it, run the same again later")

    def take(self, chunks: Sequence[bytes], place: int) -> None:
        """Write bytes that came for a place; OSError if that cannot be."""
        data = b"".join(chunks)
        self._partial.write(data, place)
        self._digest.add(place, data)

    def finish(self, start: int, stop: int) -> None:
        """Note that a part is whole, and on the disk where a later run may need it."""
        self._partial.finish(start, stop)
        self._digest.catch_up(self._partial.done)

    def restart(self) -> None:
        """Forget everything."""
        self._partial.restart()
        self._digest.restart()

    def publish(self) -> Pulled:
        """Check what is whole, and bring it to its final path.

        Raises
        ------
        WrongError
            If its checksum is not the one that the remote gave.
        """
        found = self._digest.finish(self._size)
        if self._wanted and found != self._wanted:
            raise WrongError(
                f"its {self._algorithm.upper()} is {found}, not {self._wanted}; nothing was kept, "
                "run the same again later"
            )
        return Pulled(self._algorithm, found, self._partial.publish().st_mtime_ns)
