"""Local stores: made once, read as the file itself is, refused when they are of another; judged with other software."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import intake
import nibabel
import numpy as np
import pytest
import xarray as xr
import zarr

import laion_fmri
from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.cli import main
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, NoSpaceError, SelectionError
from laion_fmri.loaders.store import StoreSeries, series_of
from laion_fmri.loaders.voxels import owner_of, voxel_axes
from laion_fmri.source import Source
from test_loaders import AFFINE, LABELS, Folder

ONE = {"subject": "03", "ses": "01"}
NAME = "sub-03_ses-01_mask-anatomical"
GRID, TRIALS = (17, 17, 16), 131  # several pieces of voxels, several bands of trials, the last of them not full
WAYS = [
    {},
    {"roi": "OFA"},
    {"stimuli": "shared"},
    {"zscore": "session"},
    {"zscore": "session", "stimuli": "unique", "roi": "V1v"},
    {"average": "image"},
    {"average": "image", "zscore": "session"},
    {"nan": "zero"},
]


class Session(Folder):
    """A session of subject 03 that takes several bands; its file can be made unreadable."""

    def make(self) -> None:
        chance = np.random.default_rng(0)
        mask = chance.random(GRID) < 0.95
        data = chance.standard_normal((*GRID, TRIALS)).astype(np.float32)
        data[chance.random(data.shape) < 0.01] = np.nan
        data[3, 3, 3, :3] = [-0.0, 1e-45, np.uint32(0x7FC12345).view(np.float32)]
        mask[3, 3, 3] = True
        self.nifti("brain_mask", mask.astype(np.uint8), subject="03")
        for label, category in {"OFA": "face", "V1v": "retinotopy"}.items():
            roi = chance.random(GRID) < 0.1
            self.nifti("rois", roi.astype(np.uint8), subject="03", category=category, label=label)
        self.trials([LABELS[n % 5].replace("a b", f"a {n}") for n in range(TRIALS)], **ONE)
        self.nifti("betas", data, **ONE)

    @property
    def data(self) -> np.ndarray:
        return np.asarray(nibabel.load(self.bold).dataobj)

    @property
    def mask(self) -> np.ndarray:
        return np.asarray(nibabel.load(self.path("brain_mask", subject="03")).dataobj) != 0

    @property
    def bold(self) -> Path:
        return self.path("betas", **ONE)

    @property
    def store(self) -> Path:
        return self.root / ".laion_fmri" / "store" / "betas" / NAME

    @property
    def betas(self) -> Source:
        return Source("betas", "", load_catalog().artifact("betas"), ONE, data_dir=self.root)

    def save(self, image: nibabel.Nifti1Image) -> None:
        nibabel.save(image, self.bold)

    def garble(self) -> None:
        """Make the file unreadable without a change of size or time."""
        status = self.bold.stat()
        self.bold.write_bytes(b"\0" * status.st_size)
        os.utime(self.bold, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    Session(folder).make()
    return folder


@pytest.fixture
def session(made, tmp_path):
    return Session(shutil.copytree(made, tmp_path / "data"))


def cut_values(store):
    os.truncate(store / "betas.zarr/betas/c.0.0", 1000)


def bits(array):
    return np.ascontiguousarray(array.values).view(np.uint32)


def assert_same(one, other):
    xr.testing.assert_identical(one, other)
    np.testing.assert_array_equal(bits(one), bits(other))


def images(data):
    """Return ways of storing the same session in a file."""
    whole = np.nan_to_num(data * 1000).astype(np.int16)
    scaled = nibabel.Nifti1Image(whole, AFFINE)
    scaled.header.set_slope_inter(0.00123, -3)
    big = nibabel.Nifti1Image(data, AFFINE, nibabel.Nifti1Header(endianness=">"))
    scaled_big = nibabel.Nifti1Image(whole, AFFINE, nibabel.Nifti1Header(endianness=">"))
    scaled_big.header.set_data_dtype(np.dtype(">i2"))
    scaled_big.header.set_slope_inter(0.5, 7)
    double = nibabel.Nifti2Image(data.astype(np.float64) / 3, AFFINE)
    return {"float32": nibabel.Nifti1Image(data, AFFINE), "int16": scaled, ">f4": big, ">i2": scaled_big, "f8": double}


# --- the same values, from the store


@pytest.mark.parametrize("kind", ["float32", "int16", ">f4", ">i2", "f8"])
def test_values_are_those_of_the_file_bit_for_bit_and_come_from_the_store(session, kind):
    session.save(images(session.data)[kind])
    before = [session.betas.read(**way) for way in WAYS]
    assert np.isnan(before[0]).any() == (kind not in {"int16", ">i2"})
    assert session.betas.optimize().read().shape == before[0].shape
    session.garble()
    for way, expected in zip(WAYS, before, strict=True):
        assert_same(session.betas.read(**way), expected)
        assert_same(session.betas.to_dask(**way).compute(scheduler="synchronous"), expected)


def test_masks_and_dropped_voxels_come_from_the_store_too(session):
    mask = np.random.default_rng(1).random(session.mask.sum()) < 0.5
    before = [session.betas.read(mask=mask), session.betas.read(nan="drop", roi="OFA", stimuli="unique")]
    session.betas.optimize()
    session.garble()
    assert_same(session.betas.read(mask=mask), before[0])
    assert_same(session.betas.read(nan="drop", roi="OFA", stimuli="unique"), before[1])


def test_without_a_store_an_unreadable_file_is_an_error(session):
    session.garble()
    with pytest.raises(DataFormatError):
        session.betas.read()


def test_a_lazy_array_travels_with_its_store(session):
    expected = session.betas.read(roi="OFA")
    session.betas.optimize()
    session.garble()
    lazy = pickle.loads(pickle.dumps(session.betas.to_dask(roi="OFA")))
    assert_same(lazy.compute(scheduler="processes"), expected)


@pytest.mark.parametrize("gone", [shutil.rmtree, cut_values])
def test_a_store_that_goes_while_it_is_read_is_not_missed(session, gone):
    expected = session.betas.read(roi="V1v")
    request = session.betas.optimize()(roi="V1v").request()
    axes = voxel_axes(request)
    (file,) = request.files
    series = series_of(request, file, axes[owner_of(request, file)])
    assert isinstance(series, StoreSeries)
    gone(session.store)
    found = np.empty(expected.shape, np.float32)
    for rows, columns, values in series.blocks(np.arange(TRIALS), axes[owner_of(request, file)], found.dtype):
        found[rows, columns] = values
    np.testing.assert_array_equal(found.view(np.uint32), bits(expected))


def test_sessions_with_and_without_a_store_are_read_together(here):
    betas = laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"])
    expected = betas.read()
    assert betas(ses="02").optimize().artifact.loader == "voxel_series"
    assert [path.name for path in (here / ".laion_fmri/store/betas").iterdir()] == ["sub-03_ses-02_mask-anatomical"]
    assert_same(betas.read(), expected)


def test_each_mask_source_has_a_store_of_its_own(here):
    betas = laion_fmri.open_catalog().betas(**ONE)
    expected = betas.read(mask_source="rsquare", roi="V1v")
    betas(mask_source="rsquare", roi="V1v", zscore="session").optimize()
    (store,) = (here / ".laion_fmri/store/betas").iterdir()
    assert store.name == "sub-03_ses-01_mask-rsquare"
    assert_same(betas.read(mask_source="rsquare", roi="V1v"), expected)
    assert xr.open_zarr(store / "betas.zarr").betas.shape == betas.read(mask_source="rsquare").shape


def test_reading_never_writes_a_store(session):
    session.betas.read()
    session.betas.to_dask().compute(scheduler="synchronous")
    assert not (session.root / ".laion_fmri").exists()


def test_what_has_no_store_says_so(here):
    with pytest.raises(SelectionError, match=r"trials has no local store.*use read\(\)"):
        laion_fmri.open_catalog().trials(**ONE).optimize()


# --- other people's software


def test_xarray_opens_a_store_with_its_labels(session):
    expected = session.betas.optimize().read()
    opened = xr.open_zarr(session.store / "betas.zarr")
    betas = opened.betas.load()
    xr.testing.assert_equal(betas, expected)
    np.testing.assert_array_equal(bits(betas), bits(expected))
    assert betas.attrs == expected.attrs
    assert set(betas.coords) == set(expected.coords)
    assert {"units", "affine", "license", "release", "citation"} <= betas.attrs.keys()
    assert opened.attrs["source_sha256"] == sha256(session.bold)
    assert opened.attrs["source_bytes"] == session.bold.stat().st_size
    assert opened.attrs["mask_sha256"] == sha256(session.path("brain_mask", subject="03"))
    assert opened.attrs["artifact"] == "betas"
    assert all(isinstance(value, str | int) for value in opened.attrs.values())
    opened.load().drop_encoding().astype({"betas": "float32"}).to_netcdf(session.root / "copy.nc", engine="h5netcdf")


def sha256(path):
    done = subprocess.run(["sha256sum", path], check=True, capture_output=True, text=True)
    return done.stdout.split()[0]


def test_zarr_reads_any_part_of_a_store(session):
    expected = session.betas.optimize().read().values
    array = zarr.open_array(session.store / "betas.zarr" / "betas", mode="r")
    np.testing.assert_array_equal(array[50:99, 4000:4200], expected[50:99, 4000:4200])
    np.testing.assert_array_equal(
        array.oindex[[0, 70, 130], [5, 511, 512, 4200]], expected[[0, 70, 130]][:, [5, 511, 512, 4200]]
    )
    assert array.shape == expected.shape


def test_intake_xarray_opens_the_catalog_beside_a_store(session, tmp_path):
    expected = session.betas.optimize().read()
    moved = shutil.copytree(session.store, tmp_path / "elsewhere")
    source = intake.open_catalog(str(moved / "catalog.yaml")).betas
    xr.testing.assert_equal(source.read().betas, expected)
    lazy = source.to_dask().betas
    assert lazy.chunks == ((TRIALS,), (session.mask.sum(),))
    xr.testing.assert_equal(lazy.compute(scheduler="synchronous"), expected)


def test_a_store_needs_no_zarr(session):
    code = f"""
        import sys
        sys.modules["zarr"] = None
        from pathlib import Path
        from laion_fmri.catalog import load_catalog
        from laion_fmri.source import Source
        betas = Source("betas", "", load_catalog().artifact("betas"), {ONE}, data_dir=Path({str(session.root)!r}))
        print(*betas.optimize().read().shape)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(TRIALS), str(session.mask.sum())]
    assert session.store.is_dir()


def test_a_store_is_few_files(session):
    session.betas.optimize()
    files = [path for path in session.store.rglob("*") if path.is_file()]
    arrays = len(session.betas.read().coords) + 1
    assert len(files) == 2 * arrays + 2  # values and metadata of each array; the group's; the catalog


# --- stores that are not of the file


def refused(session, why):
    """Read with a warning, and what the file itself has."""
    with pytest.warns(UserWarning, match=why) as told:
        found = session.betas.read()
    assert len(told) == 1
    (message,) = [str(one.message) for one in told]
    assert "\n" not in message
    assert message.endswith("run: laion-fmri optimize --subject 03 --ses 01")
    shutil.move(session.store, session.root / "aside")
    assert_same(found, session.betas.read())
    shutil.move(session.root / "aside", session.store)


def renewed(session):
    """Optimize again; the store is used then."""
    expected = session.betas.optimize().read()
    session.garble()
    assert_same(session.betas.read(), expected)


def test_a_store_of_a_file_of_another_size_is_refused(session):
    session.betas.optimize()
    session.save(nibabel.Nifti1Image(session.data[..., ::-1] * 2, AFFINE))
    refused(session, f"{re.escape(str(session.bold))} has changed")
    renewed(session)


def test_a_store_of_a_file_of_the_same_size_and_another_content_is_refused(session):
    session.betas.optimize()
    packed = bytearray(session.bold.read_bytes())
    packed[4] ^= 1  # the time in gzip's header: another file, of the same values
    session.bold.write_bytes(packed)
    refused(session, "has changed")
    renewed(session)


def test_a_file_that_was_copied_is_known_by_its_content(session):
    before = session.betas.optimize().read()
    os.utime(session.bold, ns=(1, 2))
    os.utime(session.path("brain_mask", subject="03"), ns=(3, 4))
    inode = session.store.stat().st_ino
    assert_same(session.betas.read(), before)
    session.betas.optimize()
    assert session.store.stat().st_ino == inode
    opened = xr.open_zarr(session.store / "betas.zarr")
    assert opened.attrs["source_modified_ns"] == session.bold.stat().st_mtime_ns
    assert opened.attrs["mask_modified_ns"] == session.path("brain_mask", subject="03").stat().st_mtime_ns
    xr.testing.assert_equal(opened.betas, before)
    assert_same(session.betas.read(), before)


def test_a_store_of_another_mask_is_refused(session):
    session.betas.optimize()
    mask = session.mask.astype(np.uint8)
    mask[5, 5, 5] ^= 1
    path = session.nifti("brain_mask", mask, subject="03")
    refused(session, f"{re.escape(str(path))} has changed")
    renewed(session)


@pytest.mark.parametrize("other", [0, 7])
def test_a_mask_that_is_replaced_is_read_anew(session, other):
    before, mask = session.betas.read(), session.mask
    mask[..., other] ^= True
    session.nifti("brain_mask", mask.astype(np.uint8), subject="03")
    found = session.betas.read()
    assert found.sizes["voxel"] != before.sizes["voxel"]
    np.testing.assert_array_equal(np.stack([found.i, found.j, found.k]), np.nonzero(mask))


def test_the_command_of_a_refusal_names_the_mask_source(here):
    betas = laion_fmri.open_catalog().betas(**ONE, mask_source="rsquare")
    betas.optimize()
    betas.files()[0].path.write_bytes(b"another")
    with (
        pytest.warns(UserWarning, match=r"optimize --subject 03 --ses 01 --mask-source rsquare$"),
        pytest.raises(DataFormatError),
    ):
        betas.read()


def cut_metadata(store):
    path = store / "betas.zarr/zarr.json"
    path.write_text(path.read_text()[:500])


def no_values(store):
    (store / "betas.zarr/betas/c.0.0").unlink()


def no_group(store):
    shutil.rmtree(store / "betas.zarr")


def no_origin(store):
    edit(store, lambda metadata: metadata["attributes"].pop("mask_sha256"))


def other_chunks(store):
    def change(metadata):
        codecs = metadata["consolidated_metadata"]["metadata"]["betas"]["codecs"]
        codecs[0]["configuration"]["chunk_shape"][1] = 64

    edit(store, change)


def no_trials(store):
    edit(store, lambda metadata: metadata["consolidated_metadata"]["metadata"]["betas"].update(shape=[0, 5]))


def edit(store, change):
    path = store / "betas.zarr/zarr.json"
    metadata = json.loads(path.read_text())
    change(metadata)
    path.write_text(json.dumps(metadata))


DAMAGES = [cut_values, cut_metadata, no_values, no_group, no_origin, no_trials]


@pytest.mark.parametrize(
    ("damage", "why"), [*((damage, "it is damaged") for damage in DAMAGES), (other_chunks, "it has another layout")]
)
def test_a_damaged_store_is_refused_and_made_anew(session, damage, why):
    session.betas.optimize()
    damage(session.store)
    refused(session, why)
    renewed(session)


def test_a_file_that_is_gone_is_missing_whatever_the_store_has(session):
    session.betas.optimize()
    session.bold.unlink()
    with pytest.raises(DataNotDownloadedError, match="laion-fmri download --subject 03 --ses 01"):
        session.betas.read()


# --- conversions that do not end, or are not alone

SLOW = """
    import signal, sys, time
    from pathlib import Path
    from laion_fmri.catalog import load_catalog
    from laion_fmri.loaders.series import NiftiSeries
    from laion_fmri.source import Source

    blocks = NiftiSeries.blocks

    def slow(self, *args):
        for number, block in enumerate(blocks(self, *args)):
            if number == 100:
                print("half", flush=True)
                sys.stdin.readline()
            yield block

    NiftiSeries.blocks = slow
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored where the tests run
    root = Path(sys.argv[1])
    Source("betas", "", load_catalog().artifact("betas"), {"subject": "03", "ses": "01"}, data_dir=root).optimize()
"""


def start(session, code=SLOW):
    command = [sys.executable, "-c", textwrap.dedent(code), str(session.root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, **pipes)


def half_way(session):
    """Start a conversion that waits half-way for a line."""
    process = start(session)
    assert process.stdout.readline() == "half\n", process.communicate()
    return process


def names(session):
    return sorted(path.name for path in session.store.parent.iterdir())


def test_a_conversion_that_is_killed_leaves_nothing_that_is_used_and_the_next_sweeps(session):
    expected = session.betas.read()
    process = half_way(session)
    process.kill()
    process.communicate(timeout=30)
    left = names(session)
    assert NAME not in left
    assert any(name.endswith(".part") for name in left)
    assert_same(session.betas.read(), expected)
    session.betas.optimize()
    assert names(session) == [NAME]
    session.garble()
    assert_same(session.betas.read(), expected)


def test_a_conversion_that_is_interrupted_clears_up(session):
    process = half_way(session)
    process.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in process.communicate(timeout=30)[1]
    assert names(session) == []


def test_a_store_that_is_written_anew_is_killed_without_loss_of_truth(session):
    session.betas.optimize()
    session.save(nibabel.Nifti1Image(session.data * 3, AFFINE))
    process = half_way(session)
    process.kill()
    process.communicate(timeout=30)
    refused(session, "has changed")
    renewed(session)
    assert names(session) == [NAME]


def test_two_processes_make_one_store(session):
    first = half_way(session)
    second = start(session, SLOW.replace("number == 100", "False"))
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(timeout=3)  # it waits for the first
    parts = [name for name in names(session) if name.endswith(".part")]
    assert len(parts) == 1
    assert first.communicate("\n", timeout=60)[1] == ""
    inode = session.store.stat().st_ino
    assert second.communicate(timeout=60)[1] == ""
    assert (first.returncode, second.returncode) == (0, 0)
    assert session.store.stat().st_ino == inode
    assert names(session) == [NAME]
    expected = session.betas.read()
    shutil.rmtree(session.store)
    assert_same(session.betas.read(), expected)


def test_a_file_that_changes_while_it_is_read_makes_no_store(session):
    process = half_way(session)
    os.utime(session.bold, ns=(1, 2))
    assert "was changed while it was read" in process.communicate("\n", timeout=60)[1]
    assert names(session) == []


def test_a_damaged_file_makes_no_store(session):
    packed = session.bold.read_bytes()
    session.bold.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataFormatError, match="is damaged in volume"):
        session.betas.optimize()
    assert names(session) == []


def test_a_full_disk_is_told_before_the_first_byte(session, monkeypatch):
    monkeypatch.setattr("laion_fmri.loaders.store_writer.free_bytes", lambda root: 1000)
    with pytest.raises(NoSpaceError, match="1,000 are free"):
        session.betas.optimize()
    assert names(session) == []


# --- the command line


def run(*words):
    done = subprocess.run(
        [sys.executable, "-m", "laion_fmri.cli", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback" not in done.stderr
    return done


def test_the_command_writes_the_stores_of_a_subject_and_removes_them(here, capsys):
    expected = laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"]).read()
    folder = here / ".laion_fmri" / "store" / "betas"
    done = run("optimize", "--subject", "sub-03")
    assert (done.returncode, done.stderr) == (0, "")
    stores = [folder / f"sub-03_ses-{ses}_mask-anatomical" for ses in ("01", "02")]
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == list(map(str, stores))
    assert sorted(folder.iterdir()) == stores
    assert_same(laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"]).read(), expected)
    assert run("optimize", "--subject", "03", "--ses", "ses-02", "--remove").stdout == f"{stores[1]}: removed\n"
    assert list(folder.iterdir()) == stores[:1]
    main(["optimize", "--subject", "all", "--remove"])
    assert capsys.readouterr().out == f"{stores[0]}: removed\n"
    main(["optimize", "--subject", "all", "--remove"])
    assert capsys.readouterr().out == "betas: there is no such store\n"
    assert list(folder.iterdir()) == []


def test_the_command_removes_stores_of_files_that_are_gone(here, capsys):
    assert main(["optimize", "--subject", "03", "--ses", "01", "--mask-source", "rsquare"]) == 0
    laion_fmri.open_catalog().betas(**ONE).files()[0].path.unlink()
    assert main(["optimize", "--subject", "03", "--remove"]) == 0
    assert capsys.readouterr().out.endswith("sub-03_ses-01_mask-rsquare: removed\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--subject", "03", "--ses", "01", "07"], 1, "run: laion-fmri download --subject 03 --ses 07"),
        (["--subject", "05"], 1, "run: laion-fmri download --subject 05"),
        (["--subject", "03", "--ses", "31"], 2, "held out"),
        (["--subject", "30"], 2, "subject"),
        (["--ses", "01"], 2, "--subject"),
    ],
)
def test_the_command_says_what_is_wrong(here, capsys, words, code, said):
    assert main(["optimize", *words]) == code
    assert said in capsys.readouterr().err
    assert not list((here / ".laion_fmri").glob("store/*/*"))


def test_a_refusal_is_one_line_of_the_command_line(here, capsys):
    betas = laion_fmri.open_catalog().betas(**ONE)
    betas.optimize()
    os.truncate(here / ".laion_fmri/store/betas" / NAME / "betas.zarr/betas/c.0.0", 5)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        betas.read()
    assert len(told) == 1
    assert main(["optimize", "--subject", "03", "--ses", "01"]) == 0
    assert capsys.readouterr().err == ""
    betas.read()


def test_status_shows_stores_and_their_size(service, here, capsys):
    main(["status"])
    assert "local store" not in capsys.readouterr().out
    laion_fmri.open_catalog().betas(**ONE).optimize()
    store = here / ".laion_fmri/store/betas" / NAME
    size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
    main(["status", "--json"])
    (told,) = json.loads(capsys.readouterr().out)["stores"]
    assert told == {"artifact": "betas", "path": str(store), "bytes": size, "files": told["files"]}
    main(["status"])
    assert f".laion_fmri/store/betas/{NAME}" in capsys.readouterr().out


def test_the_intake_source_optimizes_and_is_returned(here):
    source = intake.open_catalog(str(catalog_path())).betas(**ONE)
    assert source.optimize() is source
    assert (here / ".laion_fmri/store/betas" / NAME).is_dir()
