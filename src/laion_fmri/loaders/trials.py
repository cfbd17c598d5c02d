"""The trial table of a file of volumes: which trial each volume belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from laion_fmri.catalog.layout import Column
from laion_fmri.catalog.models import FileSpec
from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import LocalFile, Request
from laion_fmri.loaders.joined import read_joined
from laion_fmri.loaders.nifti import Array
from laion_fmri.loaders.voxels import Owner

INDEX, SESSION, LABEL = "beta_index", "session", "label"
KEY, REPETITION = "trial_key", "repetition"

_COLUMNS = {  # what every trial table has, whatever else its catalog entry declares
    INDEX: Column(dtype="int64", description="Volume, counted from 0.", counts=True),
    SESSION: Column(dtype="str", description="Session, as file names write it."),
    LABEL: Column(dtype="str", description="Name of the stimulus."),
}


def read_trials(request: Request, file: LocalFile, volumes: int, owner: Owner) -> pd.DataFrame:
    """Read the trial table that belongs to a file of volumes, and give each trial a key.

    Parameters
    ----------
    request : Request
        Has a join ``trials``.
    file : LocalFile
        The file of volumes.
    volumes : int
        How many it has.
    owner : Owner
        Whose brain it is about; the other entity of a trial table is its session.

    Returns
    -------
    DataFrame
        One row for each volume. Beside its own columns it has the owner and ``trial_key``: the entities of the file
        and the volume, such as ``sub-03_ses-01_0007``, which is the same in every selection.

    Raises
    ------
    DataFormatError
        If the rows are not those of the volumes, naming table, file and the first wrong row.
    """
    join = request.artifact.joins["trials"]
    shared = {name: value for name, value in file.entities.items() if name in join.entities}
    (found,) = request.find("trials", shared)
    table = read_joined(request, join, found, _COLUMNS)
    problem = _count_problem(table, volumes) or _session_problem(table, join, shared, owner)
    if problem:
        raise DataFormatError(
            f"{found.path} does not fit {file.path}: {problem}; a trial table has one row for each volume, "
            "in their order. Download both files again"
        )
    return _keyed(table, found.path, request.artifact, file.entities, owner)


def keyed_trials(request: Request, file: LocalFile, owner: Owner) -> pd.DataFrame:
    """Read a trial table without the file of its volumes.

    Parameters
    ----------
    request : Request
        Of trial tables.
    file : LocalFile
        One of them.
    owner : Owner
        As for `read_trials`, which returns the same.

    Raises
    ------
    DataFormatError
        If its rows do not count the volumes of its session from 0.
    """
    spec = request.artifact
    table = read_joined(request, spec, file, _COLUMNS)
    problem = _session_problem(table, spec, file.entities, owner)
    if problem:
        raise DataFormatError(f"{file.path}: {problem}; download it again")
    return _keyed(table, file.path, spec, file.entities, owner)


def _keyed(table: pd.DataFrame, path: Path, spec: FileSpec, values: Mapping[str, str], owner: Owner) -> pd.DataFrame:
    for name in (KEY, REPETITION):
        if name in table:
            raise DataFormatError(f"{path} has a column {name}, the name of a coordinate of trials; rename it")
    keys = {name: entity.key_of(name) for name, entity in spec.entities.items()}
    stem = "_".join(f"{key}-{values[name]}" for name, key in keys.items() if name in values)
    return table.assign(**dict(owner), **{KEY: [f"{stem}_{index:04d}" for index in table[INDEX]]})


def _count_problem(table: pd.DataFrame, volumes: int) -> str | None:
    if len(table) == volumes:
        return None
    where = f"volume {len(table)} has no row" if len(table) < volumes else f"row {volumes} has no volume"
    return f"{len(table)} rows for {volumes} volumes, {where}"


def _session_problem(table: pd.DataFrame, spec: FileSpec, values: Mapping[str, str], owner: Owner) -> str | None:
    for name in values.keys() - dict(owner).keys():
        session = f"{spec.entities[name].key_of(name)}-{values[name]}"
        wrong = np.flatnonzero(table[SESSION] != session)
        if len(wrong):
            return f"column {SESSION}, row {wrong[0]} is {table[SESSION][wrong[0]]}, not {session}"
    return None


def repetitions(table: pd.DataFrame, owners: Iterable[str]) -> pd.Series[int]:
    """Return how often each trial's image came before among these trials of its owner, in the order of sessions."""
    return table.sort_values([SESSION, INDEX], kind="stable").groupby([*owners, LABEL]).cumcount()


def matching(table: pd.DataFrame, pattern: str | None) -> Array:
    """Return the rows whose label matches a glob pattern, ascending; all rows for None."""
    if pattern is None:
        return np.arange(len(table))
    return np.flatnonzero([fnmatchcase(label, pattern) for label in table[LABEL]])
