"""The attributes that every answer carries, and arrays that lie on no NIfTI grid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import Request

_SPACE = re.compile(r"_space-([A-Za-z0-9]+)_")


def without_grid(request: Request, data: Any, dims: Sequence[str], coords: Mapping[str, Any]) -> xr.DataArray:
    """Return an array with its labels.

    Parameters
    ----------
    request : Request
        What was read.
    data : NumPy or dask array
        The values.
    dims, coords
        As xarray takes them.

    Returns
    -------
    DataArray
        Without a name. Its attributes are text: dataset, release, license, citation, units, space. What the options
        selected stands in the coordinates.
    """
    array = xr.DataArray(data, coords, dims, attrs=common_attributes(request))
    return array.rename(None)  # of a dask array, xarray takes the name of its graph


def column_coords(table: pd.DataFrame, dim: str, taken: Iterable[str]) -> dict[str, Any]:
    """Return the columns of a table as coordinates of a dimension.

    Raises
    ------
    DataFormatError
        If a column has a name that is taken by a dimension or an entity.
    """
    clash = sorted(set(taken).intersection(table))
    if clash:
        raise DataFormatError(
            f"the table of each {dim} has a column {clash[0]}, the name of a dimension or an entity; rename it"
        )
    text = set(table.select_dtypes(exclude=["number", "bool"]))
    columns = ((str(name), cells) for name, cells in table.items())
    return {name: (dim, cells.to_numpy(str if name in text else None)) for name, cells in columns}


def common_attributes(request: Request) -> dict[str, str]:
    """Return dataset, release, license, citation, units and space, as far as they are known."""
    dataset = request.artifact.dataset
    spaces = {found[1] for file in request.files if (found := _SPACE.search(file.path.name))}
    attrs = {
        "dataset": dataset.name,
        "release": dataset.release,
        "license": request.artifact.access.license,
        "citation": dataset.citation,
        "units": request.artifact.layout.units,
        "space": spaces.pop() if len(spaces) == 1 else None,
    }
    return {name: value for name, value in attrs.items() if value is not None}
