"""Making the local store of a file: in one pass, under a private name that becomes the store's when all is written."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xarray as xr
import yaml

from laion_fmri.errors import DataFormatError, NoSpaceError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.series import Series
from laion_fmri.loaders.store import (
    CATALOG,
    Origin,
    Stamp,
    StoreSeries,
    group_of,
    open_store,
    series_of,
    store_of,
    values_of,
)
from laion_fmri.loaders.voxels import Axis
from laion_fmri.loaders.zarr_format import METADATA, VECTOR, Tiles, group, vector
from laion_fmri.storage.disk import free_bytes, is_part, part_of

_AT_ONCE = 4096  # voxels of a band that are turned at once, from trial by trial to voxel by voxel
_DASK_VOXELS = 16384  # of a chunk, for those who open the store through its catalog: 68 MB of 1,044 trials

_DATASET = ("dataset", "release", "license", "citation")


def keep(request: Request, file: LocalFile, axis: Axis, labels: xr.DataArray) -> None:
    """Write the store of a file, unless a right one is there.

    The file is decoded once. Of its volumes a band is held in memory, at most 128.

    Parameters
    ----------
    request : Request
        Says where stores are.
    file : LocalFile
        The file.
    axis : Axis
        All voxels of the brain mask.
    labels : DataArray, shape (trial, voxel)
        The coordinates, the attributes and the type of the values; its own values do not matter.

    Raises
    ------
    DataFormatError
        If the file is damaged, or changes while it is read.
    NoSpaceError
        If the disk is too full for the store.
    """
    store = store_of(request, file)
    if store is None:
        return
    store.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(store) as alone:
        if alone:
            _sweep(store)
        if isinstance(open_store(store, request, file, axis), StoreSeries):
            _renew(store, file, axis)
        else:
            _make(store, series_of(replace(request, stores=None), file, axis), file, axis, labels)


def remove(store: Path) -> None:
    """Remove a store, and what interrupted conversions left of it; nobody ever finds half of it."""
    with _one_at_a_time(store):
        _discard(store)
        _sweep(store)


def _make(store: Path, series: Series, file: LocalFile, axis: Axis, labels: xr.DataArray) -> None:
    tiles = Tiles(series.count, len(axis), labels.dtype)
    origin = Origin(Stamp.of(file.path), Stamp.of(axis.header.path))
    part = part_of(store)
    try:
        _require_space(store, tiles.size)
        write_values(values_of(part), tiles, series, axis)
        _write_labels(group_of(part), tiles, labels, origin)
        _write_catalog(part, store, labels)
        if Stamp.of(file.path) != origin.source:
            raise DataFormatError(f"{file.path} was changed while it was read; run the same again")
        _discard(store)
        part.rename(store)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise NoSpaceError(f"{store} cannot be written: {error.strerror}; make room, and run the same again") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _require_space(store: Path, size: int) -> None:
    free = free_bytes(store.parent)
    if size > free:
        raise NoSpaceError(
            f"{store} cannot be written: it takes {size:,} bytes and {free:,} are free; make room, "
            "or choose fewer sessions"
        )


def _write_labels(folder: Path, tiles: Tiles, labels: xr.DataArray, origin: Origin) -> None:
    """Write all of a group but the values: what Zarr has to know of them, and their coordinates."""
    name = folder.stem
    coords = {str(coord): vector(of.values, str(of.dims[0])) for coord, of in labels.coords.items() if _plain(coord)}
    attributes = {**labels.attrs, "coordinates": " ".join(coords)}
    arrays = {name: tiles.metadata(tuple(map(str, labels.dims)), attributes)}
    for coord, (metadata, data) in coords.items():
        (folder / coord).mkdir()
        (folder / coord / VECTOR).write_bytes(data)
        arrays[coord] = metadata
    for array, metadata in arrays.items():
        _write_json(folder / array / METADATA, metadata)
    dataset = {key: labels.attrs[key] for key in _DATASET if key in labels.attrs}
    _write_json(folder / METADATA, group(arrays, {"artifact": name, **dataset, **origin.attributes()}))


def _plain(name: object) -> bool:
    """Tell whether a column of a table can be the name of a folder, and one word among the coordinates."""
    return str(name).isidentifier()


def write_values(path: Path, tiles: Tiles, series: Series, axis: Axis) -> None:
    """Write the volumes band by band, and within a band voxel by voxel."""
    _, width, height = tiles.shape
    band = np.zeros((height, width), tiles.stored)
    path.parent.mkdir(parents=True)
    with path.open("wb") as out:
        for volume, (_, _, values) in enumerate(series.blocks(np.arange(tiles.trials), axis, tiles.dtype)):
            row = volume % height
            band[row, : tiles.voxels] = values[0]
            if row == height - 1 or volume == tiles.trials - 1:
                band[row + 1 :] = 0
                for start in range(0, width, _AT_ONCE):
                    out.write(np.ascontiguousarray(band[:, start : start + _AT_ONCE].T).data)
        out.write(tiles.index)
        out.flush()
        os.fsync(out.fileno())


def _write_catalog(folder: Path, store: Path, labels: xr.DataArray) -> None:
    """Write an intake catalog of a store, for intake-xarray."""
    name = store.parent.name
    trial, voxel = map(str, labels.dims)
    args = {"urlpath": f"{{{{ CATALOG_DIR }}}}/{group_of(store).name}", "chunks": {trial: -1, voxel: _DASK_VOXELS}}
    source = {"driver": "zarr", "description": f"{name} of {store.name}, from its local store.", "args": args}
    text = yaml.safe_dump({"metadata": {"version": 1}, "sources": {name: source}}, sort_keys=False)
    (folder / CATALOG).write_text(text, encoding="utf-8")


def _renew(store: Path, file: LocalFile, axis: Axis) -> None:
    """Take down the times of the same files, so that readers need not look into them."""
    path = group_of(store) / METADATA
    metadata = json.loads(path.read_text(encoding="utf-8"))
    origin = Origin.of_attributes(metadata["attributes"])
    now = Origin(origin.source.seen(file.path), origin.mask.seen(axis.header.path))
    if now != origin:
        part = part_of(path)
        _write_json(part, {**metadata, "attributes": {**metadata["attributes"], **now.attributes()}})
        part.replace(path)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _discard(store: Path) -> None:
    """Remove a store that is there: at once for those who look for it, then its files."""
    if store.exists():
        part = part_of(store)
        store.rename(part)
        shutil.rmtree(part, ignore_errors=True)


def _sweep(store: Path) -> None:
    """Remove what interrupted conversions of a file left."""
    for path in store.parent.glob(f".{store.name}.*"):
        if is_part(path):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _one_at_a_time(store: Path) -> Iterator[bool]:
    """Wait until no other process writes or removes this store; False where the file system knows no locks."""
    path = store.with_name(f".{store.name}.lock")
    file = _locked(path)
    try:
        yield file is not None
    finally:
        path.unlink(missing_ok=True)
        if file is not None:
            file.close()


def _locked(path: Path) -> BinaryIO | None:
    """Return the file at a path, open and locked; None where there are no locks."""
    try:
        from fcntl import LOCK_EX, flock
    except ImportError:
        return None
    while True:
        file = path.open("ab")
        try:
            flock(file, LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            pass  # whoever had it has removed it
        except OSError:
            file.close()
            return None
        file.close()
