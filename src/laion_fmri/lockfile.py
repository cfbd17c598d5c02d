"""Lock files: which files an analysis used, so that a paper can say so and others can get exactly those."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.models import Artifact, CatalogFile
from laion_fmri.config import data_root
from laion_fmri.errors import LockError
from laion_fmri.inventory import Item, inventory
from laion_fmri.storage.names import clashes, mistake
from laion_fmri.storage.verify import State, judge, known_digest, read_content, side_by_side, stamp_of
from laion_fmri.supply import address_of, artifact_of

DEFAULT = "laion-fmri.lock.json"
_MOST_SHOWN = 10


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class License(_Strict):
    """A licence that some of the files are under.

    Attributes
    ----------
    license : str
        SPDX identifier of the licence.
    url : str
        Text of the licence.
    """

    license: str
    url: str


class LockedFile(_Strict):
    """A file.

    Attributes
    ----------
    path : str
        Where it is, relative to the data directory, with ``/``.
    artifact : str, optional
        Artifact of the catalog that it belongs to.
    entities : dict of str to str
        Its entity values.
    tree : str
        Tree of the catalog that it belongs to.
    remote, key : str
        Where it comes from, and its key there.
    size : int
        Bytes.
    etag : str, optional
        What the remote called its version; quoted, as on the wire.
    sha256, md5 : str, optional
        Hexadecimal digest of its bytes; one of them is there.
    license : str
        SPDX identifier of its licence.
    """

    path: str
    artifact: str | None = None
    entities: dict[str, str] = Field(default={})
    tree: str
    remote: str
    key: str
    size: Annotated[int, Field(ge=0)]
    etag: str | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    md5: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None = None
    license: str

    @model_validator(mode="after")
    def _has_a_digest(self) -> LockedFile:
        if self.sha256 is None and self.md5 is None:
            raise ValueError("give sha256 or md5")
        return self

    @field_validator("path")
    @classmethod
    def _is_safe(cls, path: str) -> str:
        if why := mistake(path):
            raise ValueError(f"{path}: {why}")
        return path

    @property
    def digest(self) -> tuple[str, str]:
        """Name and digits of its checksum."""
        return ("sha256", self.sha256) if self.sha256 else ("md5", self.md5 or "")


class Lock(_Strict):
    """The files of a data directory, as an analysis used them.

    Attributes
    ----------
    lock_schema : {"1"}
        Version of this format.
    dataset : str
        Name of the dataset.
    release : str
        Release of the dataset that the catalog describes.
    catalog_sha256 : str
        SHA-256 of the catalog file.
    citation : str
        How to cite the data.
    licenses : tuple of License
        The licences of the files.
    files : tuple of LockedFile
        The files, by path.
    """

    lock_schema: Literal["1"]
    dataset: str
    release: str
    catalog_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    citation: str
    licenses: tuple[License, ...]
    files: tuple[LockedFile, ...]

    @field_validator("files")
    @classmethod
    def _lie_beside_each_other(cls, files: tuple[LockedFile, ...]) -> tuple[LockedFile, ...]:
        for path, why in clashes([file.path for file in files]).items():
            raise ValueError(f"{path}: {why}")
        return files

    def text(self) -> str:
        """Return the content of the file, the same for the same data."""
        return self.model_dump_json(indent=1, exclude_none=True) + "\n"


def lock(output: str | Path = DEFAULT) -> Lock:
    """Write down which files are in the data directory, with their versions and checksums.

    Parameters
    ----------
    output : str or Path
        The file that is written, whole or not at all.

    Returns
    -------
    Lock
        What is in it.

    Raises
    ------
    LockError
        If a file is wrong, or was written since it was downloaded: nobody else could get that one.
    DataDirNotSetError
        If no data directory is configured.
    OSError
        If the lock file cannot be written.
    """
    catalog, root = load_catalog(), data_root()
    files = _locked_files(catalog, root)
    licenses = sorted({(one.license, one.url) for one in (_owner(catalog, file).access for file in files)})
    found = Lock(
        lock_schema="1",
        dataset=catalog.dataset.name,
        release=catalog.dataset.release,
        catalog_sha256=hashlib.sha256(catalog_path().read_bytes()).hexdigest(),
        citation=catalog.dataset.citation,
        licenses=tuple(License(license=name, url=url) for name, url in licenses),
        files=files,
    )
    _write(Path(output), found.text())
    return found


def read_lock(path: str | Path) -> Lock:
    """Read a lock file.

    Raises
    ------
    LockError
        If it is none.
    OSError
        If it cannot be read.
    """
    try:
        return Lock.model_validate_json(Path(path).read_bytes())
    except ValidationError as error:
        first, *rest = error.errors()
        place = ".".join(map(str, first["loc"]))
        more = f", and {len(rest)} more mistakes" if rest else ""
        raise LockError(
            f"{path} is no lock file that this version reads: {place}: {first['msg']}{more}; one is written with: "
            "laion-fmri lock"
        ) from None


def some_of(texts: Sequence[str]) -> str:
    """Return the first of some texts on one line, and how many more there are."""
    rest = [f"and {len(texts) - _MOST_SHOWN} more"] if len(texts) > _MOST_SHOWN else []
    return "; ".join([*texts[:_MOST_SHOWN], *rest])


def _locked_files(catalog: CatalogFile, root: Path) -> tuple[LockedFile, ...]:
    found = [*side_by_side(partial(_locked, catalog, root), inventory(catalog, root))]
    mistakes = [one for one in found if isinstance(one, str)]
    if mistakes:
        raise LockError(
            f"nothing was written, because not every file is as it was downloaded: {some_of(mistakes)}. "
            "Run laion-fmri verify --full, then laion-fmri repair --full for what is wrong, and lock again"
        )
    return tuple(one for one in found if isinstance(one, LockedFile))


def _locked(catalog: CatalogFile, root: Path, item: Item, stop: Event) -> LockedFile | str | None:
    """Return a file as it is written down, or what is wrong with it; None where it is not here."""
    path, known = root / item.path, known_digest(item.receipt)
    try:
        stamp = stamp_of(path)
        state, reason = judge(item.receipt, stamp)
        if state is State.MISSING:
            return None
        if item.receipt and known and state is not State.WHOLE:
            return f"{item.path}: {reason}"
        if item.receipt and known and known[0] != "crc32":
            return _file(catalog, item, item.receipt.size, *known)
        content = read_content(path, "sha256", stop)
    except OSError as error:
        return f"{item.path}: {error.strerror or error}"
    return _file(catalog, item, content.stamp.size, "sha256", content.digest)


def _file(catalog: CatalogFile, item: Item, size: int, algorithm: str, digest: str) -> LockedFile:
    receipt = item.receipt
    return LockedFile(
        path=item.path,
        artifact=item.artifact,
        entities={**item.entities},
        tree=item.tree,
        remote=receipt.remote if receipt else address_of(catalog, item.tree),
        key=receipt.key if receipt else item.path,
        size=size,
        etag=receipt.etag if receipt else None,
        license=_owner(catalog, item).access.license,
        **{algorithm: digest},
    )


def _owner(catalog: CatalogFile, file: Item | LockedFile) -> Artifact:
    return catalog.artifact(file.artifact) if file.artifact else artifact_of(catalog, file.tree)


def _write(path: Path, text: str) -> None:
    """Write a file so that it is whole or as it was."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
