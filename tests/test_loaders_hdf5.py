"""Loaders of HDF5 files, compared with plain h5py and pandas."""

from __future__ import annotations

import multiprocessing
import re
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cloudpickle
import h5py
import numpy as np
import pytest
import xarray as xr

from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request, get_loader
from loader_files import count_rows, entry, read_both, request, write_hdf5

NAMES = [f"shared_4rep_{name}.jpg" for name in ("dog", "crème brûlée", "c+t", "a b", "e.f", "g")]
OPTION = {"description": "Names.", "type": "names"}

MATRIX = entry(
    "matrix",
    "stimuli/desc-{model}_embeddings.h5",
    {
        "dims": ["image", "feature"],
        "dtype": "float16",
        "units": "a.u.",
        "datasets": {"values": "embedding", "image": "image_ids", "valid": "valid"},
    },
    ["model"],
    options={"images": OPTION},
)


class Matrices:
    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "stimuli").mkdir()

    def path(self, model: str = "A") -> Path:
        return self.root / f"stimuli/desc-{model}_embeddings.h5"

    def write(self, model: str = "A", features: int = 5, names: list = NAMES, **more: object) -> np.ndarray:
        seed = [ord(model), features]
        values = np.random.default_rng(seed).standard_normal((len(names), features)).astype(np.float16)
        valid = np.arange(len(names)) != 2
        write_hdf5(self.path(model), **{"embedding": values, "image_ids": names, "valid": valid, **more})
        return values

    def request(self, *models: str, **options: list[str]) -> Request:
        return request(MATRIX, self.root, [{"model": model} for model in models or "A"], **options)


@pytest.fixture
def matrices(tmp_path: Path) -> Matrices:
    return Matrices(tmp_path)


def test_a_matrix_has_a_named_row_for_each_image(matrices: Matrices):
    values = matrices.write()
    found = read_both(matrices.request())
    assert found.dims == ("image", "feature")
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, values)
    with h5py.File(matrices.path()) as file:
        assert found.image.values.tolist() == [name.decode("utf-8") for name in file["image_ids"]]
        np.testing.assert_array_equal(found.valid, file["valid"])
    assert found.valid.dtype == bool
    assert found.image.dtype.kind == "U"
    assert found.model == "A"
    assert found.attrs["dataset"] == "laion-fmri"
    assert (found.attrs["units"], found.attrs["license"]) == ("a.u.", "CC0-1.0")


def test_the_dtype_is_that_of_the_file(matrices: Matrices):
    values = matrices.write(embedding=np.arange(12, dtype=np.float64).reshape(6, 2))
    found = read_both(matrices.request())
    assert found.dtype == np.float64 != values.dtype


def test_a_matrix_without_marks_of_validity_has_none(matrices: Matrices):
    matrices.write()
    layout = MATRIX.layout.model_dump()
    del layout["datasets"]["valid"]
    spec = entry("matrix", MATRIX.path[0], layout, ["model"], options={"images": OPTION})
    assert "valid" not in read_both(request(spec, matrices.root, [{"model": "A"}])).coords


@pytest.mark.parametrize("rows", [[4], [2, 0], [3, 3, 1, 5, 1, 3], [1, 2, 3], [5, 4, 3, 2, 1, 0]])
def test_images_choose_rows_in_their_order_with_repeats(matrices: Matrices, rows: list[int]):
    values = matrices.write()
    wanted = [NAMES[row] for row in rows]
    found = read_both(matrices.request(images=wanted))
    np.testing.assert_array_equal(found, values[rows])
    assert found.image.values.tolist() == wanted
    assert found.valid.values.tolist() == [row != 2 for row in rows]


@pytest.mark.parametrize(("rows", "count"), [([4, 1, 4, 4], 2), ([2, 3], 2), ([0], 1)])
def test_each_wanted_row_is_read_once_and_no_other(
    matrices: Matrices, monkeypatch: pytest.MonkeyPatch, rows: list[int], count: int
):
    matrices.write()
    asked = matrices.request(images=[NAMES[row] for row in rows])
    read = count_rows(monkeypatch)
    get_loader("matrix").read(asked)
    assert sum(read) == count


@pytest.mark.parametrize("rows", [[0, 2, 5], [5, 0, 3, 3], [1, 2, 4, 5]])
def test_rows_that_the_file_stores_together_are_read_together(
    matrices: Matrices, monkeypatch: pytest.MonkeyPatch, rows: list[int]
):
    values = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float16)
    matrices.write(embedding={"data": values, "chunks": (3, 2), "compression": "gzip"})
    asked = matrices.request(images=[NAMES[row] for row in rows])
    read = count_rows(monkeypatch)
    np.testing.assert_array_equal(get_loader("matrix").read(asked), values[rows])
    assert len(read) == 2
    assert max(read) <= 3


def test_unknown_images_are_refused_naming_five_and_the_nearest(matrices: Matrices):
    matrices.write()
    wanted = ["shared_4rep_dog.png", NAMES[0], "z1", "z2", "z3", "z4", "z5"]
    message = r"images: .*desc-A_embeddings.h5 has no shared_4rep_dog.png, z1, z2, z3, z4, \.\.\. \(6 in all\); "
    with pytest.raises(SelectionError, match=message + ".*nearest to shared_4rep_dog.png is shared_4rep_dog.jpg"):
        read_both(matrices.request(images=wanted))


@pytest.mark.parametrize("name", [NAMES[0].upper(), f" {NAMES[0]}", "shared_4rep_dog"])
def test_images_are_joined_by_exact_name(matrices: Matrices, name: str):
    matrices.write()
    with pytest.raises(SelectionError, match="has no"):
        read_both(matrices.request(images=[name]))


def test_a_name_that_stands_twice_is_refused_with_its_rows(matrices: Matrices):
    matrices.write(names=["a", "c", "b", "b", "a", "b"])
    with pytest.raises(DataFormatError, match=r"dataset image_ids names a in rows 0 and 4"):
        read_both(matrices.request(images=["c"]))


def test_models_with_the_same_images_are_stacked(matrices: Matrices):
    values = {"B": matrices.write("B"), "A": matrices.write("A", valid=np.zeros(6, bool))}
    found = read_both(matrices.request("B", "A", images=[NAMES[5], NAMES[2]]))
    assert found.dims == ("model", "image", "feature")
    assert found.model.values.tolist() == ["B", "A"]
    for model, expected in values.items():
        np.testing.assert_array_equal(found.sel(model=model), expected[[5, 2]])
    assert found.valid.dims == ("model", "image")
    assert found.valid.values.tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"features": 4}, r"float16 \(6, 5\).*float16 \(6, 4\)"),
        ({"embedding": np.zeros((6, 5), np.float32)}, r"float16 \(6, 5\).*float32 \(6, 5\)"),
        ({"names": [*NAMES[:4], NAMES[5], NAMES[4]]}, "row 4 is shared_4rep_e.f.jpg in .* and shared_4rep_g.jpg in"),
    ],
)
def test_models_that_are_not_alike_are_not_stacked(matrices: Matrices, other: dict, message: str):
    matrices.write("A")
    matrices.write("B", **other)
    with pytest.raises(SelectionError, match=message + ".*read them one at a time") as error:
        read_both(matrices.request("A", "B"))
    assert str(matrices.path("A")) in str(error.value)
    assert str(matrices.path("B")) in str(error.value)


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        ({"image_ids": NAMES[:5]}, "dataset embedding has 6 rows, image_ids has 5"),
        ({"valid": np.ones(7, bool)}, "dataset embedding has 6 rows, valid has 7"),
        ({"embedding": np.zeros((6, 2, 2))}, r"dataset embedding has shape \(6, 2, 2\); expected 2 dimensions"),
        ({"image_ids": np.arange(6)}, "dataset image_ids holds int64, not text"),
        ({"image_ids": np.array([b"\xff"] * 6, h5py.string_dtype())}, "codec can't decode byte 0xff"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(matrices: Matrices, datasets: dict, message: str):
    matrices.write(**datasets)
    with pytest.raises(DataFormatError, match=message) as error:
        read_both(matrices.request())
    assert str(matrices.path()) in str(error.value)


def test_a_missing_dataset_is_refused_with_those_that_are_there(matrices: Matrices):
    write_hdf5(matrices.path(), embeddings=np.zeros((6, 2)), image_ids=NAMES)
    with pytest.raises(
        DataFormatError, match=r"no dataset embedding \(values\); did you mean `embeddings`.*embeddings, image_ids"
    ):
        read_both(matrices.request())


@pytest.mark.parametrize("keep", [0, 100, -200])
def test_a_damaged_file_is_refused(matrices: Matrices, keep: int):
    matrices.write()
    whole = matrices.path().read_bytes()
    matrices.path().write_bytes(whole[:keep])
    with pytest.raises(DataFormatError, match=re.escape(str(matrices.path()))):
        read_both(matrices.request())


def test_a_damaged_chunk_is_refused_when_its_rows_are_read(matrices: Matrices):
    values = np.random.default_rng(0).standard_normal((6, 500)).astype(np.float16)
    matrices.write(embedding={"data": values, "chunks": (2, 500), "compression": "gzip"})
    with h5py.File(matrices.path()) as file:
        place = file["embedding"].id.get_chunk_info(2).byte_offset
    damaged = bytearray(matrices.path().read_bytes())
    damaged[place + 10 : place + 500] = bytes(490)
    matrices.path().write_bytes(damaged)
    np.testing.assert_array_equal(read_both(matrices.request(images=NAMES[:4])), values[:4])
    with pytest.raises(DataFormatError, match="cannot be read as HDF5"):
        read_both(matrices.request(images=NAMES[4:]))


def test_dask_reads_no_value_before_it_is_computed_and_then_one_chunk_of_rows(
    matrices: Matrices, monkeypatch: pytest.MonkeyPatch
):
    names = [f"{row}.jpg" for row in range(100)]
    values = np.random.default_rng(0).integers(0, 9, (100, 400_000)).astype(np.int8)
    matrices.write(names=names, embedding={"data": values, "chunks": (7, 100_000)})
    read = count_rows(monkeypatch)
    lazy = get_loader("matrix").to_dask(matrices.request())
    assert read == []
    assert lazy.chunks == ((35, 35, 30), (400_000,))
    np.testing.assert_array_equal(lazy[40, :9].compute(scheduler="synchronous"), values[40, :9])
    assert read == [35]


def test_a_lazy_matrix_computes_in_another_process(matrices: Matrices):
    expected = matrices.write()
    lazy = get_loader("matrix").to_dask(matrices.request(images=NAMES[::-1]))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as workers:
        found = workers.submit(cloudpickle.loads, cloudpickle.dumps(lazy)).result()
        there = workers.submit(xr.DataArray.compute, found, scheduler="synchronous").result()
    np.testing.assert_array_equal(there, expected[::-1])


def test_a_matrix_and_its_names_survive_a_netcdf_file(matrices: Matrices, tmp_path: Path):
    matrices.write(embedding=np.ones((6, 3), np.float32))
    found = read_both(matrices.request(images=[NAMES[1], NAMES[1]])).rename("embeddings")
    found.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.testing.assert_equal(xr.load_dataarray(tmp_path / "a.nc", engine="h5netcdf"), found)


def test_a_matrix_is_held_in_memory_once(matrices: Matrices):
    matrices.write(embedding=np.ones((6, 2_000_000), np.float16))
    tracemalloc.start()
    found = get_loader("matrix").read(matrices.request())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.nbytes == 24_000_000
    assert peak < 1.2 * found.nbytes
