"""The local store: the values of a file at all voxels of a brain mask, laid out for reading some of them.

A store is a folder: the values with their labels in Zarr's format, and an intake catalog of it. It belongs to one file
and one mask, and says which. `optimize` in `store_writer` makes one; reading uses it where it is there and right.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from io import FileIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from laion_fmri.catalog.models import Artifact
from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.nifti import Array, read_header, require_same_grid
from laion_fmri.loaders.series import Block, NiftiSeries, Series
from laion_fmri.loaders.zarr_format import METADATA, VALUES, Tiles, arrays_of

if TYPE_CHECKING:
    from laion_fmri.loaders.voxels import Axis

CATALOG = "catalog.yaml"
_AT_ONCE = 4096  # voxels: with the trials of a band 2 MB, which stay in the cache of a core


@dataclass(frozen=True)
class Stamp:
    """By what a file is known again.

    Attributes
    ----------
    file : str
        Its name.
    bytes : int
        Its size.
    modified_ns : int
        When it was changed last.
    sha256 : str
        Of its content, hexadecimal.
    """

    file: str
    bytes: int
    modified_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Return the stamp of a file."""
        status = path.stat()
        return cls(path.name, status.st_size, status.st_mtime_ns, _sha256(path, status.st_size, status.st_mtime_ns))

    def fits(self, path: Path) -> bool:
        """Tell whether a file has this content; it is looked into only where its time alone is another."""
        status = path.stat()
        if status.st_size != self.bytes:
            return False
        return status.st_mtime_ns == self.modified_ns or Stamp.of(path).sha256 == self.sha256

    def seen(self, path: Path) -> Stamp:
        """Return the stamp of the same content at a path, without looking into it."""
        return replace(self, file=path.name, modified_ns=path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, modified: int) -> str:
    """Return the checksum of a file in a state; computed once."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Origin:
    """What the values of a store are made of.

    Attributes
    ----------
    source : Stamp
        Of the file of volumes.
    mask : Stamp
        Of the brain mask.
    """

    source: Stamp
    mask: Stamp

    def attributes(self) -> dict[str, str | int]:
        """Return it as attributes of an array: plain texts and numbers."""
        return {f"{role}_{name}": value for role, stamp in asdict(self).items() for name, value in stamp.items()}

    @classmethod
    def of_attributes(cls, attributes: Mapping[str, Any]) -> Origin:
        """Return what `attributes` gave; KeyError where some is missing."""
        names = Stamp.__dataclass_fields__
        return cls(*(Stamp(*(attributes[f"{role}_{name}"] for name in names)) for role in cls.__dataclass_fields__))


@dataclass(frozen=True)
class StoreSeries:
    """Volumes of a file, read from its store; blocks are bands of trials.

    Attributes
    ----------
    values : Path
        The file of values.
    tiles : Tiles
        How they lie in it.
    source : Path
        The file of volumes, which is read where the store is gone by then.
    """

    values: Path
    tiles: Tiles
    source: Path

    @property
    def count(self) -> int:
        """Number of volumes."""
        return self.tiles.trials

    def blocks(self, volumes: Array, axis: Axis, dtype: np.dtype[Any]) -> Iterator[Block]:
        """Yield the values band by band; see `Series.blocks`."""
        file = self._opened()
        if file is None:
            yield from NiftiSeries(read_header(self.source)).blocks(volumes, axis, dtype)
            return
        for rows, columns, values in self._bands(file, volumes, axis):
            yield rows, columns, values.astype(dtype, "C", copy=False)

    def fill(self, volumes: Array, axis: Axis, out: Array) -> None:
        """Read the values straight into an array; see `Series.fill`."""
        file = self._opened()
        if file is None:
            NiftiSeries(read_header(self.source)).fill(volumes, axis, out)
            return
        for rows, columns, values in self._bands(file, volumes, axis):
            out[rows, columns] = values

    def _bands(self, file: FileIO, volumes: Array, axis: Axis) -> Iterator[Block]:
        """Yield the values as they are stored, with the trials of a voxel together."""
        with file:
            bands, places = np.divmod(volumes, self.tiles.height)
            pieces = [_Piece(axis.columns, start) for start in range(0, len(axis), _AT_ONCE)]
            for band in np.unique(bands).tolist():
                rows = slice(*np.searchsorted(bands, [band, band + 1]).tolist())
                within = _as_slice(places[rows])
                for piece in pieces:
                    yield rows, piece.place, self._read(file, band, piece).T[within]

    def _opened(self) -> FileIO | None:
        """Return the file of values; None where it was removed, or replaced by another, since it was looked at."""
        try:
            file = FileIO(self.values)
        except FileNotFoundError:
            return None
        if os.fstat(file.fileno()).st_size == self.tiles.size:
            return file
        file.close()
        return None

    def _read(self, file: FileIO, band: int, piece: _Piece) -> Array:
        """Return all trials of a band at some voxels, shape (voxel, trial); each run of voxels is read at once."""
        _, width, height = self.tiles.shape
        found = np.empty((piece.place.stop - piece.place.start, height), self.tiles.stored)
        for column, run in piece.runs:
            file.seek((band * width + column) * height * found.itemsize)
            if file.readinto(found[run].data) != found[run].nbytes:
                raise DataFormatError(f"{self.values} was changed while it was read; run the same again")
        return found


class _Piece:
    """Some voxels of an axis, read together.

    Parameters
    ----------
    columns : array of int
        Where all voxels of the axis are in a store, ascending.
    start : int
        The first of the piece.

    Attributes
    ----------
    place : slice
        Which voxels of the axis.
    runs : list of (int, slice)
        Where neighbours begin in the store, and which voxels of the piece they are.
    """

    def __init__(self, columns: Array, start: int) -> None:
        mine = columns[start : start + _AT_ONCE]
        self.place = slice(start, start + len(mine))
        firsts = [0, *(np.flatnonzero(np.diff(mine) != 1) + 1).tolist(), len(mine)]
        self.runs = [(int(mine[first]), slice(first, stop)) for first, stop in pairwise(firsts)]


def _as_slice(places: Array) -> slice | Array:
    """Return ascending places as a slice where none is left out; what it takes is a view then."""
    start, stop = int(places[0]), int(places[-1]) + 1
    return slice(start, stop) if stop - start == len(places) else places


def series_of(request: Request, file: LocalFile, axis: Axis) -> Series:
    """Return what the volumes of a file are read from: its store where there is a right one, else the file itself.

    Parameters
    ----------
    request : Request
        Says where stores are.
    file : LocalFile
        The file.
    axis : Axis
        Of the voxels that are read.

    Warns
    -----
    UserWarning
        If there is a store that cannot be used, with the reason and the command that writes it anew.

    Raises
    ------
    DataFormatError
        If the file is read itself, and is no NIfTI file or lies on another grid than the mask.
    """
    store = store_of(request, file)
    if store is not None and store.is_dir():
        series = open_store(store, request, file, axis)
        if not isinstance(series, str):
            return series
        message = f"the store {store} is not used: {series}; run: {_command(request, file)}"
        warnings.warn(message, UserWarning, stacklevel=2)
    header = read_header(file.path)
    require_same_grid(header, axis.header)
    return NiftiSeries(header)


def store_of(request: Request, file: LocalFile) -> Path | None:
    """Return where the store of a file is, or would be; None where a request does not say where stores are."""
    if request.stores is None:
        return None
    return request.stores / store_name(request.artifact, file.entities, request.options["mask_source"])


def store_name(artifact: Artifact, entities: Mapping[str, str], mask_source: str) -> str:
    """Return the name of a store, such as ``sub-03_ses-01_mask-anatomical``."""
    words = [f"{artifact.entities[name].key_of(name)}-{value}" for name, value in entities.items()]
    return "_".join([*words, f"mask-{mask_source}"])


def group_of(store: Path) -> Path:
    """Return the Zarr group of a store, which is called like the artifact."""
    return store / f"{store.parent.name}.zarr"


def values_of(store: Path) -> Path:
    """Return the file of values of a store."""
    return group_of(store) / store.parent.name / VALUES


def open_store(store: Path, request: Request, file: LocalFile, axis: Axis) -> StoreSeries | str:
    """Return the values of a store; or why they are not those of a file at the voxels of a mask."""
    try:
        metadata = json.loads((group_of(store) / METADATA).read_text(encoding="utf-8"))
        origin, array = Origin.of_attributes(metadata["attributes"]), arrays_of(metadata)[store.parent.name]
        trials, voxels = array["shape"]
        tiles = Tiles(trials, voxels, np.dtype(request.artifact.layout.dtype))
        if array != tiles.metadata(tuple(array["dimension_names"]), array["attributes"]):
            return "it has another layout than those that this version writes"
        size = values_of(store).stat().st_size
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        return f"it is damaged ({type(error).__name__}: {error})"
    if size != tiles.size:
        return f"it is damaged (its values take {size} bytes instead of {tiles.size})"
    for path, stamp in ((file.path, origin.source), (axis.header.path, origin.mask)):
        if not stamp.fits(path):
            return f"{path} has changed since the store was written"
    return StoreSeries(values_of(store), tiles, file.path)


def _command(request: Request, file: LocalFile) -> str:
    flags = [f"--{name.replace('_', '-')} {value}" for name, value in file.entities.items()]
    source = request.options["mask_source"]
    if source != request.artifact.options["mask_source"].default:
        flags.append(f"--mask-source {source}")
    return " ".join(["laion-fmri optimize", *flags])
