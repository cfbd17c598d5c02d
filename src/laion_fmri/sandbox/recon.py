"""A FreeSurfer reconstruction of a made-up brain: two closed hemispheres in its conformed volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.freesurfer import write_annot, write_geometry, write_morph_data
from numpy.typing import NDArray

from laion_fmri.sandbox import files
from laion_fmri.sandbox.brain import CENTRE, Brain, Grid
from laion_fmri.sandbox.chance import generator
from laion_fmri.sandbox.mesh import areas, sphere

VERTICES = {"L": 162, "R": 158}  # of each hemisphere, those of the surface ROIs

_SIDES = {"L": ("lh", -1), "R": ("rh", 1)}
_STAMP = "created by laion-fmri"
_AXES = {"xras": (-1, 0, 0), "yras": (0, 0, -1), "zras": (0, 1, 0)}  # of the voxel axes of a conformed volume
_RADIUS = 100.0  # of FreeSurfer's spheres, mm
_REGIONS = {  # of the annotation, by name: red, green, blue
    "unknown": (25, 5, 25),
    "lateraloccipital": (20, 30, 140),
    "fusiform": (180, 220, 140),
    "superiorfrontal": (20, 220, 160),
}
_NUMBERS = (0, 11, 7, 28)  # of the regions, in aparc+aseg after the thousands of the hemisphere
_BEHIND, _BELOW, _WALL, _WHITE_MATTER = -0.3, -0.3, -0.8, 0.8
_CENTRE_OF_MNI305 = np.array([0.0, -17.0, 18.0])
_LTA = """type      = 1 # LINEAR_RAS_TO_RAS
nxforms   = 1
mean      = 0.0000 0.0000 0.0000
sigma     = 10000.0000
1 4 4
{matrix}
src volume info
{source}
dst volume info
{target}
subject fsaverage
fscale 0.150000
"""
_XFM = """MNI Transform File
% made up by laion-fmri

Transform_Type = Linear;
Linear_Transform =
{matrix};
"""

Array = NDArray[Any]


class _Conformed(Grid):
    """A cube of voxels as FreeSurfer conforms them: their axes run to the left, down and to the front."""

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel indices to millimetres, (4, 4)."""
        affine = np.eye(4)
        affine[:3, :3] = np.column_stack([*_AXES.values()])
        affine[:3, 3] = CENTRE - affine[:3, :3] @ (np.array(self.shape) / 2)
        return affine


@dataclass(frozen=True)
class _Hemisphere:
    """A hemisphere, in millimetres from the centre of the brain."""

    hemi: str
    directions: Array
    faces: Array
    white: Array
    thickness: Array
    folding: Array

    @property
    def meshes(self) -> dict[str, Array]:
        """The vertices of each surface, by the ending of its name."""
        turn = 0.05
        rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        return {
            "white": self.white,
            "pial": self.white + self.thickness[:, None] * self.directions,
            "inflated": self.directions * np.ptp(self.white, axis=0).max(),
            "sphere": self.directions * _RADIUS,
            "sphere.reg": self.directions @ rotation.T * _RADIUS,
        }

    @property
    def values(self) -> dict[str, Array]:
        """One value for each vertex, by the ending of its name."""
        return {
            "thickness": self.thickness,
            "curv": self.folding,
            "sulc": self.folding * 5,
            "area": areas(self.white, self.faces),
        }

    @property
    def medial(self) -> NDArray[np.bool_]:
        """The vertices of the wall between the hemispheres."""
        wall: NDArray[np.bool_] = self.directions[:, 0] * _SIDES[self.hemi][1] < _WALL
        return wall


def write_recon(folder: Path, subject: str, brain: Brain, seed: int) -> None:
    """Write the reconstruction of a subject into a folder."""
    grid = _Conformed((2 * int(np.ceil(brain.radii.max())) + 6,) * 3, 1.0)
    for hemi in VERTICES:
        _write_hemisphere(folder, subject, _hemisphere(hemi, brain, generator(seed, "recon", subject, hemi)), grid)
    _write_volumes(folder / "mri", brain, grid, generator(seed, "recon", subject))
    _write_transforms(folder / "mri" / "transforms", grid, generator(seed, "talairach", subject))


def _hemisphere(hemi: str, brain: Brain, chance: np.random.Generator) -> _Hemisphere:
    directions, faces = sphere(VERTICES[hemi])
    folding = np.sin(6 * directions @ chance.normal(0, 1, 3)) / 5
    centre = np.array([_SIDES[hemi][1] * 0.42, 0, 0])
    white = (centre + directions * [0.3, 0.62, 0.62] * (1 - folding[:, None] / 5)) * brain.radii
    thickness = 1.5 - folding + chance.uniform(-0.1, 0.1, len(directions))
    return _Hemisphere(hemi, directions, faces, white, thickness, folding)


def _write_hemisphere(folder: Path, subject: str, half: _Hemisphere, grid: Grid) -> None:
    side = _SIDES[half.hemi][0]
    (folder / "surf").mkdir(parents=True, exist_ok=True)
    (folder / "label").mkdir(exist_ok=True)
    info = {"head": np.array([2, 0, 20]), "valid": "1  # volume info valid", **_volume_info("../mri/T1.mgz", grid)}
    for ending, vertices in half.meshes.items():
        write_geometry(folder / "surf" / f"{side}.{ending}", vertices, half.faces, _STAMP, info)
    for ending, values in half.values.items():
        with (folder / "surf" / f"{side}.{ending}").open("wb") as file:
            write_morph_data(file, values, len(half.faces))
    codes = np.where(half.medial, 0, _region(half.directions))
    colours = np.array([(*colour, 0) for colour in _REGIONS.values()])
    write_annot(folder / "label" / f"{side}.aparc.annot", codes, colours, list(_REGIONS))
    cortex = np.flatnonzero(~half.medial)
    files.write_label(folder / "label" / f"{side}.cortex.label", cortex, subject, half.white[cortex])


def _region(directions: Array) -> Array:
    """Return the number of the region, by the direction from the centre: behind, below, or the rest."""
    return np.where(directions[..., 1] < _BEHIND, 1, np.where(directions[..., 2] < _BELOW, 2, 3))


def _write_volumes(folder: Path, brain: Brain, grid: Grid, chance: np.random.Generator) -> None:
    inside = brain.mask(grid)
    image = chance.integers(0, 20, grid.shape, np.uint8) + inside * np.uint8(100)
    away = (grid.coordinates - CENTRE) / brain.radii
    right = away[..., 0] > 0
    cortex = np.where(right, 2000, 1000) + np.array(_NUMBERS)[_region(away)]
    parcels = np.where(brain.mask(grid, _WHITE_MATTER), np.where(right, 41, 2), cortex) * inside
    for name, data in (("T1", image), ("brain", image * inside), ("aparc+aseg", parcels.astype(np.int32))):
        folder.mkdir(parents=True, exist_ok=True)
        nib.save(nib.MGHImage(data, grid.affine), folder / f"{name}.mgz")


def _write_transforms(folder: Path, grid: Grid, chance: np.random.Generator) -> None:
    """Write the affine to MNI305, of 12 parameters."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag([1.05, 1.08, 1.1]) + chance.normal(0, 0.02, (3, 3))
    affine[:3, 3] = _CENTRE_OF_MNI305 - affine[:3, :3] @ CENTRE
    rows = [" ".join(f"{value:.15e}" for value in row) for row in affine]
    source = _lines(_volume_info("../T1.mgz", grid))
    target = _lines({**_volume_info("mni305.cor.mgz", _Conformed((256,) * 3, 1.0)), "cras": np.zeros(3)})
    files.write_text(folder / "talairach.lta", _LTA.format(matrix="\n".join(rows), source=source, target=target))
    files.write_text(folder / "talairach.xfm", _XFM.format(matrix="\n".join(rows[:3])))


def _volume_info(name: str, grid: Grid) -> dict[str, Any]:
    axes = {axis: np.array(direction, float) for axis, direction in _AXES.items()}
    return {
        "filename": name,
        "volume": np.array(grid.shape),
        "voxelsize": np.full(3, grid.zoom),
        **axes,
        "cras": CENTRE,
    }


def _lines(info: Mapping[str, Any]) -> str:
    texts = {name: value if isinstance(value, str) else " ".join(map(str, value)) for name, value in info.items()}
    return "\n".join(["valid = 1  # volume info valid", *(f"{name} = {text}" for name, text in texts.items())])
