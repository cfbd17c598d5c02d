"""Whether the cells of a table are those that the catalog lets it have; pure. Rows are counted from 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from laion_fmri.catalog.image_names import ImageNames
from laion_fmri.catalog.layout import Column
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import UnknownNameError


def wrong_cell(
    table: pd.DataFrame, columns: Mapping[str, Column], key: Sequence[str] = (), owners: Mapping[str, str] | None = None
) -> str | None:
    """Return where a cell is that the catalog does not allow, and why; None for a good table.

    Parameters
    ----------
    table : DataFrame
        Has all `columns`, with their dtypes, and is indexed by row.
    columns : mapping of str to Column
        What the catalog says of them.
    key : sequence of str
        Columns that together tell rows apart.
    owners : mapping of str to str, optional
        By column of names of images: the only subject whose own images may stand in it.

    Examples
    --------
    >>> table = pd.DataFrame({"day": ["mon", "tue", "mon"], "use": [1, 1, 2]})
    >>> wrong_cell(table, {}, ["day"])
    "column day, row 2: 'mon' stands in row 0 too"
    """
    for name, column in columns.items():
        cells = table[name]
        owner = (owners or {}).get(name)
        problem = _miscounted(cells, column) or _impossible(cells, column) or _misnamed(cells, column, owner)
        if problem:
            row, why = problem
            return f"column {name}, row {row}: {why}"
    return _repeated(table, key)


def _miscounted(cells: pd.Series[Any], column: Column) -> tuple[int, str] | None:
    row = _first(cells != np.arange(len(cells))) if column.counts else None
    return None if row is None else (row, f"{cells[row]}, not {row}; it counts the rows in their order")


def _impossible(cells: pd.Series[Any], column: Column) -> tuple[int, str] | None:
    if not column.values:
        return None
    possible = [int(value) for value in column.values] if column.dtype == "int64" else column.values
    row = _first(~cells.isin(possible))
    if row is None:
        return None
    found = str(cells[row])
    return row, f"{found!r} is not one of {listed(column.values)}{did_you_mean(found, column.values)}"


def _misnamed(cells: pd.Series[Any], column: Column, owner: str | None) -> tuple[int, str] | None:
    return None if column.names is None else wrong_name(cells.tolist(), column.names, owner)


def wrong_name(names: Iterable[str], rules: ImageNames, owner: str | None = None) -> tuple[int, str] | None:
    """Return the row of the first wrong cell, and why; None where all cells are right.

    A cell is wrong that is no name of an image, or that of one which only another subject than `owner` saw.
    """
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, row)
    for name, row in rows.items():
        try:
            image = rules.parse(name)
        except UnknownNameError as error:
            return row, str(error)
        if owner and image.owner not in (None, owner):
            return row, f"{name!r} is an image of {image.owner} alone, and the table is that of {owner}"
    return None


def _repeated(table: pd.DataFrame, key: Sequence[str]) -> str | None:
    columns = table[[*key]]
    row = _first(columns.duplicated()) if key else None
    if row is None:
        return None
    cells = [columns[name].tolist()[row] for name in key]
    before = _first((columns == cells).all(axis=1))
    what = "columns" if len(key) > 1 else "column"
    return f"{what} {listed(key)}, row {row}: {', '.join(map(repr, cells))} stands in row {before} too"


def _first(wrong: pd.Series[bool]) -> int | None:
    """Return the first row that is wrong."""
    rows = np.flatnonzero(wrong)
    return int(rows[0]) if len(rows) else None
