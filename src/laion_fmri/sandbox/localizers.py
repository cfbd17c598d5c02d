"""Maps of functional localizers: contrasts, and the effects of single runs; on two grids and on the surface."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laion_fmri.sandbox import files
from laion_fmri.sandbox.brain import Brain, Grid
from laion_fmri.sandbox.chance import generator

_MEASURED, _RESAMPLED = "1pt5", "1pt8"
_LEAST_WEIGHT = 0.5

Volume = NDArray[np.float32]


@dataclass(frozen=True)
class _Localizer:
    """A localizer: its session, its contrasts, runs and conditions; a name goes with the set of ROIs that it drives."""

    session: str
    contrasts: Mapping[str, str]
    runs: tuple[str, ...] = ()
    conditions: Mapping[str, str] | None = None


_MOVING = {"movingVsStatic": "motion"}
_LOCALIZERS = {
    "floc": _Localizer(
        "4BarScreenfLoc",
        {"faceVsOthers": "face", "placeVsOthers": "place"},
        ("01", "02"),
        {"face": "face", "place": "place"},
    ),
    "oloc": _Localizer("31", {"objectVsScrambled": "object"}, ("01",), {"object": "object"}),
    "MotionLeft": _Localizer("MotionLocBarsSML", _MOVING, ("01",), {"moving": "motion"}),
    "MotionRight": _Localizer("MotionLocBarsSML", _MOVING, ("01",), {"moving": "motion"}),
    "MotionLoc": _Localizer("MotionLocBarsSML", _MOVING),
}


def write_localizers(
    path: Callable[..., Path], subject: str, brain: Brain, vertices: Mapping[str, int], seed: int
) -> None:
    """Write the localizers of a subject.

    Parameters
    ----------
    path : callable
        Where the file of an artifact lies, from its name and entities.
    subject : str
        Whose.
    brain : Brain
        Says which voxels a category drives.
    vertices : mapping of str to int
        Size of each hemisphere.
    seed : int
        Of all that is random.
    """
    resample = Resampling(brain.grid.at(_MEASURED), brain.grid)

    def write(artifact: str, category: str, strength: float, **entities: str) -> None:
        chance = generator(seed, artifact, subject, *entities.values())
        volume = _measured(brain, category, strength, chance)
        for kind, res, data, grid in (
            ("_volume", _MEASURED, volume, resample.source),
            ("", _RESAMPLED, resample(volume), resample.target),
        ):
            files.write_volume(path(f"{artifact}{kind}", subject=subject, res=res, **entities), data, grid)
        for hemi, count in vertices.items():
            target = path(f"{artifact}_surface", subject=subject, hemi=hemi, **entities)
            files.write_surface(target, chance.standard_normal(count, dtype=np.float32), hemi)

    for task, localizer in _LOCALIZERS.items():
        named = {"task": task, "ses": localizer.session}
        for contrast, category in localizer.contrasts.items():
            write("localizers", category, 5, **named, contrast=contrast)
        for run, (condition, category) in itertools.product(localizer.runs, (localizer.conditions or {}).items()):
            write("localizer_effects", category, 1, **named, run=run, condition=condition)


def _measured(brain: Brain, category: str, strength: float, chance: np.random.Generator) -> Volume:
    """Return a map on the grid of the localizer runs: noise, more where the category drives voxels, NaN outside."""
    grid = brain.grid.at(_MEASURED)
    driven = brain.resampled(np.logical_or.reduce([*brain.rois[category].values()]), grid)
    values = chance.standard_normal(grid.shape, dtype=np.float32) + np.float32(strength) * driven
    values[~brain.mask(grid)] = np.nan
    return values.astype(np.float32)


class Resampling:
    """Trilinear interpolation from one grid to another; NaN where less than half of the weight falls on numbers.

    Parameters
    ----------
    source, target : Grid
        From where, and to where.
    """

    def __init__(self, source: Grid, target: Grid) -> None:
        self.source, self.target = source, target
        indices = (target.coordinates - source.affine[:3, 3]) / np.diag(source.affine)[:3]
        low = np.floor(indices).astype(int)
        self._corners = [
            self._corner(low + step, np.abs(1 - step - (indices - low)))
            for step in np.array([*itertools.product((0, 1), repeat=3)])
        ]

    def _corner(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
        most = np.array(self.source.shape) - 1
        inside = ((places >= 0) & (places <= most)).all(-1)
        return tuple(np.moveaxis(np.clip(places, 0, most), -1, 0)), weights.prod(-1) * inside

    def __call__(self, values: Volume) -> Volume:
        """Return values of the source grid on the target grid."""
        known, filled = ~np.isnan(values), np.nan_to_num(values)
        weight = np.sum([known[places] * weights for places, weights in self._corners], axis=0)
        total = np.sum([filled[places] * weights for places, weights in self._corners], axis=0)
        resampled = np.full(weight.shape, np.nan, np.float32)
        enough = weight >= _LEAST_WEIGHT
        resampled[enough] = total[enough] / weight[enough]
        return resampled
