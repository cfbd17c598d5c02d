"""Loader ``table``: TSV and CSV files as pandas data frames. No options.

Joins: those that columns name in ``known_in``, where they are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import pandas as pd

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import listed
from laion_fmri.errors import SelectionError
from laion_fmri.loaders import Request
from laion_fmri.loaders.delimited import stack
from laion_fmri.loaders.joined import read_joined


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading cannot do without: none."""
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
        If a column is missing, or a cell is not what the catalog says of its column, naming file, column and row.
    """
    spec = request.artifact
    tables = [(read_joined(request, spec, file), file.entities) for file in request.files]
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


def _tells(frame: pd.DataFrame, token: str) -> bool:
    """Tell whether a column holds an entity, as file names write it, in every row."""
    return any((frame[column] == token).all() for column in frame)


def _with_origin(frame: pd.DataFrame, values: Mapping[str, str]) -> pd.DataFrame:
    added = {name: value for name, value in values.items() if name not in frame}
    return pd.concat([pd.DataFrame(added, frame.index, dtype="str"), frame], axis=1)
