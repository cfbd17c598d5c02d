"""The workloads and the clients of transfer.py: what a bucket holds, and the commands that fetch it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef

BUCKET, SUBJECT, BELOW = "laion-fmri", "03", "derivatives/"
THREADS = 8


@dataclass(frozen=True)
class Work:
    """What the bucket holds, and whether all of it is here already."""

    name: str
    files: int
    size: int
    template: str
    present: bool = False

    @property
    def keys(self) -> Iterator[str]:
        """The keys; their folders hold a hundred files or more, as those of the dataset do."""
        for i in range(self.files):
            yield BELOW + self.template.format(a=i % 100, b=i // 100, ses=i % 30 + 1, sub=SUBJECT)

    @property
    def bytes(self) -> int:
        """All bytes."""
        return self.files * self.size


ROI = "rois/sub-{sub}/set{a}/sub-{sub}_space-T1w_res-1pt8_label-R{b}_mask.nii.gz"
MAP = "glmsingle-tedana/sub-{sub}/ses-{ses:02}/func/sub-{sub}_ses-{ses:02}_task-images_run-{a}x{b}_statmap.nii.gz"
WORKS = [
    Work("2,000 files of 20 KB", 2_000, 20_480, ROI),
    Work("40 files of 5 MB", 40, 5 << 20, MAP),
    Work("2 files of 1 GB", 2, 1 << 30, MAP),
    Work("10,000 files, all here", 10_000, 100, ROI, present=True),
    Work("100,000 files, all here", 100_000, 100, ROI, present=True),
]


@dataclass(frozen=True)
class Place:
    """Where the bucket is, where it goes, and where the other clients are installed."""

    url: str
    target: Path
    peers: Path
    work: Work

    @property
    def data(self) -> str:
        """Folder that the keys below `BELOW` land in, as a command line names it."""
        return f"{self.target}/{BELOW}"

    @property
    def s5cmd(self) -> list[str]:
        """The program itself, not its wrapper in Python."""
        program = next(self.peers.glob("lib*/**/s5cmd/bin/s5cmd*"), self.peers / "no s5cmd")
        return [str(program), "--no-sign-request", "--endpoint-url", self.url]

    @property
    def aws(self) -> list[str]:
        """The beginning of its commands."""
        return [str(self.peers / "bin/aws"), "s3"]


def ours(place: Place) -> list[str]:
    """Return our command; the data directory is set beforehand."""
    return [sys.executable, "-m", "laion_fmri.cli", "download", "--subject", SUBJECT, "--n-jobs", str(THREADS)]


def aws_sync(place: Place) -> list[str]:
    options = ["--no-sign-request", "--only-show-errors", *(["--size-only"] if place.work.present else [])]
    return [*place.aws, "sync", f"s3://{BUCKET}/{BELOW}", place.data, *options]


def aws_cp(place: Place, key: str) -> list[str]:
    source, target = f"s3://{BUCKET}/{key}", str(place.target / key)
    return [*place.aws, "cp", source, target, "--no-sign-request", "--only-show-errors"]


def s5cmd(place: Place, verb: str) -> list[str]:
    options = ["--size-only"] if verb == "sync" and place.work.present else []
    return [*place.s5cmd, verb, *options, f"s3://{BUCKET}/{BELOW}*", place.data]


def boto3_loop(place: Place) -> list[str]:
    return [str(place.peers / "bin/python"), __file__, str(place.target)]


CLIENTS: dict[str, Callable[[Place], list[str]]] = {
    "laion-fmri": ours,
    "s5cmd cp": partial(s5cmd, verb="cp"),
    "s5cmd sync": partial(s5cmd, verb="sync"),
    "boto3, 8 threads": boto3_loop,
    "aws s3 sync": aws_sync,
}
OURS, PER_FILE, FETCHES_ALWAYS = "laion-fmri", "aws s3 cp per file", "s5cmd cp"


def run_boto3(target: Path) -> None:
    """Fetch with a plain loop: list, skip what is here with its size, get the rest."""
    import boto3  # noqa: PLC0415
    from botocore import UNSIGNED  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    client = boto3.client("s3", config=Config(signature_version=UNSIGNED))

    def fetch(key: str) -> None:
        path = target / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in client.get_object(Bucket=BUCKET, Key=key)["Body"].iter_chunks(1 << 20):
                file.write(chunk)

    def is_here(item: ObjectTypeDef) -> bool:
        path = target / item["Key"]
        return path.exists() and path.stat().st_size == int(item["Size"])

    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=BELOW)
    with ThreadPoolExecutor(THREADS) as pool:
        items = (item for page in pages for item in page.get("Contents", ()))
        list(pool.map(fetch, [item["Key"] for item in items if not is_here(item)]))


def run_plan() -> None:
    """Print the CPU seconds of our listing alone, and of the whole plan."""
    from laion_fmri.catalog import load_catalog  # noqa: PLC0415
    from laion_fmri.config import data_root  # noqa: PLC0415
    from laion_fmri.fetch import survey  # noqa: PLC0415
    from laion_fmri.selection import resolve_request  # noqa: PLC0415
    from laion_fmri.storage.bucket import Bucket  # noqa: PLC0415

    catalog = load_catalog()
    bucket = Bucket(catalog.remote)
    list(bucket.files("no/such/prefix/"))  # importing and building the client are not what is measured
    before = time.process_time()
    count = sum(1 for _ in bucket.files(BELOW))
    listed = time.process_time()
    plan = survey(catalog, resolve_request(catalog, SUBJECT, {}, {}), bucket, data_root())
    planned = time.process_time()
    assert len(plan.files) == count
    print(json.dumps({"listing": listed - before, "plan": planned - listed}))


if __name__ == "__main__":
    run_plan() if sys.argv[1:] == ["plan"] else run_boto3(Path(sys.argv[1]))
