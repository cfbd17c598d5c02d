"""What stores of betas cost: ``python benchmarks/stores.py [--trials N] [--rounds N] [--folder FOLDER]``.

First, layouts: the same values, 1,044 trials of 272,080 voxels in float32, are written in each layout and read from it
again: 300 voxels in 50 runs (all trials of an ROI), one trial of all voxels, all trials of all voxels. Then the whole
way, from a session's compressed NIfTI to the labelled answer, by stream, by store, and as the existing client does.
Everything runs in a process of its own, one after the other, round after round; what is read is in the page cache.
Medians are printed.
"""

# ruff: noqa: D102
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, Protocol

import h5py
import numpy as np
import pandas as pd
import zarr

from laion_fmri.catalog import load_catalog
from laion_fmri.loaders import get_loader
from laion_fmri.loaders.store import StoreSeries
from laion_fmri.loaders.store_writer import write_values
from laion_fmri.loaders.zarr_format import METADATA, VALUES, Tiles
from laion_fmri.source import Source
from reading import ROI, SESSIONS, SUBJECT, describe, make, path, streamed

VOXELS, TRIAL = 272_080, 500
MANY = [f"{ses:02d}" for ses in range(1, 31)]


def runs() -> np.ndarray:
    """Return 300 voxels in 50 runs."""
    starts = np.sort(np.random.default_rng(0).choice(VOXELS // 6, 50, replace=False)) * 6
    return (starts[:, np.newaxis] + np.arange(6)).ravel()


def made_values(root: Path, trials: int) -> np.ndarray:
    """Return noise, trial by trial, in a file that is made once."""
    target = root / f"values-{trials}.npy"
    if not target.exists():
        np.save(target, np.random.default_rng(0).standard_normal((trials, VOXELS), dtype=np.float32))
    return np.load(target, mmap_mode="r")


# --- layouts


class Layout(Protocol):
    """How values are kept in a folder."""

    def write(self, folder: Path, values: np.ndarray) -> None: ...

    def read(self, folder: Path, trials: np.ndarray, voxels: np.ndarray) -> np.ndarray: ...


class Store:
    """The local store, written and read as this package does."""

    def write(self, folder: Path, values: np.ndarray) -> None:
        tiles = Tiles(*values.shape, values.dtype)
        rows = ((slice(row, row + 1), slice(0, VOXELS), value[np.newaxis]) for row, value in enumerate(values))
        write_values(folder / "values" / VALUES, tiles, SimpleNamespace(blocks=lambda *_: rows), None)
        metadata = tiles.metadata(("trial", "voxel"), {})
        (folder / "values" / METADATA).write_text(json.dumps(metadata))

    def read(self, folder: Path, trials: np.ndarray, voxels: np.ndarray) -> np.ndarray:
        metadata = json.loads((folder / "values" / METADATA).read_text())
        series = StoreSeries(folder / "values" / VALUES, Tiles(*metadata["shape"], np.dtype("float32")), Path())
        found = np.empty((len(trials), len(voxels)), np.float32)
        series.fill(trials, Columns(voxels), found)
        return found


class Columns:
    """As much of an axis as reading takes."""

    def __init__(self, columns: np.ndarray) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns)


class StoreByZarr(Store):
    """The same files, read by zarr-python."""

    def read(self, folder: Path, trials: np.ndarray, voxels: np.ndarray) -> np.ndarray:
        return part(zarr.open_array(folder / "values", mode="r"), trials, voxels)


class Zarr:
    """An array that zarr-python writes and reads."""

    def __init__(self, chunks: tuple[int, int], shards: tuple[int, int] | None = None, **given: Any) -> None:
        self.given = {"chunks": chunks, "shards": shards, "compressors": None, **given}

    def write(self, folder: Path, values: np.ndarray) -> None:
        given = {"shape": values.shape, "dtype": "float32", **self.given}
        array = zarr.create_array(folder / "values", **given)
        step = (self.given["shards"] or self.given["chunks"])[1]
        for start in range(0, VOXELS, max(step, 16_384)):
            array[:, start : start + max(step, 16_384)] = values[:, start : start + max(step, 16_384)]

    def read(self, folder: Path, trials: np.ndarray, voxels: np.ndarray) -> np.ndarray:
        return part(zarr.open_array(folder / "values", mode="r"), trials, voxels)


def part(array: zarr.Array, trials: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    if len(voxels) == VOXELS:
        return array[trials[0] : trials[-1] + 1]
    return array.oindex[slice(None), voxels]


class Hdf5:
    """A chunked dataset of an HDF5 file."""

    def __init__(self, chunks: tuple[int, int]) -> None:
        self.chunks = chunks

    def write(self, folder: Path, values: np.ndarray) -> None:
        with h5py.File(folder / "values.h5", "w") as file:
            data = file.create_dataset("values", values.shape, "float32", chunks=self.chunks)
            for start in range(0, VOXELS, 16_384):
                data[:, start : start + 16_384] = values[:, start : start + 16_384]

    def read(self, folder: Path, trials: np.ndarray, voxels: np.ndarray) -> np.ndarray:
        with h5py.File(folder / "values.h5") as file:
            data = file["values"]
            if len(voxels) == VOXELS:
                return data[trials[0] : trials[-1] + 1]
            return np.concatenate([data[:, run[0] : run[-1] + 1] for run in neighbours(voxels)], axis=1)


def neighbours(voxels: np.ndarray) -> Iterator[np.ndarray]:
    yield from np.split(voxels, np.flatnonzero(np.diff(voxels) != 1) + 1)


class Npy:
    """A memory map, voxel by voxel or trial by trial."""

    def __init__(self, voxel_major: bool) -> None:
        self.voxel_major = voxel_major

    def write(self, folder: Path, values: np.ndarray) -> None:
        if not self.voxel_major:
            np.save(folder / "values.npy", values)
            return
        target = np.lib.format.open_memmap(folder / "values.npy", "w+", np.float32, values.shape[::-1])
        for start in range(0, VOXELS, 4096):
            target[start : start + 4096] = values[:, start : start + 4096].T
        target.flush()

    def read(self, folder: Path, trials: np.ndarray, voxels: np.ndarray) -> np.ndarray:
        values = np.load(folder / "values.npy", mmap_mode="r")
        values = values.T if self.voxel_major else values
        values = values[trials[0] : trials[-1] + 1]
        return np.array(values if len(voxels) == VOXELS else values[:, voxels], order="C")


def layouts(trials: int) -> dict[str, Layout]:
    some = min(trials, 128)
    padded = -(-trials // some) * some
    return {
        "this store": Store(),
        "this store, read by zarr-python": StoreByZarr(),
        "Zarr, chunks (all, 256)": Zarr((trials, 256)),
        "Zarr, chunks (all, 64), shards (all, 16384)": Zarr((trials, 64), (trials, 16_384)),
        "Zarr, chunks (128, 512), shards (all, 16384)": Zarr((some, 512), (padded, 16_384)),
        "the same, compressed": Zarr((some, 512), (padded, 16_384), compressors="auto"),
        "HDF5, chunks (all, 64)": Hdf5((trials, 64)),
        "HDF5, chunks (128, 512)": Hdf5((some, 512)),
        ".npy, voxel by voxel": Npy(voxel_major=True),
        ".npy, trial by trial": Npy(voxel_major=False),
    }


def measure_layout(name: str, root: Path, trials: int) -> dict[str, float]:
    values, layout, folder = made_values(root, trials), layouts(trials)[name], root / "layout"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    found = {"write s": cpu(partial(layout.write, folder, values))}
    every, voxels, one = np.arange(trials), np.arange(VOXELS), np.array([min(TRIAL, trials - 1)])
    for what, rows, columns in [("ROI ms", every, runs()), ("trial ms", one, voxels), ("all ms", every, voxels)]:
        np.testing.assert_array_equal(layout.read(folder, rows, columns)[:, :9], values[rows][:, columns[:9]])
        found[what] = 1000 * wall(partial(layout.read, folder, rows, columns))
    files = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    shutil.rmtree(folder)
    return {**found, "files": len(files), "MB": sum(files) / 1e6}


# --- the whole way


def betas(root: Path, **given: object) -> Source:
    return Source("betas", "", load_catalog().artifact("betas"), {"subject": SUBJECT, **given}, data_dir=root)


def by_stream(root: Path) -> Path:
    """Return a folder with the same files and no store."""
    folder = root / "stream"
    if not folder.exists():
        shutil.copytree(root / "derivatives", folder / "derivatives", copy_function=os.link)
    return folder


def many(root: Path) -> Path:
    """Return a folder with 30 sessions that have the files and the store of the first, and tables of their own."""
    folder = root / "many"
    if not folder.exists():
        shutil.copytree(root / "derivatives", folder / "derivatives", copy_function=os.link)
        source = next((root / ".laion_fmri/store/betas").iterdir())
        table = pd.read_csv(path(root, "trials", subject=SUBJECT, ses=SESSIONS[0]), sep="\t")
        for ses in MANY:
            for target in (path(folder, name, subject=SUBJECT, ses=ses) for name in ("betas", "trials")):
                target.unlink(missing_ok=True)
            os.link(
                path(root, "betas", subject=SUBJECT, ses=SESSIONS[0]), path(folder, "betas", subject=SUBJECT, ses=ses)
            )
            table.assign(session=f"ses-{ses}").to_csv(
                path(folder, "trials", subject=SUBJECT, ses=ses), sep="\t", index=False
            )
            store = folder / ".laion_fmri/store/betas" / source.name.replace(f"ses-{SESSIONS[0]}", f"ses-{ses}")
            shutil.copytree(source, store, copy_function=os.link)
    return folder


def optimize(root: Path) -> None:
    shutil.rmtree(root / ".laion_fmri", ignore_errors=True)
    betas(root, ses=SESSIONS[0]).optimize()


def by_store(root: Path, **given: object) -> object:
    return betas(root, ses=SESSIONS[0]).read(**given)


CLIENT = "existing client, streaming, ROI"
WAYS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    CLIENT: (by_stream, lambda root: streamed(root, roi=True)),
    "stream, ROI": (by_stream, lambda root: by_store(root, roi=ROI)),
    "stream, whole brain": (by_stream, by_store),
    "optimize()": (Path, optimize),
    "store, ROI, first of a process": (Path, lambda root: by_store(root, roi=ROI)),
    "store, ROI": (Path, lambda root: by_store(root, roi=ROI)),
    "store, whole brain": (Path, by_store),
    "store, whole brain, z-scored": (Path, lambda root: by_store(root, zscore="session")),
    "store, ROI, 30 sessions": (many, lambda root: betas(root, ses=MANY).read(roi=ROI)),
}
REPEATED = ("store, ROI", "store, ROI, 30 sessions")


def measure_way(name: str, root: Path) -> dict[str, float]:
    """Run one way in this process; some once before, and then several times.

    Importing and reading the catalog are not what is measured.
    """
    get_loader(load_catalog().artifact("betas").loader)
    import_module("dask.array")  # as xarray does when it makes its first array
    prepare, way = WAYS[name]
    folder, times = prepare(root), 1
    if name in REPEATED:
        way(folder)
        times = 5
    peak = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the most memory so far
    spent = [both(partial(way, folder)) for _ in range(times)]
    return {
        "wall s": median(wall for wall, _ in spent),
        "CPU s": median(cpu for _, cpu in spent),
        "peak MB": memory("VmHWM") - peak,
    }


# --- measuring


def memory(key: str) -> float:
    """Return a number of /proc/self/status in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def both(work: Callable[[], object]) -> tuple[float, float]:
    start, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - before


def wall(work: Callable[[], object]) -> float:
    return both(work)[0]


def cpu(work: Callable[[], object]) -> float:
    return both(work)[1]


def run(kind: str, name: str, root: Path, trials: int) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(root), "--trials", str(trials), f"--{kind}", name]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def report(rounds: list[dict[str, dict[str, float]]], base: str | None = None) -> None:
    columns = list(next(iter(rounds[0].values())))
    print(f"\n{'':46}" + "".join(f"{column:>10}" for column in columns) + ("  client / this, CPU" if base else ""))
    found = {name: {key: median(one[name][key] for one in rounds) for key in columns} for name in rounds[0]}
    for name, one in found.items():
        numbers = "".join(f"{one[key]:10.3f}" if key.endswith(" s") else f"{one[key]:10.1f}" for key in columns)
        print(f"{name:46}{numbers}" + (f"{found[base]['CPU s'] / one['CPU s']:10.1f}" if base else ""), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1044)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the data are made and kept; temporary where left out")
    parser.add_argument("--layout", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.layout:
        print(json.dumps(measure_layout(given.layout, given.folder, given.trials)))
        return
    if given.way:
        print(json.dumps(measure_way(given.way, given.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = given.folder or Path(scratch)
        make(root, given.trials)
        made_values(root, given.trials)
        describe()
        for kind, names, base in [("layout", layouts(given.trials), None), ("way", WAYS, CLIENT)]:
            report([{name: run(kind, name, root, given.trials) for name in names} for _ in range(given.rounds)], base)


if __name__ == "__main__":
    main()
