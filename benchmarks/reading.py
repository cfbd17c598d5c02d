"""What reading betas costs: ``python benchmarks/reading.py [--trials N] [--rounds N] [--folder FOLDER]``.

A session on the real grid is made once: 143 x 143 x 143 voxels, noise in a brain of 9.3 % of them, zeros outside,
float32, gzip level 1. Each way of reading it runs in a process of its own, one after the other, and that round after
round, so that whatever else the machine does meets all of them alike. Printed is the least of all rounds, as other work
only ever adds: wall seconds, CPU seconds of program and of the kernel, and the most memory above that before reading.
The sum of both as a multiple of the bare inflate is the median of the rounds: beside each way, a bare inflate runs just
before it and just after it in the same process, as other work changes how fast either is.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from statistics import median

import nibabel
import numpy as np
import pandas as pd
from isal import igzip

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.templates import fields, fill
from laion_fmri.loaders import get_loader
from laion_fmri.source import Source

GRID = (143, 143, 143)
AFFINE = np.diag([-1.778, 1.778, 1.778, 1.0])
HALF_AXES = (0.625, 0.535, 0.542)  # of the brain, in half grids: 9.3 % of the voxels
SUBJECT, ROI, ROI_VOXELS = "03", "FFA1", 300
SESSIONS = ("01", "02")
VOLUME = int(np.prod(GRID)) * 4


# --- the data


def make(root: Path, trials: int) -> None:
    """Write what reading needs, unless it is there."""
    if (root / "done").exists():
        return
    print(f"making a session of {trials} trials in {root}", flush=True)
    chance = np.random.default_rng(0)
    centred = (np.indices(GRID).reshape(3, -1).T - (np.array(GRID) - 1) / 2) / (np.array(GRID) / 2)
    brain = ((centred / HALF_AXES) ** 2).sum(1).reshape(GRID) <= 1
    places = np.argwhere(brain)
    near = np.argsort(((places - [71, 36, 60]) ** 2).sum(1), kind="stable")[:ROI_VOXELS]
    roi = np.zeros(GRID, bool)
    roi[tuple(places[near].T)] = True
    save(path(root, "brain_mask", subject=SUBJECT, res="1pt8"), brain.astype(np.uint8))
    save(path(root, "rois", subject=SUBJECT, res="1pt8", category="face", label=ROI), roi.astype(np.uint8))
    first, *others = (path(root, "betas", subject=SUBJECT, ses=ses) for ses in SESSIONS)
    write_betas(first, brain, trials, chance)
    for other in others:
        shutil.copyfile(first, other)
    for ses in SESSIONS:
        rows = range(trials)
        table = {"session": f"ses-{ses}", "run": 1, "beta_index": rows, "label": [image(row) for row in rows]}
        pd.DataFrame(table).to_csv(path(root, "trials", subject=SUBJECT, ses=ses), sep="\t", index=False)
    (root / "done").touch()


def image(row: int) -> str:
    return f"unique_LAION_new_cluster_{row // 2}_i0_p04.jpg"


def path(root: Path, artifact: str, **values: str) -> Path:
    template = next(one for one in load_catalog().artifact(artifact).path if set(fields(one)) == set(values))
    found = root / fill(template, values)
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def save(target: Path, data: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(data, AFFINE), target)


def write_betas(target: Path, brain: np.ndarray, trials: int, chance: np.random.Generator) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape((*GRID, trials))
    header.set_data_dtype(np.float32)
    header.set_sform(AFFINE, 1)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    mean = chance.normal(0.3, 0.5, brain.sum()).astype(np.float32)
    volume = np.zeros(GRID, np.float32, order="F")
    with gzip.open(target, "wb", compresslevel=1) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(trials):
            volume[brain] = mean + chance.standard_normal(len(mean), dtype=np.float32)
            file.write(volume.tobytes("F"))


# --- the ways


def bold(root: Path) -> Path:
    return path(root, "betas", subject=SUBJECT, ses=SESSIONS[0])


def masked(root: Path, roi: bool) -> np.ndarray:
    file = path(root, "brain_mask", subject=SUBJECT, res="1pt8")
    if roi:
        file = path(root, "rois", subject=SUBJECT, res="1pt8", category="face", label=ROI)
    return np.asarray(nibabel.load(file).dataobj) != 0


def ours(root: Path, **given: object) -> object:
    artifact = load_catalog().artifact("betas")
    return Source("betas", "", artifact, {"subject": SUBJECT, "ses": SESSIONS[0]}, data_dir=root).read(**given)


def lazily(root: Path) -> object:
    artifact = load_catalog().artifact("betas")
    source = Source("betas", "", artifact, {"subject": SUBJECT, "ses": SESSIONS[0]}, data_dir=root)
    return source.to_dask().compute(scheduler="synchronous")


def in_processes(root: Path) -> None:
    """Read each session in a process of its own; the answers stay there."""
    with ProcessPoolExecutor(len(SESSIONS), get_context("fork")) as pool:
        list(pool.map(_one_session, [root] * len(SESSIONS), SESSIONS))


def _one_session(root: Path, ses: str) -> None:
    ours(root, ses=ses)


def whole_load(root: Path, roi: bool) -> object:
    """Read as the existing client does: the whole 4-D array, then the mask of each volume."""
    mask = masked(root, roi)
    data = np.asarray(nibabel.load(bold(root)).dataobj, dtype=np.float32)
    return np.stack([data[..., trial][mask] for trial in range(data.shape[3])])


def streamed(root: Path, roi: bool) -> object:
    """Read as the existing client does on request: one gzip pass, one volume at a time."""
    mask = masked(root, roi).ravel()
    trials = nibabel.load(bold(root)).shape[3]
    answer = np.empty((trials, mask.sum()), np.float32)
    with gzip.open(bold(root)) as file:
        file.read(352)
        for row in answer:
            volume = np.frombuffer(file.read(VOLUME), np.float32).reshape(GRID, order="F")
            row[:] = volume.flatten()[mask]
    return answer


def inflate(root: Path) -> None:
    with igzip.open(bold(root)) as file:
        while file.read(1 << 20):
            pass


def new_memory(root: Path) -> object:
    voxels, trials = masked(root, roi=False).sum(), nibabel.load(bold(root)).shape[3]
    answer = np.empty((trials, voxels), np.float32)
    answer[:] = 1
    return answer


def memcpy(root: Path) -> None:
    one, other = np.ones(VOLUME, np.uint8), np.empty(VOLUME, np.uint8)
    for _ in range(nibabel.load(bold(root)).shape[3]):
        other[:] = one


WAYS: dict[str, Callable[[Path], object]] = {
    "memcpy of the unpacked bytes": memcpy,
    "filling new memory of the answer": new_memory,
    "bare inflate (ISA-L)": inflate,
    "read(), whole brain": ours,
    "read(), ROI of 300 voxels": lambda root: ours(root, roi=ROI),
    "read(), z-scored": lambda root: ours(root, zscore="session"),
    "read(), averaged over repetitions": lambda root: ours(root, average="image"),
    "to_dask(), whole brain, one thread": lazily,
    "read(), two sessions": lambda root: ours(root, ses=list(SESSIONS)),
    "read(), two sessions in two processes": in_processes,
    "read(), whole brain, without isal": ours,
    "existing client, whole brain": lambda root: whole_load(root, False),
    "existing client, ROI": lambda root: whole_load(root, True),
    "existing client, streaming, whole brain": lambda root: streamed(root, False),
    "existing client, streaming, ROI": lambda root: streamed(root, True),
}
WITHOUT_ISAL = "read(), whole brain, without isal"


# --- measuring


def status(key: str) -> float:
    """Return a number of /proc/self/status in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def spent() -> np.ndarray:
    """Return the CPU seconds of this process and those that it has waited for: of program and of the kernel."""
    every = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return np.sum([(one.ru_utime, one.ru_stime) for one in every], axis=0)


def measure(name: str, root: Path) -> dict[str, float]:
    """Run one way in this process; importing and reading the catalog are not what is measured."""
    if name == WITHOUT_ISAL:
        sys.modules["isal.igzip"] = None  # type: ignore[assignment]
    get_loader(load_catalog().artifact("betas").loader)
    import_module("dask.array")  # as xarray does when it makes its first array
    inflate(root)
    inflating = inflate_seconds(root)
    Path("/proc/self/clear_refs").write_text("5")  # forget the most memory so far
    memory, start, before = status("VmRSS"), time.perf_counter(), spent()
    kept = WAYS[name](root)
    user, kernel = spent() - before
    return {
        "wall": time.perf_counter() - start,
        "user": user,
        "kernel": kernel,
        "peak": status("VmHWM") - memory,
        "answer": getattr(kept, "nbytes", 0) / 2**20,
        "x inflate": (user + kernel) / ((inflating + inflate_seconds(root)) / 2),
    }


def inflate_seconds(root: Path) -> float:
    before = spent().sum()
    inflate(root)
    return float(spent().sum() - before)


def run(name: str, root: Path) -> dict[str, float]:
    """Run one way in a process of its own."""
    command = [sys.executable, __file__, "--folder", str(root), "--way", name]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def describe() -> None:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    memory = next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()) / 2**20
    system = f"{platform.system()} {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    print(f"{model}, {os.cpu_count()} cores, {memory:.0f} GB, {system}")


def report(rounds: list[dict[str, dict[str, float]]]) -> None:
    print(f"{'':40} {'wall s':>8} {'user s':>8} {'kernel s':>8} {'x inflate':>10} {'peak MB':>8} {'answer':>8}")
    for name in rounds[0]:
        one = {key: min(found[name][key] for found in rounds) for key in rounds[0][name]}
        ratio = median(found[name]["x inflate"] for found in rounds)
        times = f"{one['wall']:8.2f} {one['user']:8.2f} {one['kernel']:8.2f}"
        print(f"{name:40} {times} {ratio:10.2f} {one['peak']:8.0f} {one['answer']:8.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the data are made and kept; temporary where left out")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of the names of the ways that run")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        print(json.dumps(measure(given.way, given.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        root = given.folder or Path(scratch)
        make(root, given.trials)
        describe()
        names = [name for name in WAYS if any(text in name for text in given.only)]
        rounds = [{name: run(name, root) for name in names} for _ in range(given.rounds)]
        report(rounds)


if __name__ == "__main__":
    main()
