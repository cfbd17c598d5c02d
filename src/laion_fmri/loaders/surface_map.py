"""Loader ``surface_map``: GIfTI files with one value for each vertex of a hemisphere. No options, no joins.

The entry has an entity ``hemi``. Whose surface it is say the entities in the prefix of its tree.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError

import numpy as np
import xarray as xr
from nibabel.filebasedimages import ImageFileError
from nibabel.gifti import GiftiImage
from numpy.typing import NDArray

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.templates import fields
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.attributes import without_grid
from laion_fmri.loaders.labels import varying

HEMI = "hemi"

Array = NDArray[Any]

_UNREADABLE = (ImageFileError, ExpatError, OSError, EOFError, zlib.error, ValueError, LookupError, AttributeError)


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> xr.DataArray:
    """Read the first data array of surface files.

    Parameters
    ----------
    request : Request
        One or more files of one subject.

    Returns
    -------
    DataArray, shape (vertex,) or (entity, vertex)
        The leading dimension is the first of the layout (ROIs: ``label``, localizers: ``contrast``), with the other
        entities as coordinates on it; or else the entity in which the files differ, and entities that all files share
        are scalar coordinates.
        Several hemispheres: their vertices one after the other, in the order of the selection, NaN or False where a
        hemisphere has no such map. Vertices have the coordinates ``hemi`` and ``vertex_index`` (counted from 0 in each
        hemisphere). As bool, a value is True where it is neither 0 nor NaN.

    Raises
    ------
    DataFormatError
        If a file is damaged, or files of one hemisphere have different numbers of vertices.
    SelectionError
        If the files are of several subjects, or differ in several entities.
    """
    return _labelled(request, np.block, _values)


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, each file read when it is computed."""
    import dask
    import dask.array as da

    def lazy(block: _Block, dtype: np.dtype[Any]) -> Any:
        return da.from_delayed(dask.delayed(_values)(block, dtype), (1, block.vertices), dtype)

    return _labelled(request, da.block, lazy)


@dataclass(frozen=True)
class _Block:
    """A map of one hemisphere; its file, or None where there is none."""

    path: Path | None
    vertices: int


def _labelled(
    request: Request,
    assemble: Callable[[list[list[Any]]], Any],
    fetch: Callable[[_Block, np.dtype[Any]], Any],
) -> xr.DataArray:
    files, layout = request.files, request.artifact.layout
    *named, vertex = layout.dims
    owner = fields(request.artifact.tree.prefix or "")
    _require_one_owner(files, owner)
    sizes = _sizes(files)
    names = [name for name in files[0].entities if name not in (HEMI, *owner)]
    keys = [tuple(file.entities[name] for name in names) for file in files]
    leading = named[0] if named else varying(files, names)
    paths = {(key, file.entities[HEMI]): file.path for key, file in zip(keys, files, strict=True)}
    rows, dtype = list(dict.fromkeys(keys)), np.dtype(layout.dtype)
    blocks = [[_Block(paths.get((row, hemi)), size) for hemi, size in sizes.items()] for row in rows]
    data = assemble([[fetch(block, dtype) for block in row] for row in blocks])

    coords: dict[str, Any] = {name: files[0].entities[name] for name in owner if name in files[0].entities}
    coords[HEMI] = (vertex, np.repeat(list(sizes), list(sizes.values())))
    coords[f"{vertex}_index"] = (vertex, np.concatenate([np.arange(size) for size in sizes.values()]))
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        coords[name] = (leading, np.array(values)) if named or name == leading else values[0]
    if leading:
        return without_grid(request, data, (leading, vertex), coords)
    return without_grid(request, data[0], (vertex,), coords)


def _require_one_owner(files: Sequence[LocalFile], owner: Sequence[str]) -> None:
    for name in owner:
        values = list(dict.fromkeys(file.entities[name] for file in files if name in file.entities))
        if len(values) > 1:
            raise SelectionError(
                f"the surfaces of {name} {', '.join(values)} have vertices of their own; read them one at a time"
            )


def _sizes(files: Sequence[LocalFile]) -> dict[str, int]:
    """Return the number of vertices of each hemisphere, in the order of the files."""
    first: dict[str, tuple[Path, int]] = {}
    for file in files:
        count = _vertices(file.path)
        path, size = first.setdefault(file.entities[HEMI], (file.path, count))
        if count != size:
            raise DataFormatError(
                f"two files of one hemisphere differ: {path} has {size} vertices, {file.path} has {count}; "
                "choose files of one surface, or download both again"
            )
    return {hemi: size for hemi, (_, size) in first.items()}


def _vertices(path: Path) -> int:
    """Return the number of values of the first data array; reads no further than its head."""
    try:
        with path.open("rb") as stream:
            for _, element in ElementTree.iterparse(stream, events=["start"]):
                if element.tag == "DataArray":
                    return int(element.attrib["Dim0"])
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise _unreadable(path, error) from error
    raise _unreadable(path, "it has no data array")


def _values(block: _Block, dtype: np.dtype[Any]) -> Array:
    """Return a map as an array of one row."""
    if block.path is None:
        return np.full((1, block.vertices), np.nan if dtype.kind == "f" else 0, dtype)
    try:
        values = np.asarray(GiftiImage.from_filename(block.path).darrays[0].data)
    except _UNREADABLE as error:
        raise _unreadable(block.path, error) from error
    if values.shape != (block.vertices,):
        raise _unreadable(block.path, f"its first data array has shape {values.shape}, not one value for each vertex")
    if dtype.kind == "b":
        values = (values != 0) & ~np.isnan(values)
    return values.astype(dtype)[np.newaxis]


def _unreadable(path: Path, why: object) -> DataFormatError:
    return DataFormatError(f"{path} cannot be read as a GIfTI map: {why}; download it again")
