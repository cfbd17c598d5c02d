"""A page of the listing of a bucket, as of ListObjectsV2.

Nearly all of it are files told as S3 tells them. A pattern takes these out and an XML parser reads what is left, for it
alone takes three times as long; a page that tells a file in any other way it reads whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element, fromstring

from laion_fmri.storage.plan import RemoteFile

_USUAL = re.compile(
    rb"<Contents><Key>([!-%'-;=-~]+)</Key><LastModified>[\w:.-]*</LastModified>"
    rb"<ETag>(?:\"|&quot;)([\w-]+)(?:\"|&quot;)</ETag>"
    rb"(?:<ChecksumAlgorithm>\w*</ChecksumAlgorithm>)*(?:<ChecksumType>\w*</ChecksumType>)?"
    rb"<Size>([0-9]+)</Size>(?:<StorageClass>\w*</StorageClass>)?</Contents>"
)
_ASIDE = b"<!"  # begins a comment, and text in which marks are none

Read = Callable[[str], str]


class Page(NamedTuple):
    """A page of a listing.

    Attributes
    ----------
    files : list of RemoteFile
        The files that it tells.
    folders : list of str
        What the keys of others begin with, each up to a slash.
    goes_on : bool
        Whether there is a next page.
    token : str or None
        What that is asked for with.
    """

    files: list[RemoteFile]
    folders: list[str]
    goes_on: bool
    token: str | None


def read_page(body: bytes) -> Page:
    """Read a page.

    Raises
    ------
    ParseError, ValueError, TypeError
        If it is none.
    """
    parts = [body] if _ASIDE in body else _USUAL.split(body)
    root = fromstring(b"".join(parts[::4]))
    space = root.tag.rpartition("}")[0] + "}" if "}" in root.tag else ""
    if root.tag != f"{space}ListBucketResult":
        raise ValueError(f"it begins with {root.tag.removeprefix(space)}")
    if len(parts) > 1 and root.find(f"{space}Contents") is not None:
        parts, root = [], fromstring(body)
    read = _decoded if root.findtext(f"{space}EncodingType") == "url" else str
    return Page(
        [*_usual(parts, read), *_others(root, space, read)],
        [read(item.findtext(f"{space}Prefix", "")) for item in root.iterfind(f"{space}CommonPrefixes")],
        root.findtext(f"{space}IsTruncated") == "true",
        root.findtext(f"{space}NextContinuationToken"),
    )


def _usual(parts: Sequence[bytes], read: Read) -> Iterator[RemoteFile]:
    for key, etag, size in zip(parts[1::4], parts[2::4], parts[3::4], strict=True):
        yield RemoteFile(read(key.decode()), int(size), f'"{etag.decode()}"')


def _others(root: Element, space: str, read: Read) -> Iterator[RemoteFile]:
    key, size, etag = (space + name for name in ("Key", "Size", "ETag"))
    for item in root.iterfind(f"{space}Contents"):
        yield RemoteFile(read(item.findtext(key, "")), int(item.findtext(size, "")), item.findtext(etag))


def _decoded(text: str) -> str:
    return unquote_plus(text) if "%" in text or "+" in text else text
