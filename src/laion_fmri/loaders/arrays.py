"""Loader ``arrays``: all arrays of an HDF5 file, by name.

The layout may name the dimensions and units of some under ``arrays``. Options: ``arrays``. No joins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import listed
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request
from laion_fmri.loaders.attributes import common_attributes
from laion_fmri.loaders.hdf5 import Array, Stored, every_stored, is_text, lazy_rows, read_number, read_rows, read_text
from laion_fmri.loaders.names import require_names

_MOST_BYTES = 2**31  # that are read without being asked for
_NUMBERS = "biufc"


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> xr.Dataset:
    """Read the arrays of a file.

    Parameters
    ----------
    request : Request
        One file.

    Returns
    -------
    Dataset
        One variable for each array, or for those that `arrays` names; ``.`` stands for the ``/`` of an array in a group
        (``fit.R2``). Numbers are of the type of the file, text is text. Dimensions and units are those of the catalog
        where it declares the array, otherwise the dimensions of NAME are called ``NAME_0``, ``NAME_1`` and so on.
        The entities of the file are scalar coordinates, where no array is called like them.

    Raises
    ------
    DataFormatError
        If the file is damaged, an array has other dimensions than the catalog says, or holds neither numbers nor text.
    SelectionError
        If the file has no array of a name, or nothing is chosen of more than 2 GiB.
    """
    chosen = _chosen(request)
    size = sum(math.prod(source.shape) * source.dtype.itemsize for source in chosen.values())
    if size > _MOST_BYTES and request.options.get("arrays") is None:
        raise SelectionError(
            f"the arrays of {request.files[0].path} take {size / 2**30:.1f} GiB: {listed(chosen)}; choose some with "
            "arrays=, or use to_dask()"
        )
    return _labelled(request, chosen, read_rows)


def to_dask(request: Request) -> xr.Dataset:
    """Return the same as `read`, of any size, in chunks that are read when they are computed.

    Text and single values are read at once.
    """
    return _labelled(request, _chosen(request), lazy_rows)


def _chosen(request: Request) -> dict[str, Stored]:
    """Return what is asked for by the names of the answer."""
    if len(request.files) > 1:
        names = listed(file.path.name for file in request.files)
        raise SelectionError(f"files of arrays are read one at a time; choose one of {names}")
    (file,) = request.files
    found = every_stored(file.path)
    named = {name.replace("/", "."): source for name, source in found.items()}
    if len(named) < len(found):
        raise DataFormatError(f"{file.path} has two arrays of one name but for a / and a .; it has {listed(found)}")
    wanted = request.options.get("arrays")
    if wanted is None:
        return named
    wanted = [name.replace("/", ".") for name in wanted]
    require_names("arrays", wanted, named, file.path)
    return {name: named[name] for name in wanted}


def _labelled(
    request: Request, chosen: Mapping[str, Stored], fetch: Callable[[Stored, Array, np.dtype[Any]], Any]
) -> xr.Dataset:
    (file,) = request.files
    variables = {name: _variable(request, name, source, fetch) for name, source in chosen.items()}
    coords = {name: value for name, value in file.entities.items() if name not in variables}
    try:
        return xr.Dataset(variables, coords, common_attributes(request))
    except ValueError as error:
        raise DataFormatError(f"the arrays of {file.path} do not fit together: {error}") from error


def _variable(
    request: Request, name: str, source: Stored, fetch: Callable[[Stored, Array, np.dtype[Any]], Any]
) -> tuple[tuple[str, ...], Any, dict[str, str]]:
    known = request.artifact.layout.arrays.get(source.name)
    dims = known.dims if known else tuple(f"{name}_{number}" for number in range(len(source.shape)))
    if len(dims) != len(source.shape):
        raise DataFormatError(
            f"{source.path}, array {source.name} has shape {source.shape}; expected {listed(dims)}. Download it again"
        )
    attrs = {"units": known.units} if known and known.units else {}
    return dims, _values(source, fetch), attrs


def _values(source: Stored, fetch: Callable[[Stored, Array, np.dtype[Any]], Any]) -> Any:
    if is_text(source):
        return read_text(source)
    if source.dtype.kind not in _NUMBERS:
        raise DataFormatError(
            f"{source.path}, array {source.name} holds {source.dtype}, neither numbers nor text; choose others: arrays="
        )
    if not source.shape:
        return read_number(source)
    return fetch(source, np.arange(source.shape[0]), source.dtype.newbyteorder("="))
