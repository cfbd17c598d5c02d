"""Grids, brain masks and regions of interest of the subjects of the miniature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from laion_fmri.sandbox.chance import generator

Mask = NDArray[np.bool_]

ZOOMS = {"1pt8": 1.778, "1pt5": 1.5, None: 0.8}  # millimetres; None is full resolution

ROIS = {  # by set; the labels of the bucket, some with hyphens that local names leave out
    "body": ("EBA", "FBA"),
    "character": ("VWFA-1", "VWFA-2", "mfs-words", "pSTS-words"),
    "face": ("FFA-1", "FFA-2", "OFA", "pSTS-faces"),
    "laion": ("laion-EVC", "laion-dorsal", "laion-general", "laion-lateral", "laion-ventral"),
    "motion": ("MST", "MT"),
    "object": ("lobjects", "vobjects"),
    "place": ("MPA", "OPA", "PPA"),
    "retinotopy": (
        *("V1d", "V1v", "V2d", "V2v", "V3A", "V3B", "V3d", "V3v", "hV4"),
        *("IPCS", "IPS0", "LO1", "LO2", "SPCS", "TO1", "TO2", "VO1", "VO2"),
    ),
}
_MISSING = {"03": {"pSTS-words"}, "05": {"FFA-2"}, "07": {"MST", "VO2"}}
CENTRE = np.array([3.0, -21.0, 8.0])  # millimetres


@dataclass(frozen=True)
class Grid:
    """A voxel grid in T1w space; its first axis runs from right to left.

    Attributes
    ----------
    shape : tuple of int
        (X, Y, Z).
    zoom : float
        Edge of a voxel, millimetres.
    """

    shape: tuple[int, ...]
    zoom: float

    def at(self, res: str | None) -> Grid:
        """Return a grid of another resolution over the same field of view."""
        zoom = ZOOMS[res]
        return Grid(tuple(int(np.ceil(round(n * self.zoom / zoom, 6))) for n in self.shape), zoom)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel indices to millimetres, (4, 4)."""
        affine = np.diag([-self.zoom, self.zoom, self.zoom, 1.0])
        affine[:3, 3] = CENTRE - affine[:3, :3] @ (np.array(self.shape) - 1) / 2
        return affine

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Millimetres of every voxel, (X, Y, Z, 3)."""
        indices = np.moveaxis(np.indices(self.shape), 0, -1)
        return indices @ self.affine[:3, :3].T + self.affine[:3, 3]


@dataclass(frozen=True)
class Brain:
    """The brain of one subject.

    Attributes
    ----------
    grid : Grid
        The grid of the betas.
    radii : ndarray
        Half axes, millimetres, (3,).
    rois : dict of str to dict of str to ndarray
        Bool masks on `grid`, by set and label. Masks of one set do not overlap.
    """

    grid: Grid
    radii: NDArray[np.float64]
    rois: dict[str, dict[str, Mask]]

    def mask(self, grid: Grid, scale: float = 1.0) -> Mask:
        """Return the inside of the brain on any grid; a `scale` below 1 leaves a rim out."""
        return _ellipsoid(grid, self.radii * scale)

    @property
    def responsive(self) -> Mask:
        """The voxels with responses: the brain but for a rim."""
        return self.mask(self.grid, _RESPONSIVE)

    def resampled(self, mask: Mask, grid: Grid) -> Mask:
        """Return a mask of the betas' grid on another one, nearest neighbour."""
        indices = (grid.coordinates - self.grid.affine[:3, 3]) / np.diag(self.grid.affine)[:3]
        nearest = np.clip(np.rint(indices).astype(int), 0, np.array(self.grid.shape) - 1)
        resampled: Mask = mask[tuple(np.moveaxis(nearest, -1, 0))]
        return resampled


_RESPONSIVE = 0.9


def make_brain(subject: str, shape: tuple[int, ...], seed: int) -> Brain:
    """Return the brain of a subject: an ellipsoid of its own size, ROIs in its posterior half."""
    chance = generator(seed, "brain", subject)
    grid = Grid(shape, ZOOMS["1pt8"])
    radii = np.array(shape) * grid.zoom / 2 * chance.uniform(0.9, 0.98, 3)
    candidates = np.argwhere(_ellipsoid(grid, radii * _RESPONSIVE))
    candidates = candidates[candidates[:, 1] <= np.median(candidates[:, 1])]
    rois = {
        category: {
            label: mask
            for label, mask in zip(labels, _regions(candidates, len(labels), shape, chance), strict=True)
            if label not in _MISSING.get(subject, ())
        }
        for category, labels in ROIS.items()
    }
    return Brain(grid, radii, rois)


def _ellipsoid(grid: Grid, radii: NDArray[np.float64]) -> Mask:
    inside: Mask = (((grid.coordinates - CENTRE) / radii) ** 2).sum(-1) <= 1
    return inside


def _regions(voxels: NDArray[np.int64], count: int, shape: tuple[int, ...], chance: np.random.Generator) -> list[Mask]:
    """Return masks around centres far from each other; a voxel goes to the nearest centre only."""
    centres = [int(chance.integers(len(voxels)))]
    distances = _distances(voxels, centres[0])[:, None]
    while len(centres) < count:
        centres.append(int(distances.min(1).argmax()))
        distances = np.column_stack([distances, _distances(voxels, centres[-1])])
    size = max(5, len(voxels) // (3 * count))
    return [_region(voxels, distances, n, size, shape) for n in range(count)]


def _distances(voxels: NDArray[np.int64], centre: int) -> NDArray[np.int64]:
    distances: NDArray[np.int64] = ((voxels - voxels[centre]) ** 2).sum(1)
    return distances


def _region(voxels: NDArray[np.int64], distances: NDArray[np.int64], n: int, size: int, shape: tuple[int, ...]) -> Mask:
    own = np.flatnonzero(distances.argmin(1) == n)
    nearest = own[np.argsort(distances[own, n], kind="stable")[:size]]
    mask = np.zeros(shape, bool)
    mask[tuple(voxels[nearest].T)] = True
    return mask
