"""Floor 3: one module per kind of file; local paths in, labelled objects out.

A catalog entry names its loader; `get_loader` imports the module on first use, so that a catalog can be
browsed without NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import did_you_mean
from laion_fmri.errors import CatalogError

LOADERS = {
    "arrays": "laion_fmri.loaders.arrays",
    "files": "laion_fmri.loaders.files",
    "images": "laion_fmri.loaders.images",
    "json": "laion_fmri.loaders.json",
    "masks": "laion_fmri.loaders.masks",
    "matrix": "laion_fmri.loaders.matrix_file",
    "recon": "laion_fmri.loaders.recon",
    "split": "laion_fmri.loaders.split",
    "surface_label": "laion_fmri.loaders.surface_label",
    "surface_map": "laion_fmri.loaders.surface_map",
    "table": "laion_fmri.loaders.table",
    "text": "laion_fmri.loaders.text",
    "volume": "laion_fmri.loaders.volume",
    "volume_series": "laion_fmri.loaders.volume_series",
    "voxel_map": "laion_fmri.loaders.voxel_map",
    "voxel_series": "laion_fmri.loaders.voxel_series",
    "voxel_timeseries": "laion_fmri.loaders.voxel_timeseries",
}

STORED = frozenset({"voxel_series"})
"""The loaders that have `optimize`: those that read from a local store where there is one."""

SOURCE, REMOTE = "source", "remote"
"""The option that says where files are read from, and its value for which they need not be here."""

STREAMED = frozenset({"volume", "volume_series", "voxel_map", "voxel_series", "voxel_timeseries"})
"""The loaders that read their files from front to back, wherever they are."""

Allocate = Callable[[tuple[int, ...], Any], Any]
"""``numpy.empty``, or what takes its place: an array of a shape and a dtype, whose values do not matter."""


@dataclass(frozen=True)
class LocalFile:
    """A file that is here, with the entity values of its name (labels as local names write them)."""

    path: Path
    entities: Mapping[str, str]


Find = Callable[[str, Mapping[str, str]], tuple[LocalFile, ...]]


@dataclass(frozen=True)
class Request:
    """What a loader is asked to read.

    Attributes
    ----------
    artifact : Artifact
        The catalog entry.
    files : tuple of LocalFile
        In the order of the selection; all of them exist.
    options : mapping
        Every option of the entry, checked; None where it has neither value nor default.
    find : callable
        ``find(join, {"subject": "03", "ses": "01"})`` returns the local files of a join, or raises
        `DataNotDownloadedError` with the command that fetches them.
    allocate : callable, optional
        Makes the array that a series of volumes is read into; in memory where left out.
    stores : Path, optional
        Folder of the artifact's local stores, called like it; none is used where left out.
    """

    artifact: Artifact
    files: tuple[LocalFile, ...]
    options: Mapping[str, Any]
    find: Find
    allocate: Allocate | None = None
    stores: Path | None = None


class Loader(Protocol):
    """What a loader module offers."""

    def needs(self, artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the joins that reading with these options takes."""

    def read(self, request: Request) -> Any:
        """Return the labelled object in memory."""

    def to_dask(self, request: Request) -> Any:
        """Return the same object, read piece by piece when it is computed."""


def get_loader(name: str) -> Loader:
    """Return the loader of this name."""
    if name not in LOADERS:
        raise CatalogError([f"there is no loader {name}{did_you_mean(name, LOADERS)}"])
    return import_module(LOADERS[name])
