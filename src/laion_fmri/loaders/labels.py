"""What an answer carries beside its values: where its files come from, units, licence and citation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from laion_fmri.catalog.words import listed
from laion_fmri.errors import SelectionError
from laion_fmri.loaders import SOURCE, LocalFile, Request
from laion_fmri.loaders.attributes import common_attributes
from laion_fmri.loaders.nifti import Header, same_grid


def varying(files: Sequence[LocalFile], names: Iterable[str]) -> str | None:
    """Return the one entity that tells files apart; None where they agree in all.

    Raises
    ------
    SelectionError
        If they differ in several, which no single dimension can hold.
    """
    found = [name for name in names if len({file.entities.get(name) for file in files}) > 1]
    if len(found) > 1:
        raise SelectionError(f"the files differ in {listed(found)}; choose several values of one of them only")
    return found[0] if found else None


def labelled(
    request: Request, data: Any, dims: Sequence[str], coords: Mapping[str, Any], headers: Sequence[Header]
) -> xr.DataArray:
    """Return an array with its labels.

    Parameters
    ----------
    request : Request
        What was read.
    data : NumPy or dask array
        The values.
    dims, coords
        As xarray takes them.
    headers : sequence of Header
        One for each grid.

    Returns
    -------
    DataArray
        Without a name. Its attributes are text, numbers and flat lists only, so that netCDF takes them:
        dataset, release, license, citation, units, space, the options, and where all files lie on one grid
        `grid` (voxels along i, j, k) and `affine` (16 numbers, row by row).
    """
    array = xr.DataArray(data, dims=dims, attrs=_attributes(request, headers)).assign_coords(coords)
    return array.rename(None)  # of a dask array, xarray takes the name of its graph


def _attributes(request: Request, headers: Sequence[Header]) -> dict[str, Any]:
    attrs: dict[str, Any] = {**common_attributes(request)}
    if all(same_grid(header, headers[0]) for header in headers):
        attrs |= {"grid": list(headers[0].grid), "affine": headers[0].affine.ravel().tolist()}
    told = {name: value for name, value in request.options.items() if not isinstance(value, np.ndarray)}
    attrs |= {name: _plain(value) for name, value in told.items() if name != SOURCE}  # it makes no difference
    return {name: value for name, value in attrs.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(value)
    return str(value) if isinstance(value, bool) else value
