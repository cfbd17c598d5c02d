"""Lazy reading: what travels to workers, what is decoded how often, and a cluster of two processes on this machine."""

from __future__ import annotations

import io
import os
import pickle
import re
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import cloudpickle
import dask
import numpy as np
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import parts, streams

TWO = {"subject": "03", "ses": ["01", "02"]}
ALL = {"subject": ["01", "03"], "ses": ["01", "02"]}
ANY_PORT = "127.0.0.1:0"
VARIANTS = [
    {},
    {"zscore": "session", "stimuli": "shared", "nan": "zero"},
    {"average": "image", "zscore": "session", "roi": ["V1", "face"]},
]


@pytest.fixture
def betas(here_all):
    return laion_fmri.open_catalog().betas


@pytest.fixture
def decoded(monkeypatch):
    """How often each file of betas was decoded."""
    counts, open_gzip = Counter(), streams.open_gzip

    def counting(file):
        name = Path(file.name).name
        if "SingletrialBetas" in name:
            counts[name[:13]] += 1
        return open_gzip(file)

    monkeypatch.setattr(streams, "open_gzip", counting)
    return counts


def pickled(array: xr.DataArray) -> bytes:
    return cloudpickle.dumps(dict(array.__dask_graph__()))


# --- what is decoded


@pytest.mark.parametrize("given", VARIANTS)
def test_every_file_is_decoded_once_however_small_the_chunks(betas, decoded, monkeypatch, given):
    monkeypatch.setattr(parts, "_HELD_BYTES", 0)
    with dask.config.set({"array.chunk-size": "20kB"}):
        lazy = betas.to_dask(**ALL, **given)
    assert not decoded
    assert max(lazy.chunks[0]) * max(lazy.chunks[1]) * 4 <= 20_000 < lazy.nbytes
    computed = lazy.compute(scheduler="synchronous")
    assert decoded == dict.fromkeys(("sub-01_ses-01", "sub-01_ses-02", "sub-03_ses-01", "sub-03_ses-02"), 1)
    xr.testing.assert_identical(computed, betas.read(**ALL, **given))


def test_what_is_asked_for_twice_is_decoded_once(betas, decoded):
    one, other = betas.to_dask(**TWO), betas.to_dask(**TWO)
    mean, deviation = dask.compute(one.mean(), other.std(), scheduler="synchronous")
    assert decoded == {"sub-03_ses-01": 1, "sub-03_ses-02": 1}
    np.testing.assert_allclose([mean, deviation], [betas.read(**TWO).mean(), betas.read(**TWO).std()], rtol=1e-5)
    assert betas.to_dask(**TWO, roi="V1").data.name != one.data.name


def test_a_part_of_the_sessions_decodes_their_files_only(betas, decoded):
    lazy = betas.to_dask(**ALL)
    lazy[(lazy.session == "ses-02").values & (lazy.subject == "03").values].compute(scheduler="synchronous")
    assert decoded == {"sub-03_ses-02": 1}


@pytest.mark.parametrize("given", VARIANTS)
def test_what_has_a_store_is_read_from_it_chunk_by_chunk_and_the_rest_is_decoded(betas, decoded, given):
    expected = betas.read(**ALL, **given)
    betas(subject="03", ses="01").optimize()
    betas(subject="01", ses=["01", "02"]).optimize()
    decoded.clear()
    with dask.config.set({"array.chunk-size": "20kB"}):
        lazy = betas.to_dask(**ALL, **given)
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), expected)
    assert decoded == {"sub-03_ses-02": 1}
    with_store = lazy[: lazy.chunks[0][0], : lazy.chunks[1][0]]
    graph = dict(with_store.data.__dask_optimize__(with_store.__dask_graph__(), with_store.__dask_keys__()))
    assert not any("decode" in str(key) for key in graph)


def test_files_that_changed_after_the_array_was_made_are_an_error(betas, here_all):
    lazy = betas.to_dask(**TWO)
    (path,) = here_all.glob("derivatives/anatomical/sub-03/*/anat/*res-1pt8_desc-brain_mask.nii.gz")
    (other,) = here_all.glob("derivatives/rois/sub-03/retinotopy/*res-1pt8_label-V1v_mask.nii.gz")
    path.write_bytes(other.read_bytes())
    with pytest.raises(DataFormatError, match=r"changed after to_dask\(\) was called"):
        lazy.compute(scheduler="synchronous")


# --- what travels


class _NoArrays(cloudpickle.Pickler):
    """Refuses arrays of numbers."""

    def reducer_override(self, obj):
        assert not (isinstance(obj, np.ndarray) and obj.size > 16), f"an array of shape {obj.shape}"
        return super().reducer_override(obj)


@pytest.mark.parametrize("given", VARIANTS)
def test_graphs_hold_no_arrays_and_grow_by_less_than_a_kilobyte_with_each_session(betas, given):
    one, two = betas.to_dask(subject="03", ses="01", **given), betas.to_dask(**TWO, **given)
    _NoArrays(io.BytesIO()).dump(dict(two.__dask_graph__()))
    assert len(pickled(one)) < 40_000
    assert len(pickled(two)) - len(pickled(one)) < 1000
    assert len(pickled(betas.to_dask(**ALL, **given))) < 40_000


def test_a_source_travels_whole_and_reads_where_it_arrives(betas):
    source = pickle.loads(cloudpickle.dumps(betas(**TWO, roi="V1", zscore="session")))
    xr.testing.assert_identical(source.read(), betas.read(**TWO, roi="V1", zscore="session"))
    assert len(cloudpickle.dumps(source)) < 40_000


# --- a cluster


@pytest.fixture(scope="module")
def client():
    """Two worker processes, which know nothing of the settings of a test."""
    from distributed import Client, LocalCluster

    own = {"host": "127.0.0.1", "dashboard_address": ANY_PORT, "worker_dashboard_address": ANY_PORT}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, memory_limit=0, **own) as cluster,
        Client(cluster) as client,
    ):
        yield client


def die_once(block, marker):
    """Return a block; but kill the process that comes here first, with everything it holds."""
    with suppress(FileExistsError):
        Path(marker).touch(exist_ok=False)
        os.kill(os.getpid(), signal.SIGKILL)
    return block


def test_processes_read_what_this_one_reads(client, betas, here_all):
    for given in VARIANTS:
        computed = client.compute(betas.to_dask(**ALL, **given)).result(timeout=120)
        xr.testing.assert_identical(computed, betas.read(**ALL, **given))
    sources = [betas(subject="03", ses=ses, roi="V1").core for ses in ("01", "02")]
    for source in sources:
        source.data_dir = here_all
    means = client.gather(client.map(lambda source: source.read().mean("trial"), sources))
    for mean, source in zip(means, sources, strict=True):
        xr.testing.assert_identical(mean, source.read().mean("trial"))


def test_the_result_is_right_when_a_worker_is_killed_in_the_middle(client, betas, tmp_path):
    marker = tmp_path / "killed"
    with dask.config.set({"array.chunk-size": "100kB"}):
        lazy = betas.to_dask(**ALL, zscore="session")
    before = set(client.run(os.getpid).values())
    dying = lazy.copy(data=lazy.data.map_blocks(die_once, str(marker), dtype=lazy.dtype, meta=np.empty((0, 0), "f4")))
    computed = client.compute(dying).result(timeout=120)
    assert marker.exists()
    assert set(client.run(os.getpid).values()) != before
    xr.testing.assert_identical(computed, betas.read(**ALL, zscore="session"))


# --- the page about clusters

SBATCH = """#!/bin/sh
job=$(mktemp -p "$(dirname "$0")")
cat "$1" >"$job"
setsid sh "$job" >"$job.log" 2>&1 &
echo "Submitted batch job $!"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Two commands that do what SLURM's do: start a job, on this machine, and end it."""
    for name, script in {"sbatch": SBATCH, "scancel": '#!/bin/sh\nkill -- -"$1"\n'}.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    here = {"host": "127.0.0.1", "dashboard_address": ANY_PORT}
    with dask.config.set({"jobqueue.slurm.scheduler-options": here}):
        yield


def test_what_the_page_about_clusters_shows_runs_from_top_to_bottom(slurm, betas, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page, names = (Path(__file__).parents[1] / "docs/cluster.md").read_text(encoding="utf-8"), {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    expected = betas(**ALL).read(zscore="session").std("trial")
    xr.testing.assert_allclose(names["deviation"], expected)
    assert [mean.dims for mean in names["means"]] == [("voxel",)] * 2


def test_reading_writes_nothing(here_all, betas):
    def state():
        return {path: path.stat().st_mtime_ns for path in here_all.rglob("*")}

    before = state()
    betas.read(**ALL, zscore="session")
    betas.to_dask(**ALL, average="image").compute(scheduler="synchronous")
    assert state() == before
