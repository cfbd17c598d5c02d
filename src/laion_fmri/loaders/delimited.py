"""Tables as delimited text: TSV and CSV files, read cell by cell and checked."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from laion_fmri.catalog.layout import Column
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import DataFormatError
from laion_fmri.loaders.cells import wrong_cell

_PATTERNS = {  # what a cell looks like, case aside
    "int64": r"[+-]?[0-9]{1,18}",
    "float64": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|[+-]?inf",
    "bool": "true|false|1|0",
}
_NO_NUMBER = ("", "n/a")  # the second is how BIDS writes a missing number


def read_table(
    path: Path, columns: Mapping[str, Column], key: Sequence[str] = (), owners: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Read one table and check it.

    Parameters
    ----------
    path : Path
        Comma-separated if it ends in ``.csv``, else tab-separated; UTF-8 with a header row.
    columns : mapping of str to Column
        The columns that it must have.
    key : sequence of str
        Columns that together tell its rows apart.
    owners : mapping of str to str, optional
        See `wrong_cell`.

    Returns
    -------
    DataFrame
        All columns; those not in `columns` are text. Rows are counted from 0.

    Raises
    ------
    DataFormatError
        If a column is missing, or a cell is not what the catalog says of its column.
    """
    header, *rows = _cells(path)
    frame = pd.DataFrame(rows, columns=header, dtype="str")
    for name, column in columns.items():
        if name not in frame:
            raise DataFormatError(
                f"{path} has no column {name}{did_you_mean(name, header)}; it has {listed(header)}. Download it again"
            )
        frame[name] = _typed(frame[name], column.dtype, path)
    problem = wrong_cell(frame, columns, key, owners)
    if problem:
        raise DataFormatError(f"{path}, {problem}. Download the file again; spreadsheets change cells and order")
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
    for row, cell in enumerate(cells.to_numpy()):
        if not fits(cell):
            raise DataFormatError(
                f"{path}, column {cells.name}, row {row}: {cell!r} is no {dtype}; download the file again"
            )
    return cells.str.lower().isin(["true", "1"]) if dtype == "bool" else cells.astype(np.dtype(dtype))
