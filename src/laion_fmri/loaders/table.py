"""Loader ``table``: TSV and CSV files as pandas data frames. No options, no joins."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from laion_fmri.catalog.models import Artifact, Column
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request

_PATTERNS = {  # what a cell looks like, case aside
    "int64": r"[+-]?[0-9]{1,18}",
    "float64": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|[+-]?inf",
    "bool": "true|false|1|0",
}
_NO_NUMBER = ("", "n/a")  # the second is how BIDS writes a missing number


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> pd.DataFrame:
    """Read tables, one below the other.

    Parameters
    ----------
    request : Request
        One or more files.

    Returns
    -------
    DataFrame
        First one text column for each entity of the file names (``subject``: ``"03"``), so that every row
        says where it comes from; an entity is left out where the table has a column of this name or one
        that holds it in every row (``session``: ``"ses-01"``). Then the columns of the files in their
        order. Those of the catalog have its dtypes, all others are text as it stands; where one file lacks
        such a column, its cells are empty. ``NA`` is text, never missing.

    Raises
    ------
    DataFormatError
        If a column is missing or a cell is not of its dtype, naming file, column and row.
    """
    spec = request.artifact
    tables = [(read_table(file.path, spec.layout.columns), file.entities) for file in request.files]
    keys = {name: spec.entities[name].key_of(name) for name in request.files[0].entities}
    untold = [
        name
        for name, key in keys.items()
        if not all(_tells(frame, f"{key}-{values[name]}") for frame, values in tables)
    ]
    return stack([_with_origin(frame, {name: values[name] for name in untold}) for frame, values in tables])


def to_dask(request: Request) -> NoReturn:
    """Refuse: a table is small."""
    names = listed(file.path.name for file in request.files)
    raise SelectionError(f"a table has no lazy form ({names}); it is small, use read()")


def read_table(path: Path, columns: Mapping[str, Column]) -> pd.DataFrame:
    """Read one table and check it.

    Parameters
    ----------
    path : Path
        Comma-separated if it ends in ``.csv``, else tab-separated; UTF-8 with a header row.
    columns : mapping of str to Column
        The columns that it must have.

    Returns
    -------
    DataFrame
        All columns; those not in `columns` are text. Rows are counted from 0.
    """
    header, *rows = _cells(path)
    frame = pd.DataFrame(rows, columns=header, dtype="str")
    for name, column in columns.items():
        if name not in frame:
            raise DataFormatError(
                f"{path} has no column {name}{did_you_mean(name, header)}; it has {listed(header)}. Download it again"
            )
        frame[name] = _typed(frame[name], column.dtype, path)
    return frame


def stack(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return tables one below the other, with the columns of all; cells that a table lacks are empty text."""
    columns = list(dict.fromkeys(name for frame in frames for name in frame))
    return pd.concat([frame.reindex(columns=columns, fill_value="") for frame in frames], ignore_index=True)


def _cells(path: Path) -> list[list[str]]:
    delimiter = "," if path.suffix == ".csv" else "\t"
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            cells = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFormatError(f"{path} cannot be read as a table: {error}; download it again") from error
    if not cells:
        raise DataFormatError(f"{path} is empty; download it again")
    header, *rows = cells
    if len(set(header)) < len(header):
        raise DataFormatError(f"{path} names a column twice in its header: {listed(header)}; download it again")
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise DataFormatError(
                f"{path}, row {number} has {len(row)} cells under {len(header)} columns; download it again"
            )
    return cells


def _typed(cells: pd.Series[str], dtype: str, path: Path) -> pd.Series[Any]:
    if dtype == "str":
        return cells
    if dtype == "float64":
        cells = cells.mask(cells.isin(_NO_NUMBER), "nan")
    fits = re.compile(_PATTERNS[dtype], re.IGNORECASE).fullmatch
    for row, cell in enumerate(cells):
        if not fits(cell):
            raise DataFormatError(
                f"{path}, column {cells.name}, row {row}: {cell!r} is no {dtype}; download the file again"
            )
    return cells.str.lower().isin(["true", "1"]) if dtype == "bool" else cells.astype(np.dtype(dtype))


def _tells(frame: pd.DataFrame, token: str) -> bool:
    """Tell whether a column holds an entity, as file names write it, in every row."""
    return any((frame[column] == token).all() for column in frame)


def _with_origin(frame: pd.DataFrame, values: Mapping[str, str]) -> pd.DataFrame:
    added = {name: value for name, value in values.items() if name not in frame}
    return pd.concat([pd.DataFrame(added, frame.index, dtype="str"), frame], axis=1)
