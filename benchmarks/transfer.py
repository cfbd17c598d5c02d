"""What downloading costs, beside other S3 clients: ``python benchmarks/transfer.py [--rounds N] [--only TEXT]``.

A local server (s3_server.py) shows a bucket with the keys of the catalog's layout. Each client is a process of its own,
start-up included; they run one after the other, and that round after round, so that whatever else the machine does
meets all of them alike. Medians are printed: wall seconds, CPU seconds of the client, its most memory (of its largest
process), and both times as multiples of ours. "aws s3 cp", one process per file, runs on a sample and is scaled up.

The other clients come from PyPI into an environment of their own (requirements-transfer.txt). Downloads land in memory
where /dev/shm is there: we flush every file to the disk and the others do not, and a disk is not what is compared;
--on FOLDER measures one. Everything is made in a temporary folder; --folder keeps it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from clients import CLIENTS, FETCHES_ALWAYS, OURS, PER_FILE, WORKS, Place, Work, aws_cp, ours

HERE = Path(__file__).resolve().parent
SAMPLE = 20
CHUNK = 1 << 20  # small, for the memory of a new process counts from that of its parent
GZIP = b"\x1f\x8b\x08\x00"
Figures = dict[str, float]


# --- the bucket


def make_backing(path: Path, size: int) -> None:
    """Write what all objects are made of: noise that begins like a gzip file."""
    if path.exists() and path.stat().st_size >= size:
        return
    chance = random.Random(0)
    with path.open("wb") as file:
        file.write(GZIP)
        for _ in range(-(-size // CHUNK)):
            file.write(chance.randbytes(CHUNK))


@contextmanager
def served(work: Work, folder: Path) -> Iterator[str]:
    """Serve the objects of a workload; give the address."""
    backing, keys = folder / "backing", folder / "keys.tsv"
    make_backing(backing, work.size)
    with keys.open("w") as file:
        file.writelines(f"{work.size}\t{key}\n" for key in work.keys)
    command = [sys.executable, str(HERE / "s3_server.py"), "--keys", str(keys), "--backing", str(backing)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().strip()
        server.communicate()


# --- measuring


def run(command: list[str], environment: dict[str, str], told: Path) -> Figures:
    """Run a client to its end."""
    start = time.perf_counter()
    with told.open("wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out, env=environment)
        assert child.stdin
        child.stdin.write(b"I AGREE\n")
        child.stdin.close()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}:\n{told.read_text()[-2000:]}")
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1024}


def run_sample(place: Place, environment: dict[str, str], told: Path) -> Figures:
    """Run one ``aws s3 cp`` for each of some files, and scale it up to all."""
    keys = [key for key, _ in zip(place.work.keys, range(SAMPLE), strict=False)]
    runs = [run(aws_cp(place, key), environment, told) for key in keys]
    scale = place.work.files / len(keys)
    total = {name: sum(one[name] for one in runs) * scale for name in ("wall", "cpu")}
    return {**total, "peak": max(one["peak"] for one in runs)}


def environment_of(place: Place, home: Path) -> dict[str, str]:
    """Return the environment of all clients; our data directory is set in it."""
    apart = ("AWS_", "LAION_FMRI_", "PYTHONDONTWRITEBYTECODE")  # programs start as they do for their users: compiled
    kept = {name: value for name, value in os.environ.items() if not name.startswith(apart)}
    added = {"AWS_ENDPOINT_URL_S3": place.url, "AWS_REGION": "us-west-2", "XDG_CONFIG_HOME": str(home)}
    environment = {**kept, **added}
    place.target.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "laion_fmri.cli", "config", "--data-dir", str(place.target)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return environment


def check(place: Place) -> None:
    """Stop unless the whole bucket is here."""
    count = size = 0
    for folder, _, names in os.walk(place.data):
        count += len(names)
        size += sum((Path(folder) / name).stat().st_size for name in names)
    if (count, size) != (place.work.files, place.work.bytes):
        raise SystemExit(f"{place.target} has {count} files of {size} bytes, not all of {place.work.name}")


def measure(work: Work, rounds: int, peers: Path, folder: Path, land: Path) -> dict[str, Figures]:
    """Return the medians of each client for one workload."""
    found: dict[str, list[Figures]] = {}
    told = folder / "said"
    with served(work, folder) as url:
        place = Place(url, land / ("here" + str(work.files) if work.present else "fetched"), peers, work)
        environment = environment_of(place, folder / "config")
        usable = {name: make for name, make in CLIENTS.items() if Path(make(place)[0]).exists()}
        if work.present:
            run(ours(place), environment, told)  # what it finds here is what it left there
            usable.pop(FETCHES_ALWAYS, None)
        for _ in range(rounds):
            for name, make in usable.items():
                found.setdefault(name, []).append(run(make(place), environment, told))
                check(place)
                clear(place)
            if not work.present and Path(place.aws[0]).exists():
                found.setdefault(PER_FILE, []).append(run_sample(place, environment, told))
                clear(place)
            if work.present:
                run([sys.executable, str(HERE / "clients.py"), "plan"], environment, told)
                found.setdefault("planning", []).append(json.loads(told.read_text()))
    return {name: {key: median(one[key] for one in runs) for key in runs[0]} for name, runs in found.items()}


def clear(place: Place) -> None:
    """Remove what was fetched; what is to be found here stays."""
    if not place.work.present:
        shutil.rmtree(place.target)
        place.target.mkdir()


# --- the report


def describe() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {system}"


def report(work: Work, found: dict[str, Figures]) -> None:
    """Print a table in Markdown; the fastest first."""
    planning = found.pop("planning", None)
    mine = found[OURS]
    print(f"\n{work.name}:\n\n| client | wall s | CPU s | peak MB | MB/s | files/s | wall x ours | CPU x ours |")
    print("|---|---|---|---|---|---|---|---|")
    for name, one in sorted(found.items(), key=lambda pair: pair[1]["wall"]):
        speed = "" if work.present else f"{work.bytes / 1e6 / one['wall']:,.0f}"
        times = (
            f"{one['wall']:,.2f} | {one['cpu']:,.2f} | {one['peak']:.0f} | {speed} | {work.files / one['wall']:,.0f}"
        )
        print(f"| {name} | {times} | {one['wall'] / mine['wall']:.2f} | {one['cpu'] / mine['cpu']:.2f} |")
    best = {key: min(one[key] for name, one in found.items() if name != OURS or len(found) == 1) for key in mine}
    print(f"\nours against the best other: wall {mine['wall'] / best['wall']:.2f}, CPU {mine['cpu'] / best['cpu']:.2f}")
    if planning:
        listing, plan = planning["listing"], planning["plan"]
        print(f"CPU of ours: whole process {mine['cpu']:.2f} s, plan {plan:.2f} s, of which listing {listing:.2f} s")


def install(peers: Path) -> None:
    """Install the other clients, unless they are there; say which cannot be had."""
    if not (peers / "bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(peers)], check=True)
    for line in (HERE / "requirements-transfer.txt").read_text().split():
        command = [str(peers / "bin/python"), "-m", "pip", "install", "--quiet", line]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            print(f"{line} cannot be installed, so it is left out: {done.stderr.strip().splitlines()[-1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="workloads whose name has this text")
    parser.add_argument("--folder", type=Path, help="where everything is made and kept; temporary where left out")
    parser.add_argument("--on", type=Path, help="where downloads land; the folder where left out")
    given = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        folder = given.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        install(folder / "peers")
        print(describe())
        for work in WORKS:
            if given.only in work.name:
                report(work, measure(work, given.rounds, folder / "peers", folder, given.on or folder))


if __name__ == "__main__":
    main()
