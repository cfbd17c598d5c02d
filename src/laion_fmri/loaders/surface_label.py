"""Loader ``surface_label``: FreeSurfer labels in ASCII as pandas data frames. No options, no joins.

The format: https://surfer.nmr.mgh.harvard.edu/fswiki/LabelsClutsAnnotationFiles
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import listed
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request
from laion_fmri.loaders.delimited import stack

_COLUMNS = {"vertex": np.int64, "x": np.float64, "y": np.float64, "z": np.float64, "value": np.float64}


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> pd.DataFrame:
    """Read labels, one below the other.

    Parameters
    ----------
    request : Request
        One or more files.

    Returns
    -------
    DataFrame
        One row for each vertex of a label, in the order of the files. First one text column for each entity of the
        file names (``hemi``: ``"L"``), then ``vertex`` (int64, counted from 0), ``x``, ``y``, ``z`` (float64, mm) and
        ``value`` (float64).

    Raises
    ------
    DataFormatError
        If a file is no ASCII label, or has another number of rows than it says.
    """
    return stack([_with_origin(read_label(file.path), file.entities) for file in request.files])


def to_dask(request: Request) -> NoReturn:
    """Refuse: a label is small."""
    names = listed(file.path.name for file in request.files)
    raise SelectionError(f"a label has no lazy form ({names}); it is small, use read()")


def read_label(path: Path) -> pd.DataFrame:
    """Read one label; see `read` for its columns and errors."""
    _, *lines = path.read_text(encoding="utf-8", errors="replace").rstrip().split("\n")
    head, *rows = lines or [""]
    if not head.strip().isdecimal():
        raise DataFormatError(f"{path}, line 2 is {head[:40]!r}, not a number of vertices; download it again")
    if int(head) != len(rows):
        raise DataFormatError(f"{path} has {len(rows)} rows of vertices, it says {head.strip()}; download it again")
    cells = [_cells(path, number, line) for number, line in enumerate(rows, start=3)]
    columns = zip(*cells, strict=True) if cells else [()] * len(_COLUMNS)
    typed = zip(_COLUMNS.items(), columns, strict=True)
    return pd.DataFrame({name: np.array(values, dtype) for (name, dtype), values in typed})


def _cells(path: Path, number: int, line: str) -> tuple[int, float, float, float, float]:
    try:
        vertex, x, y, z, value = line.split()
        return int(vertex), float(x), float(y), float(z), float(value)
    except ValueError:
        raise DataFormatError(
            f"{path}, line {number} is {line[:60]!r}, not vertex, x, y, z and value; download it again"
        ) from None


def _with_origin(frame: pd.DataFrame, entities: Mapping[str, str]) -> pd.DataFrame:
    return pd.concat([pd.DataFrame(dict(entities), frame.index, dtype="str"), frame], axis=1)
