"""Between plain vectors of voxels and the brain: where a value belongs, and back to a volume."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from laion_fmri.errors import SelectionError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.nifti import Array, read_header, read_volume
from laion_fmri.loaders.voxels import Axis, mask_join, voxel_axes
from laion_fmri.local import artifact_source

Query = str | Sequence[str]
Regions = Query | Mapping[str, Query]

_ENDINGS = (".nii", ".nii.gz")


def brain_volume(subject: str, mask_source: str, res: str | None) -> Array:
    """Return a brain mask as a bool volume, shape (i, j, k); `res` says on which grid, if it is here on several."""
    betas = artifact_source("betas")(mask_source=mask_source)
    join = betas.artifact.joins[mask_join(betas.artifact, betas.choice.options)]
    grid = {"res": res} if "res" in join.entities else {}
    (file,) = artifact_source(join.artifact)(subject=subject, **grid).present()
    return read_volume(read_header(file.path), np.dtype(bool))


def brain_axis(subject: str, mask_source: str, roi: Regions | None = None, mask: Array | None = None) -> Axis:
    """Return the voxels of a subject's brain mask, of ROIs or where `mask` is True; just those that betas have."""
    betas = artifact_source("betas")(subject=subject, mask_source=mask_source, roi=roi, mask=mask)
    (bare,) = betas.choice.entities["subject"] or ()

    def find(join: str, values: Mapping[str, str]) -> tuple[LocalFile, ...]:
        return artifact_source(betas.artifact.joins[join].artifact)(**values).present()

    anything = LocalFile(Path(), {"subject": bare})
    (axis,) = voxel_axes(Request(betas.artifact, (anything,), betas.choice.options, find)).values()
    return axis


def roi_masks(subject: str, mask_source: str, queries: Sequence[Query]) -> list[Array]:
    """Return which voxels of a brain mask each query of ROIs means, as bool; each ROI file is read once."""
    if not queries:
        return []
    names = [str(number) for number in range(len(queries))]
    chosen = brain_axis(subject, mask_source, dict(zip(names, queries, strict=True)))
    texts, text_of_voxel = np.unique(chosen.values["region"], return_inverse=True)
    members = [set(text.split("+")) for text in texts.tolist()]
    brain = brain_axis(subject, mask_source)
    return [among(brain, chosen.positions[np.array([name in one for one in members])[text_of_voxel]]) for name in names]


def among(axis: Axis, positions: Array) -> Array:
    """Return which voxels of an axis are those at `positions`, all of which it has, as bool."""
    found = np.zeros(len(axis), bool)
    found[np.searchsorted(axis.positions, positions)] = True
    return found


def whole_grid(axis: Axis, values: Any, dtype: Any) -> Array:
    """Return a volume, shape (i, j, k), with values at the voxels of an axis and zero elsewhere."""
    volume = np.zeros(axis.header.grid, dtype)
    volume.flat[axis.positions] = values
    return volume


def save_volume(axis: Axis, values: Any, path: Path) -> None:
    """Write values at the voxels of an axis as a float32 NIfTI file; nothing half-written is left at `path`.

    Raises
    ------
    SelectionError
        If there is not one value for each voxel, or `path` does not end in ``.nii`` or ``.nii.gz``.
    FileNotFoundError
        If there is no such folder.
    """
    numbers = np.asarray(values)
    if numbers.shape != (len(axis),):
        raise SelectionError(
            f"values have shape {numbers.shape}; expected ({len(axis)},), one for each chosen voxel of the brain mask "
            f"{axis.header.path}; give the roi, mask and mask_source that they were read with"
        )
    if not path.name.endswith(_ENDINGS):
        raise SelectionError(f"{path} does not end in {' or '.join(_ENDINGS)}; name a NIfTI file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is no directory; create it first")
    image = nibabel.Nifti1Image(whole_grid(axis, numbers, np.float32), axis.header.affine)
    image.header.set_xyzt_units("mm")
    part = path.with_name(f".{uuid.uuid4().hex[:8]}.part.{path.name}")
    try:
        nibabel.save(image, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
