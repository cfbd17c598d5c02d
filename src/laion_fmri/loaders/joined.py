"""A table and what it has to agree with: its file name, and other tables."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from laion_fmri.catalog.artifacts import FileSpec
from laion_fmri.catalog.layout import Column, Layout, Reference
from laion_fmri.catalog.words import did_you_mean
from laion_fmri.errors import DataFormatError, DataNotDownloadedError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.delimited import read_table


def read_joined(
    request: Request, spec: FileSpec, file: LocalFile, needed: Mapping[str, Column] | None = None
) -> pd.DataFrame:
    """Read a table and check it, also against its file name and against other tables, where those are here.

    Parameters
    ----------
    request : Request
        Has the joins that columns name in ``known_in``.
    spec : FileSpec
        What the catalog says of the table.
    file : LocalFile
        The table.
    needed : mapping of str to Column, optional
        Columns that a loader needs, whatever the catalog says.

    Returns
    -------
    DataFrame
        As of `read_table`.

    Raises
    ------
    DataFormatError
        If the table is wrong in itself; if an image that one subject saw stands in the table of another; if a cell has
        to stand in another table and does not.
    """
    layout = _with_columns(spec.layout, needed or {})
    owners = {
        name: f"{spec.entities[column.owner].key_of(column.owner)}-{file.entities[column.owner]}"
        for name, column in layout.columns.items()
        if column.owner
    }
    table = read_table(file.path, layout.columns, layout.key, owners)
    for name, column in layout.columns.items():
        if column.known_in is not None:
            _require_known(request, file, table[name], column.known_in)
    return table


def _with_columns(layout: Layout, needed: Mapping[str, Column]) -> Layout:
    """Return a layout that has the columns which a loader needs, of the loader's dtypes and counted where it counts."""
    columns = dict(layout.columns)
    for name, column in needed.items():
        told = columns.get(name, column)
        columns[name] = told.model_copy(update={"dtype": column.dtype, "counts": column.counts or told.counts})
    return layout.model_copy(update={"columns": columns})


def _require_known(request: Request, file: LocalFile, cells: pd.Series[str], where: Reference) -> None:
    entities = request.artifact.joins[where.join].entities
    try:
        others = request.find(where.join, {name: value for name, value in file.entities.items() if name in entities})
    except DataNotDownloadedError:
        return
    for other in others:
        status = other.path.stat()
        known = _texts(other.path, where.column, status.st_size, status.st_mtime_ns)
        wrong = np.flatnonzero(~cells.isin(known))
        if len(wrong):
            cell = cells[wrong[0]]
            raise DataFormatError(
                f"{file.path}, column {cells.name}, row {wrong[0]}: {cell!r} is not in column {where.column} of "
                f"{other.path}{did_you_mean(cell, known) or '.'} Download both files again"
            )


@lru_cache(maxsize=4)
def _texts(path: Path, column: str, size: int, changed: int) -> frozenset[str]:
    """Return the cells of a column; read once for each state of a file, however many tables are checked against it."""
    return frozenset(read_table(path, {column: Column(dtype="str", description="Of a join.")})[column])
