"""The intake face: the driver that a catalog's entries name, and a catalog class that checks the whole file.

The only module that imports intake; all work is done by `laion_fmri.source.Source`.
"""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Any

from intake.catalog.local import YAMLFileCatalog
from intake.source.base import DataSource, Schema

from laion_fmri import display
from laion_fmri.catalog import catalog_path
from laion_fmri.catalog.check import check_catalog
from laion_fmri.catalog.models import Artifact, CatalogFile
from laion_fmri.errors import CatalogError
from laion_fmri.loaders import LOADERS
from laion_fmri.source import Source
from laion_fmri.storage.find import FileEntry
from laion_fmri.storage.plan import Plan


class ArtifactSource(DataSource):  # type: ignore[misc]
    """One artifact of a catalog, as an intake source.

    Call it to choose: ``cat.betas(subject="03")(ses="01")``. Calls add up; wrong names and values raise
    `SelectionError` at the call, missing ones when they are needed.

    Parameters
    ----------
    metadata : dict, optional
        Metadata of the catalog entry.
    **kwargs
        The entry's ``args:`` and what is chosen of it.
    """

    name = "laion_fmri"
    version = "1"
    container = "xarray"
    partition_access = False
    _ipython_display_ = None

    def __init__(self, metadata: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata=metadata)
        entry = {name: kwargs.pop(name) for name in Artifact.model_fields if name in kwargs}
        self.artifact = Artifact.model_validate(entry)
        self._given = kwargs
        self.container = self.core.describe()["container"]

    @property
    def core(self) -> Source:
        """The source without intake."""
        return Source(self.name, self.description or "", self.artifact, self._given, texts=self._texts())

    def _texts(self) -> Path | None:
        path = getattr(self.cat, "path", None)
        return Path(path).parent if isinstance(path, str) and Path(path).is_file() else None

    def configure_new(self, **given: Any) -> ArtifactSource:
        """Return a source with more chosen; what was chosen before stays."""
        self.core(**given)
        new = type(self)(**{**self._captured_init_kwargs, **given})
        new.name, new.description, new.cat, new._entry = self.name, self.description, self.cat, self._entry
        return new

    __call__ = get = configure_new

    def files(self) -> list[FileEntry]:
        """See `Source.files`."""
        return self.core.files()

    def plan(self) -> Plan:
        """See `Source.plan`."""
        return self.core.plan()

    def download(self, n_jobs: int = 1) -> ArtifactSource:
        """Fetch what is missing, as `Source.download` does, and return the source itself."""
        self.core.download(n_jobs)
        return self

    def read(self, **options: Any) -> Any:
        """See `Source.read`."""
        return self.core.read(**options)

    def to_dask(self, **options: Any) -> Any:
        """See `Source.to_dask`."""
        return self.core.to_dask(**options)

    read_chunked = to_dask

    def optimize(self) -> ArtifactSource:
        """Write local stores, as `Source.optimize` does, and return the source itself."""
        self.core.optimize()
        return self

    def sidecar(self) -> dict[Any, Any]:
        """See `Source.sidecar`."""
        return self.core.sidecar()

    def describe(self) -> dict[str, Any]:
        """See `Source.describe`."""
        return {**self.core.describe(), "metadata": self.metadata}

    def _get_schema(self) -> Schema:
        return Schema(dtype=self.artifact.layout.dtype, shape=None, npartitions=1, extra_metadata={})

    def _close(self) -> None:
        pass

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "name": self.name, "description": self.description}

    def __setstate__(self, state: dict[str, Any]) -> None:
        name, description = state.pop("name"), state.pop("description")
        super().__setstate__({**state, "args": tuple(state["args"]), "kwargs": dict(state["kwargs"])})
        self.name, self.description = name, description

    @property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.KEYWORD_ONLY
        names = {name: entity.default for name, entity in self.artifact.entities.items()}
        names |= {name: option.default for name, option in self.artifact.options.items()}
        return inspect.Signature([inspect.Parameter(name, kind, default=value) for name, value in names.items()])

    def __repr__(self) -> str:
        return display.source_text(self.core)

    def _repr_html_(self) -> str:
        return display.source_html(self.core)


class LaionCatalog(YAMLFileCatalog):  # type: ignore[misc]
    """A catalog file, checked as a whole when it is opened."""

    name = "laion_fmri_cat"
    _ipython_display_ = None

    def parse(self, text: str) -> None:
        """Check the text of the file; raise `CatalogError` with every mistake and its line."""
        path = str(self.path)
        model, problems = check_catalog(text, Path(path).parent, LOADERS)
        if model is None or problems:
            raise CatalogError([problem.render(path) for problem in problems])
        self._model = model
        super().parse(text)

    @property
    def model(self) -> CatalogFile:
        """The checked model of the file."""
        self.reload()
        return self._model

    def _descriptions(self) -> dict[str, str]:
        return {name: source.description for name, source in self.model.sources.items()}

    def __repr__(self) -> str:
        return display.catalog_text(self._title(), self._descriptions())

    def _repr_html_(self) -> str:
        return display.catalog_html(self._title(), self._descriptions())

    def _title(self) -> str:
        return f"{self.model.dataset.title} {self.model.dataset.release}"


def open_catalog(path: str | Path | None = None) -> LaionCatalog:
    """Open a catalog.

    Parameters
    ----------
    path : str or Path, optional
        A catalog file; the one that comes with the package where left out.

    Raises
    ------
    CatalogError
        With the line of every mistake of the file.

    Examples
    --------
    >>> cat = open_catalog()
    >>> cat.betas(subject=3, ses=[1, 2]).describe()["selection"]
    {'subject': ['03'], 'ses': ['01', '02']}
    """
    return LaionCatalog(str(path or catalog_path()), ttl=None)


@cache
def _builtin() -> LaionCatalog:
    return open_catalog()


def __getattr__(name: str) -> Any:
    if name == "builtin":
        return _builtin()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
