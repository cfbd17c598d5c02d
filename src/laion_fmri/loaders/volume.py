"""Loader ``volume``: 3-D NIfTI files as they are, on their grid. No options, no joins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from laion_fmri.catalog.models import Artifact
from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import Request
from laion_fmri.loaders.labels import labelled, varying
from laion_fmri.loaders.nifti import Header, read_header, read_volume, require_one_volume, same_grid


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> xr.DataArray:
    """Read volumes.

    Parameters
    ----------
    request : Request
        One or more 3-D files of one grid.

    Returns
    -------
    DataArray, shape (i, j, k) or (entity, i, j, k)
        The leading dimension is the first of the layout (localizers: ``contrast``), with the other entities as
        coordinates on it; or else the entity in which the files differ, and entities that all files share are scalar
        coordinates. As bool, a value is True where it is neither 0 nor NaN.

    Raises
    ------
    DataFormatError
        If a file is damaged, or the files lie on different grids.
    SelectionError
        If the files differ in several entities, and the layout names no leading dimension.
    """
    return _labelled(request, read_volume, np.stack)


def to_dask(request: Request) -> xr.DataArray:
    """Return the same as `read`, each volume read when it is computed."""
    import dask
    import dask.array as da

    def lazy(header: Header, dtype: np.dtype[Any]) -> Any:
        return da.from_delayed(dask.delayed(read_volume)(header, dtype), header.grid, dtype)

    return _labelled(request, lazy, da.stack)


def _labelled(
    request: Request,
    fetch: Callable[[Header, np.dtype[Any]], Any],
    stack: Callable[[Sequence[Any]], Any],
) -> xr.DataArray:
    files, layout = request.files, request.artifact.layout
    headers = [read_header(file.path) for file in files]
    *named, i, j, k = layout.dims
    leading = named[0] if named else varying(files, files[0].entities)
    _require_one_grid(headers)
    coords: dict[str, Any] = {}
    for name, value in files[0].entities.items():
        values = np.array([file.entities[name] for file in files])
        coords[name] = (leading, values) if named or name == leading else value
    volumes = [fetch(header, np.dtype(layout.dtype)) for header in headers]
    if leading:
        return labelled(request, stack(volumes), (leading, i, j, k), coords, headers)
    return labelled(request, volumes[0], (i, j, k), coords, headers)


def _require_one_grid(headers: Sequence[Header]) -> None:
    first = headers[0]
    for header in headers:
        require_one_volume(header)
        if not same_grid(header, first):
            raise DataFormatError(
                f"{first.path} has {first.grid_text()}, {header.path} has {header.grid_text()}; "
                "volumes of different grids cannot be stacked, read them one at a time"
            )
