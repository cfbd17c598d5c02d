"""A data directory of small files for tests of loaders, and requests on it written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dask.array
import h5py
import numpy as np
import xarray as xr

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.models import Artifact
from laion_fmri.errors import DataNotDownloadedError
from laion_fmri.loaders import LocalFile, Request, get_loader


def entry(
    loader: str, path: str, layout: Mapping[str, Any], entities: Sequence[str] | Mapping[str, Any] = (), **more: Any
) -> Artifact:
    """An entry in the tree of the ROIs; its entities are any letters and digits where only named."""
    shared = load_catalog().artifact("rois").model_dump(by_alias=True)
    named = {name: {"description": "Any.", "pattern": "[A-Za-z0-9]+"} for name in entities}
    return Artifact.model_validate(
        {
            **{name: shared[name] for name in ("dataset", "remote", "access", "tree")},
            "loader": loader,
            "path": path,
            "entities": entities if isinstance(entities, Mapping) else named,
            "layout": layout,
            "size": {"bytes": 1000, "note": "one file"},
            **more,
        }
    )


def request(
    spec: Artifact, root: Path, choices: Sequence[Mapping[str, str]] = ({},), **options: Sequence[str]
) -> Request:
    """A request of the files that the path of the entry names with these values."""
    files = tuple(LocalFile(root / spec.path[0].format(**values), values) for values in choices)
    assert options.keys() <= spec.options.keys()

    def find(join: str, values: Mapping[str, str]) -> tuple[LocalFile, ...]:
        path = root / spec.joins[join].path[0].format(**values)
        if not path.is_file():
            raise DataNotDownloadedError(f"{path} is not here")
        return (LocalFile(path, values),)

    return Request(spec, files, {**dict.fromkeys(spec.options), **options}, find)


def read_both(asked: Request) -> xr.DataArray:
    """Read at once and lazily; they must agree."""
    loader = get_loader(asked.artifact.loader)
    eager, lazy = loader.read(asked), loader.to_dask(asked)
    assert isinstance(lazy.data, dask.array.Array)
    assert lazy.dtype == eager.dtype
    xr.testing.assert_identical(eager, lazy.compute(scheduler="synchronous"))
    return eager


def write_hdf5(path: Path, **datasets: Any) -> Path:
    """Write arrays and lists of text; a dict is what h5py's create_dataset takes."""
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            if isinstance(data, dict):
                file.create_dataset(name, **data)
            else:
                file[name] = data
    return path


def count_rows(monkeypatch: Any) -> list[int]:
    """Return a list that grows with the number of rows each time a numeric dataset of several dimensions is read."""
    found: list[int] = []
    whole = h5py.Dataset.__getitem__

    def counted(self: h5py.Dataset, key: Any) -> Any:
        values = whole(self, key)
        if np.ndim(values) > 1:
            found.append(len(values))
        return values

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    return found
