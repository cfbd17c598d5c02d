"""The voxel axis: the voxels of a brain mask, in C order, narrowed by ROIs.

A brain mask belongs to a subject; the entities that it shares with the artifact say to which. They are called
its owner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.regions import Query, named_regions, names_in
from laion_fmri.errors import SelectionError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.nifti import (
    Array,
    Header,
    each_volume,
    read_header,
    read_mask,
    require_one_volume,
    require_same_grid,
)
from laion_fmri.loaders.roi import files_named, joined_names, meaning, voxels_of
from laion_fmri.loaders.sieve import Sieve, Whole

Owner = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Axis:
    """Voxels of one brain mask.

    Attributes
    ----------
    owner : tuple of (entity, value)
        Whose brain it is.
    header : Header
        Of the mask; says which grid the voxels lie on.
    positions : array of int, shape (voxel,)
        Where the voxels are in the grid flattened in C order (k fastest), ascending.
    columns : array of int, shape (voxel,)
        Where the voxels are among those of the mask, ascending.
    values : mapping of str to array, shape (voxel,)
        What else is known of the voxels; their further coordinates.
    """

    owner: Owner
    header: Header
    positions: Array
    columns: Array
    values: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions)

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}  # and nothing that was worked out of these

    def keep(self, wanted: Array | slice) -> Axis:
        """Return the axis with the voxels where `wanted` is True, or with those of a slice."""
        values = {name: array[wanted] for name, array in self.values.items()}
        return replace(self, positions=self.positions[wanted], columns=self.columns[wanted], values=values)

    def knowing(self, name: str, array: Array) -> Axis:
        """Return the axis with one more value of each voxel."""
        return replace(self, values={**self.values, name: array})

    @cached_property
    def indices(self) -> Array:
        """Voxel indices i, j and k, shape (3, voxel)."""
        return np.array(np.unravel_index(self.positions, self.header.grid))

    @cached_property
    def sieve(self) -> Sieve | Whole:
        """What picks the voxels out of a volume as NIfTI stores it (i fastest)."""
        if len(self) == math.prod(self.header.grid):
            return Whole(self.header.grid)
        return Sieve(np.ravel_multi_index(tuple(self.indices), self.header.grid, order="F"))

    @cached_property
    def millimetres(self) -> Array:
        """Coordinates x, y and z, shape (3, voxel)."""
        affine = self.header.affine
        found: Array = np.einsum("ab,bn->an", affine[:3, :3], self.indices)  # a product of matrices wakes other threads
        found += affine[:3, 3:]
        return found

    def read_map(self, path: Path, dtype: np.dtype[Any]) -> Array:
        """Return the values of a 3-D map at these voxels, refusing one on another grid."""
        header = read_header(path)
        require_map(header, self)
        (values,) = each_volume(header, np.array([0]), self.sieve, dtype)
        return values.astype(dtype, copy=False)

    def read_mask(self, path: Path) -> Array:
        """Return which of these voxels a mask has, refusing one on another grid."""
        header = read_header(path)
        require_map(header, self)
        return read_mask(header)[self.positions]


def grid_axis(header: Header) -> Axis:
    """Return all voxels of a file, of no brain in particular."""
    positions = np.arange(math.prod(header.grid))
    return Axis((), header, positions, positions)


def require_map(header: Header, axis: Axis) -> None:
    """Raise DataFormatError unless a file is a single volume on the grid of an axis."""
    require_one_volume(header)
    require_same_grid(header, axis.header)


def mask_join(artifact: Artifact, options: Mapping[str, Any]) -> str:
    """Return the join that gives the brain mask."""
    return artifact.options["mask_source"].choices[options["mask_source"]]


def joins_of_axis(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the joins that building the voxel axis takes."""
    return (mask_join(artifact, options), *(["rois"] if options.get("roi") is not None else []))


def owner_of(request: Request, file: LocalFile) -> Owner:
    """Return whose brain a file is about: its entities that a brain mask has too and has no default for."""
    mask = request.artifact.joins[mask_join(request.artifact, request.options)]
    return tuple(
        (name, file.entities[name])
        for name, entity in mask.entities.items()
        if name in file.entities and entity.default is None
    )


def owner_text(owner: Owner) -> str:
    """Return an owner as a message shows it.

    Examples
    --------
    >>> owner_text((("subject", "03"),))
    'subject 03'
    """
    return ", ".join(f"{name} {value}" for name, value in owner)


def voxel_axes(request: Request) -> dict[Owner, Axis]:
    """Return the voxel axis of each owner, in the order of the files.

    Raises
    ------
    DataFormatError
        If ROI and brain mask lie on different grids.
    SelectionError
        If there is no such ROI, or none of its voxels lies in the brain mask.
    """
    owners = dict.fromkeys(owner_of(request, file) for file in request.files)
    return {owner: _in_rois(request, _masked(request, _in_brain(request, owner))) for owner in owners}


def _in_brain(request: Request, owner: Owner) -> Axis:
    (file,) = request.find(mask_join(request.artifact, request.options), dict(owner))
    status = file.path.stat()
    header, positions = _mask(file.path, status.st_size, status.st_mtime_ns)
    return Axis(owner, header, positions, np.arange(len(positions)))


@lru_cache(maxsize=8)
def _mask(path: Path, size: int, changed: int) -> tuple[Header, Array]:
    """Return the grid of a mask, and where in it the mask is, in C order; read once for each state of a file."""
    header = read_header(path)
    positions = np.flatnonzero(read_mask(header))
    positions.flags.writeable = False  # for they are shared
    return header, positions


def _masked(request: Request, axis: Axis) -> Axis:
    wanted = request.options.get("mask")
    if wanted is None:
        return axis
    values = np.asarray(wanted)
    if values.shape != (len(axis),):
        raise SelectionError(
            f"mask has shape {values.shape}; expected bool of shape ({len(axis)},), one value for each voxel of the "
            f"brain mask of {owner_text(axis.owner)}, {axis.header.path}; choose one subject, and its mask_source"
        )
    return axis.keep(values)


def _in_rois(request: Request, axis: Axis) -> Axis:
    query = request.options.get("roi")
    if query is None:
        return axis
    asked = query if isinstance(query, Mapping) else {"": query}
    meant = _meanings(request, asked)
    by_word, by_label = _roi_masks(
        request, axis, dict.fromkeys(word for one in meant.values() for word in names_in(one))
    )
    regions = {name: voxels_of(one, by_word.__getitem__) for name, one in meant.items()}
    for name, voxels in regions.items():
        if not voxels.any():
            raise SelectionError(
                f"roi={asked[name]!r}: none of its voxels lies in the brain mask of {owner_text(axis.owner)}, "
                f"{axis.header.path}; choose another ROI or mask_source"
            )
    wanted = np.logical_or.reduce([*regions.values()])
    shown = regions if isinstance(query, Mapping) else by_label
    return axis.keep(wanted).knowing("region", joined_names({name: mask[wanted] for name, mask in shown.items()}))


def _meanings(request: Request, asked: Mapping[str, str | Sequence[str]]) -> dict[str, Query]:
    named = named_regions(request.artifact.options["roi"].named)
    left_out = "".join(entity.strip for entity in request.artifact.joins["rois"].entities.values())
    return {name: meaning(texts, named, left_out) for name, texts in asked.items()}


def _roi_masks(request: Request, axis: Axis, words: Iterable[str]) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the voxels of each word, and of each label that the words mean; each file is read once."""
    join = request.artifact.joins["rois"]
    files = request.find("rois", dict(axis.owner))
    named_by = [name for name, entity in join.entities.items() if entity.is_open]
    names = [[file.entities[name] for name in named_by] for file in files]
    regions, where = request.artifact.options["roi"].named, owner_text(axis.owner)
    chosen = {word: files_named(word, names, where, regions) for word in words}
    masks = {index: axis.read_mask(files[index].path) for index in dict.fromkeys(chain(*chosen.values()))}
    by_word = {word: np.logical_or.reduce([masks[index] for index in indices]) for word, indices in chosen.items()}
    return by_word, {files[index].entities[join.layout.dims[0]]: mask for index, mask in masks.items()}


def voxel_coords(axes: Iterable[Axis], dim: str) -> dict[str, tuple[str, Array]]:
    """Return the coordinates of axes laid one after the other.

    Parameters
    ----------
    axes : iterable of Axis
        At least one.
    dim : str
        Name of the voxel dimension.

    Returns
    -------
    dict
        i, j, k (int); x, y, z (mm); each entity of the owner as text, such as ``voxel_subject``; and what else
        the axes know of their voxels, NaN where one does not know it.
    """
    axes = list(axes)
    coords = {name: _joined([axis.indices[n] for axis in axes]) for n, name in enumerate("ijk")}
    coords |= {name: _joined([axis.millimetres[n] for axis in axes]) for n, name in enumerate("xyz")}
    for name in dict(axes[0].owner):
        values = [dict(axis.owner)[name] for axis in axes]
        coords[f"{dim}_{name}"] = np.repeat(values, [len(axis) for axis in axes])
    for name in dict.fromkeys(name for axis in axes for name in axis.values):
        coords[name] = _joined([axis.values.get(name, np.full(len(axis), np.nan)) for axis in axes])
    return {name: (dim, values) for name, values in coords.items()}


def _joined(arrays: Sequence[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
