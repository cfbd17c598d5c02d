"""Datasets of HDF5 files, row by row. A file is open only while it is read, so that tasks can go to other processes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from laion_fmri.catalog.models import Layout
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import DataFormatError

Array = NDArray[Any]

_BLOCK_BYTES = 2**24  # of a dask chunk, about


@dataclass(frozen=True)
class Stored:
    """A dataset of an HDF5 file.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Name of the dataset.
    shape : tuple of int
        Its shape; the first dimension is that of the rows.
    dtype : dtype
        Its type.
    chunk_rows : int
        Number of rows that the file stores together.
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk_rows: int

    @property
    def row_bytes(self) -> int:
        """Size of one row in memory."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize


def stored(path: Path, layout: Layout, role: str, ndim: int) -> Stored:
    """Find a dataset of a file.

    Parameters
    ----------
    path : Path
        An HDF5 file.
    layout : Layout
        Its `datasets` say what the dataset is called; where they do not, it is called like its role.
    role : str
        What the dataset holds.
    ndim : int
        How many dimensions it must have.

    Raises
    ------
    DataFormatError
        If the file is not HDF5, or has no such dataset.
    """
    name = layout.datasets.get(role, role)
    with _opened(path) as file:
        found, names = file.get(name), [str(member) for member in file]
        if not isinstance(found, h5py.Dataset):
            raise DataFormatError(
                f"{path} has no dataset {name} ({role}){did_you_mean(name, names)}; it has {listed(names) or 'none'}. "
                "Download it again"
            )
        if found.ndim != ndim:
            raise DataFormatError(
                f"{path}, dataset {name} has shape {found.shape}; expected {ndim} dimensions. Download it again"
            )
        return _described(path, name, found)


def every_stored(path: Path) -> dict[str, Stored]:
    """Return all datasets of a file by their names (``"group/name"``), sorted, but for those that hold nothing at all.

    Raises
    ------
    DataFormatError
        If the file is not HDF5.
    """
    found: dict[str, Stored] = {}

    def note(name: str, member: Any) -> None:
        if isinstance(member, h5py.Dataset) and member.shape is not None:
            found[name] = _described(path, name, member)

    with _opened(path) as file:
        file.visititems(note)
    return dict(sorted(found.items()))


def _described(path: Path, name: str, found: Any) -> Stored:
    return Stored(path, name, found.shape, found.dtype, found.chunks[0] if found.chunks else 1)


def read_rows(source: Stored, rows: Array, dtype: np.dtype[Any]) -> Array:
    """Read some rows of a dataset, each once.

    Parameters
    ----------
    source : Stored
        The dataset.
    rows : array of int, shape (row,)
        Positions of rows, in any order, with or without repeats.
    dtype : dtype
        Type of the answer.

    Returns
    -------
    array of dtype, shape (row, ...)

    Raises
    ------
    DataFormatError
        If the file is damaged.
    """
    ascending, back = np.unique(rows, return_inverse=True)
    first, stop = (int(ascending[0]), int(ascending[-1]) + 1) if len(ascending) else (0, 0)
    with _opened(source.path) as file:
        dataset = file[source.name]
        whole = stop - first == len(ascending)
        values = np.asarray(dataset[first:stop], dtype) if whole else _scattered(source, dataset, ascending, dtype)
    return values if np.array_equal(rows, ascending) else values[back]


def _scattered(source: Stored, dataset: Any, rows: Array, dtype: np.dtype[Any]) -> Array:
    """Read ascending rows, going once to those that the file stores together; h5py's own choice of rows is slow."""
    values = np.empty((len(rows), *source.shape[1:]), dtype)
    breaks = np.flatnonzero(np.diff(rows // source.chunk_rows)) + 1
    for places in np.split(np.arange(len(rows)), breaks):
        first, last = rows[places[0]], rows[places[-1]]
        values[places] = dataset[first : last + 1][rows[places] - first]
    return values


def lazy_rows(source: Stored, rows: Array, dtype: np.dtype[Any]) -> Any:
    """Return the same as `read_rows` as a dask array, in chunks of about 16 MiB that are whole chunks of the file."""
    import dask
    import dask.array as da

    step = max(1, _BLOCK_BYTES // max(1, source.row_bytes) // source.chunk_rows) * source.chunk_rows
    parts = [rows[start : start + step] for start in range(0, max(1, len(rows)), step)]
    lazy = [dask.delayed(read_rows)(source, part, dtype) for part in parts]
    shapes = [(len(part), *source.shape[1:]) for part in parts]
    return da.concatenate([da.from_delayed(one, shape, dtype) for one, shape in zip(lazy, shapes, strict=True)])


def is_text(source: Stored) -> bool:
    """Tell whether a dataset holds text."""
    return h5py.check_string_dtype(source.dtype) is not None


def read_text(source: Stored) -> Array:
    """Read a dataset of UTF-8 text.

    Returns
    -------
    array of str, of the shape of the dataset
    """
    with _opened(source.path) as file:
        dataset = file[source.name]
        if not is_text(source):
            raise DataFormatError(
                f"{source.path}, dataset {source.name} holds {dataset.dtype}, not text; download it again"
            )
        return np.array(dataset.asstr()[()], dtype=str)


def stored_bytes(path: Path, layout: Layout, role: str) -> Stored:
    """Find a dataset of a file whose rows are bytes, each of a length of its own; see `stored`."""
    source = stored(path, layout, role, 1)
    if h5py.check_vlen_dtype(source.dtype) != np.uint8:
        raise DataFormatError(
            f"{path}, dataset {source.name} holds {source.dtype}; expected bytes of variable length. Download it again"
        )
    return source


def read_bytes(source: Stored, rows: Iterable[int]) -> list[bytes]:
    """Read some rows of a dataset that `stored_bytes` found, in the order given; no others are read."""
    with _opened(source.path) as file:
        dataset = file[source.name]
        return [dataset[int(row)].tobytes() for row in rows]


def read_number(source: Stored) -> Array:
    """Read a dataset that has no dimension."""
    with _opened(source.path) as file:
        return np.asarray(file[source.name][()])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataFormatError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError) as error:
        raise DataFormatError(f"{path} cannot be read as HDF5: {error}; download it again") from error
