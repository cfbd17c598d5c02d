"""Loader ``text``: text files as they are. No options, no joins."""

from __future__ import annotations

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


def read(request: Request) -> str | dict[Any, str]:
    """Read text files.

    Parameters
    ----------
    request : Request
        One or more files.

    Returns
    -------
    str
        The content of a single file. Several files: a dictionary of texts, by the value of the entity in which the
        files differ (``"01"``), or by the tuple of values where they differ in several.

    Raises
    ------
    DataFormatError
        If a file is not UTF-8.
    """
    texts: str | dict[Any, str] = one_or_each(request.files, [_content(file.path) for file in request.files])
    return texts


def to_dask(request: Request) -> NoReturn:
    """Refuse: a text is small."""
    names = listed(file.path.name for file in request.files)
    raise SelectionError(f"a text has no lazy form ({names}); it is small, use read()")


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{path} is not UTF-8 text: {error}; download it again") from error
