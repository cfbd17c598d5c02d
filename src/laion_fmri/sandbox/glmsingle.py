"""What GLMsingle leaves of a session beside betas and maps: its arrays in one file, and a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from laion_fmri.sandbox import files
from laion_fmri.sandbox.responses import Voxels

_RIDGE = np.linspace(0.05, 1, 20)


def write_arrays(path: Path, betas: NDArray[np.float32], voxels: Voxels, inside: NDArray[np.bool_]) -> None:
    """Write the arrays of a session, each with one row for each voxel of the grid in C order.

    Parameters
    ----------
    path : Path
        An HDF5 file.
    betas : array, shape (trial, responsive voxel)
    voxels : Voxels
        The responsive voxels.
    inside : bool array, shape (i, j, k)
        Where they are.
    """
    arrays: dict[str, NDArray[Any]] = {
        "betasmd": _on_grid(betas.T, inside),
        "meanvol": _on_grid(1000 + voxels.mean, inside),
        "FRACvalue": _on_grid(_RIDGE[(voxels.signal * len(_RIDGE)).astype(int) % len(_RIDGE)], inside),
        "pcnum": np.array(3),
        "glmversion": np.array("made up", object),
    }
    files.write_arrays(path, arrays)
    files.write_json(path.with_suffix(".json"), {"Description": "All arrays of the model of a session."})


def _on_grid(values: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    grid = np.zeros((inside.size, *values.shape[1:]), np.float32)
    grid[inside.ravel()] = values
    return grid


def write_figure(path: Path, betas: NDArray[np.float32]) -> None:
    """Write a picture of some betas, one row for each trial."""
    some = np.nan_to_num(betas[:, :200])
    grey = (some - some.min()) / (np.ptp(some) or 1) * 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey.astype(np.uint8)).save(path)
