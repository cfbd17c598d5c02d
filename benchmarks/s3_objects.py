"""The objects of s3_server.py, with the ETags that S3 gives, and their listing."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape

PART = 8 << 20  # larger objects are uploaded in parts of this size, as the common clients do
MODIFIED = "2025-01-01T00:00:00.000Z"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Blob(NamedTuple):
    """The bytes of one object or of many."""

    path: str
    size: int
    etag: str


def etag_of(path: str, size: int) -> str:
    """Return the ETag that S3 would give to the first `size` bytes of a file."""
    parts = []
    with Path(path).open("rb") as file:
        for start in range(0, size or 1, PART):
            parts.append(hashlib.md5(file.read(min(PART, size - start))))
    if len(parts) == 1:
        return f'"{parts[0].hexdigest()}"'
    return f'"{hashlib.md5(b"".join(part.digest() for part in parts)).hexdigest()}-{len(parts)}"'


def folder_objects(folder: Path) -> dict[str, Blob]:
    """Return the objects that the files below a folder are."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    sizes = {path: path.stat().st_size for path in files}
    return {
        path.relative_to(folder).as_posix(): Blob(str(path), size, etag_of(str(path), size))
        for path, size in sizes.items()
    }


def listed_objects(keys: Path, backing: Path) -> dict[str, Blob]:
    """Return the objects that a file of sizes and keys names, all with the bytes of a backing file."""
    blob = lru_cache(lambda size: Blob(str(backing), size, etag_of(str(backing), size)))
    rows = (line.partition("\t") for line in keys.read_text().splitlines())
    return {key: blob(int(size)) for size, _, key in rows}


# --- listings


class Listing:
    """All objects in order, as ready-made pieces of XML."""

    def __init__(self, objects: dict[str, Blob]) -> None:
        self.keys = sorted(objects)
        self._plain = [_cell(escape(key), objects[key]) for key in self.keys]
        self._quoted = [_cell(quote(key), objects[key]) for key in self.keys]
        self.page = lru_cache(maxsize=None)(self._page)

    def _page(self, prefix: str, delimiter: str, after: str, most: int, encoding: str) -> bytes:
        """Return one page of the keys that begin with `prefix` and come after `after`."""
        shown = quote if encoding else escape
        cells = self._quoted if encoding else self._plain
        body, prefixes, last = [], [], ""
        entries = self._entries(prefix, delimiter, after)
        for _, (name, at) in zip(range(most), entries, strict=False):
            last = name
            if at is None:
                prefixes.append(f"<CommonPrefixes><Prefix>{shown(name)}</Prefix></CommonPrefixes>")
            else:
                body.append(cells[at])
        more = next(entries, None) is not None
        told = {
            "Prefix": shown(prefix),
            "Delimiter": shown(delimiter),
            "MaxKeys": most,
            "KeyCount": len(body) + len(prefixes),
            "EncodingType": encoding,
            "IsTruncated": str(more).lower(),
            "NextContinuationToken": last.encode().hex() if more else "",
        }
        head = "".join(f"<{name}>{value}</{name}>" for name, value in told.items() if value != "")
        start = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}">{head}'
        return b"".join([start.encode(), *body, "".join(prefixes).encode(), b"</ListBucketResult>"])

    def _entries(self, prefix: str, delimiter: str, after: str) -> Iterator[tuple[str, int | None]]:
        """Yield name and place of each key; for what the delimiter rolls up the common prefix, and no place."""
        at = bisect_left(self.keys, max(prefix, f"{after}\0" if after else ""))
        if after and delimiter and after.endswith(delimiter):
            at = bisect_left(self.keys, _behind(after))
        while at < len(self.keys) and self.keys[at].startswith(prefix):
            key = self.keys[at]
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            if end < 0:
                yield key, at
                at += 1
            else:
                folder = key[: end + len(delimiter)]
                yield folder, None
                at = bisect_left(self.keys, _behind(folder), at)


def _behind(prefix: str) -> str:
    return f"{prefix}\U0010ffff"


def _cell(key: str, blob: Blob) -> bytes:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{MODIFIED}</LastModified><ETag>{escape(blob.etag)}</ETag>"
        f"<Size>{blob.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    ).encode()
