"""Loader ``files``: files that are not read, as paths. No options, no joins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import listed
from laion_fmri.errors import SelectionError
from laion_fmri.loaders import Request
from laion_fmri.loaders.several import differing, folder_of


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> dict[Any, Path]:
    """Return where the files are.

    Parameters
    ----------
    request : Request
        One or more files.

    Returns
    -------
    dict of str to Path
        By the name of the file in its folder, with ``/`` where it lies deeper. Files of several folders: by tuples of
        the values of the entities in which the folders differ, and the name (``("01", "figure.png")``).
    """
    rest = request.artifact.rest
    folders = [name for name in differing(request.files) if name != rest]
    found: dict[Any, Path] = {}
    for file in request.files:
        name = file.path.relative_to(folder_of(file, rest)).as_posix()
        found[*(file.entities[entity] for entity in folders), name] = file.path
    return found if folders else {name: path for (name,), path in found.items()}


def to_dask(request: Request) -> NoReturn:
    """Refuse: nothing is read."""
    names = listed(file.path.name for file in request.files)
    raise SelectionError(f"files that are not read have no lazy form ({names}); use read(), which gives their paths")
