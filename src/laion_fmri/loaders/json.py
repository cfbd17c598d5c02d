"""Loader ``json``: JSON files as dictionaries. No options, no joins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import listed
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request
from laion_fmri.loaders.several import one_or_each


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> dict[Any, Any]:
    """Read JSON files.

    Parameters
    ----------
    request : Request
        One or more files.

    Returns
    -------
    dict
        The content of a single file. Several files: one such dictionary for each, by the value of the entity in which
        the files differ (``"01"``), or by the tuple of values where they differ in several.

    Raises
    ------
    DataFormatError
        If a file is not JSON, or holds something else than an object.
    """
    contents: dict[Any, Any] = one_or_each(request.files, [read_object(file.path) for file in request.files])
    return contents


def to_dask(request: Request) -> NoReturn:
    """Refuse: a JSON file is small."""
    names = listed(file.path.name for file in request.files)
    raise SelectionError(f"a JSON file has no lazy form ({names}); it is small, use read()")


def read_object(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds; raise DataFormatError if it holds anything else."""
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataFormatError(f"{path} cannot be read as JSON: {error}; download it again") from error
    if not isinstance(content, dict):
        raise DataFormatError(f"{path} holds a JSON {type(content).__name__}, not an object; download it again")
    return content
