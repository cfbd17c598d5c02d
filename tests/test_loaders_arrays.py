"""Loader of whole HDF5 files, compared with plain h5py."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import dask.array
import h5py
import numpy as np
import pytest
import xarray as xr

import laion_fmri
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request, get_loader
from loader_files import entry, request, write_hdf5

SPEC = entry(
    "arrays",
    "sub-{subject}_model.h5",
    {
        "dims": [],
        "arrays": {
            "betas": {"dims": ["voxel", "trial"], "units": "percent", "description": "Betas."},
            "fit/R2": {"dims": ["voxel"], "description": "Fit."},
        },
    },
    ["subject"],
    options={"arrays": {"description": "Names.", "type": "names"}},
)
LOADER = get_loader("arrays")
RNG = np.random.default_rng(3)
CONTENT: dict[str, Any] = {
    "betas": RNG.standard_normal((7, 4)).astype(np.float32),
    "fit/R2": RNG.random(7),
    "fit/deep/index": RNG.integers(0, 20, (3, 2, 5)).astype(">i2"),
    "kept": np.array([True, False, True]),
    "phase": np.array([1 + 2j, 3j], np.complex64),
    "count": 3,
    "labels": ["one", "crème", ""],
    "note": "made by a test",
    "fixed": np.array([b"ab", b"c"], "S2"),
    "nothing": np.zeros((0, 4), np.float32),
}


def write(root: Path, subject: str = "03", **content: Any) -> Path:
    return write_hdf5(root / f"sub-{subject}_model.h5", **(content or CONTENT))


def asked(root: Path, *subjects: str, **options: Any) -> Request:
    return request(SPEC, root, [{"subject": subject} for subject in subjects or ["03"]], **options)


def test_every_array_of_the_file_is_there_by_name(tmp_path):
    path = write(tmp_path)
    read = LOADER.read(asked(tmp_path))
    names = []
    with h5py.File(path) as file:
        file.visititems(lambda name, member: names.append(name) if isinstance(member, h5py.Dataset) else None)
        assert {name.replace("/", ".") for name in names} == set(read.data_vars)
        for name in names:
            text = h5py.check_string_dtype(file[name].dtype)
            expected = file[name].asstr()[()] if text else file[name][()]
            array = read[name.replace("/", ".")]
            np.testing.assert_array_equal(array, np.asarray(expected, str if text else None))
            assert array.dtype.kind == ("U" if text else file[name].dtype.kind)
            assert array.dtype.isnative
    assert read["note"].item() == "made by a test"
    assert read["count"].item() == 3
    assert read["fit.deep.index"].dtype == np.int16


def test_dimensions_are_those_of_the_catalog_or_of_the_name(tmp_path):
    write(tmp_path)
    read = LOADER.read(asked(tmp_path))
    assert read["betas"].dims == ("voxel", "trial")
    assert read["betas"].attrs == {"units": "percent"}
    assert read["fit.R2"].dims == ("voxel",)
    assert read["fit.deep.index"].dims == ("fit.deep.index_0", "fit.deep.index_1", "fit.deep.index_2")
    assert read["labels"].dims == ("labels_0",)
    assert read["count"].dims == ()
    assert read.coords["subject"].item() == "03"
    assert read.attrs["release"] == "1.1"


def test_chosen_arrays_come_alone_in_the_order_asked_for_under_either_name(tmp_path):
    write(tmp_path)
    read = LOADER.read(asked(tmp_path, arrays=["labels", "fit/R2", "fit.deep.index"]))
    assert list(read.data_vars) == ["labels", "fit.R2", "fit.deep.index"]
    with pytest.raises(SelectionError, match=r"arrays: .*model\.h5 has no betaz; the nearest to betaz is betas"):
        LOADER.read(asked(tmp_path, arrays=["labels", "betaz"]))


def test_arrays_that_are_not_chosen_are_not_read(tmp_path):
    path = write(tmp_path, betas={"data": np.ones((7, 4), np.float32), "compression": "gzip"}, other=np.arange(3))
    with h5py.File(path) as file:
        place = file["betas"].id.get_chunk_info(0)
    stored = bytearray(path.read_bytes())
    stored[place.byte_offset : place.byte_offset + place.size] = bytes(place.size)
    path.write_bytes(stored)
    assert LOADER.read(asked(tmp_path, arrays=["other"]))["other"].values.tolist() == [0, 1, 2]
    with pytest.raises(DataFormatError, match=r"sub-03_model\.h5 cannot be read as HDF5"):
        LOADER.read(asked(tmp_path))


def test_dask_gives_what_read_gives_and_reads_numbers_when_they_are_computed(tmp_path):
    path = write(tmp_path)
    lazy = LOADER.to_dask(asked(tmp_path))
    for name in ("betas", "fit.R2", "fit.deep.index", "kept", "nothing"):
        assert isinstance(lazy[name].data, dask.array.Array), name
    xr.testing.assert_identical(lazy.compute(scheduler="synchronous"), LOADER.read(asked(tmp_path)))
    with h5py.File(path, "r+") as file:
        file["betas"][:] = 42
    assert (lazy["betas"].compute(scheduler="synchronous") == 42).all()
    assert pickle.loads(pickle.dumps(lazy))["betas"].sum().compute(scheduler="synchronous") == 42 * 28


def test_more_than_two_gigabytes_are_read_only_if_chosen(tmp_path):
    write(tmp_path, betas={"shape": (2**20, 600), "dtype": np.float32, "chunks": (1024, 600)}, small=np.arange(3))
    told = r"the arrays of .*model\.h5 take 2\.3 GiB: betas, small; choose some with arrays=, or use to_dask\(\)"
    with pytest.raises(SelectionError, match=told):
        LOADER.read(asked(tmp_path))
    assert list(LOADER.read(asked(tmp_path, arrays=["small"])).data_vars) == ["small"]
    lazy = LOADER.to_dask(asked(tmp_path))["betas"]
    assert lazy.shape == (2**20, 600)
    assert lazy[5:8].sum().compute(scheduler="synchronous") == 0
    assert max(lazy.data.chunksize[0] * 600 * 4, 2**20) <= 2**25


@pytest.mark.parametrize(
    "odd",
    [
        {"shape": (2,), "dtype": h5py.vlen_dtype(np.int32)},
        {"data": np.zeros(2, [("x", "i4"), ("y", "f8")])},
        {"shape": (2,), "dtype": h5py.ref_dtype},
    ],
)
def test_what_is_neither_numbers_nor_text_is_told_and_others_can_be_chosen(tmp_path, odd):
    write(tmp_path, odd=odd, small=np.arange(3))
    with pytest.raises(DataFormatError, match=r"array odd holds .*neither numbers nor text; choose others: arrays="):
        LOADER.read(asked(tmp_path))
    assert LOADER.read(asked(tmp_path, arrays=["small"]))["small"].sum() == 3


def test_an_empty_dataset_is_left_out(tmp_path):
    write(tmp_path, void=h5py.Empty("f4"), small=np.arange(3))
    assert list(LOADER.read(asked(tmp_path)).data_vars) == ["small"]


def test_a_file_without_arrays_is_an_empty_set(tmp_path):
    with h5py.File(tmp_path / "sub-03_model.h5", "w") as file:
        file.create_group("empty")
    assert len(LOADER.read(asked(tmp_path)).data_vars) == 0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"betas": np.zeros((2, 3, 4))}, r"array betas has shape \(2, 3, 4\); expected voxel, trial\. Download"),
        ({"betas": np.zeros((7, 4)), "fit/R2": np.zeros(6)}, r"the arrays of .* do not fit together: .*voxel"),
        ({"a/b": np.zeros(2), "a.b": np.zeros(2)}, r"two arrays of one name but for a / and a \."),
    ],
)
def test_arrays_that_contradict_the_catalog_or_each_other_are_refused(tmp_path, content, told):
    write(tmp_path, **content)
    with pytest.raises(DataFormatError, match=told):
        LOADER.read(asked(tmp_path))


def test_an_array_called_like_an_entity_hides_the_entity(tmp_path):
    write_hdf5(tmp_path / "sub-03_model.h5", subject=np.arange(3))
    assert LOADER.read(asked(tmp_path))["subject"].values.tolist() == [0, 1, 2]


@pytest.mark.parametrize("rest", [0, 100])
def test_a_damaged_file_is_named(tmp_path, rest):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:rest])
    with pytest.raises(DataFormatError, match=f"{re.escape(str(path))} cannot be read as HDF5.*download it again"):
        LOADER.read(asked(tmp_path))


def test_files_are_read_one_at_a_time(tmp_path):
    for subject in ("03", "05"):
        write(tmp_path, subject)
    with pytest.raises(SelectionError, match=r"read one at a time; choose one of sub-03_model\.h5, sub-05_model\.h5"):
        LOADER.read(asked(tmp_path, "03", "05"))


def test_the_answer_can_be_saved_as_netcdf(tmp_path):
    numbers = {name: value for name, value in CONTENT.items() if name != "phase"}
    write(tmp_path, **numbers)
    read = LOADER.read(asked(tmp_path))
    read.to_netcdf(tmp_path / "model.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "model.nc", engine="h5netcdf") as again:
        assert set(again.data_vars) == set(read.data_vars)
        np.testing.assert_array_equal(again["fit.R2"], read["fit.R2"])


# The model of a session


def test_the_model_of_a_session_has_the_betas_of_its_trials(here):
    cat = laion_fmri.open_catalog()
    source = cat.glmsingle_model(subject="03", ses="01")
    model, betas = source.read(), cat.betas(subject="03", ses="01").read()
    assert model["betasmd"].dims == ("voxel", "trial")
    places = np.ravel_multi_index(tuple(betas[axis].values for axis in "ijk"), betas.attrs["grid"])
    np.testing.assert_array_equal(model["betasmd"].values[places].T, betas.values)
    assert (model["subject"].item(), model["ses"].item()) == ("03", "01")
    assert source.describe()["container"] == "xarray"
    lazy = source.to_dask(arrays="betasmd")
    np.testing.assert_array_equal(lazy["betasmd"].mean().compute(), model["betasmd"].mean())
    with pytest.raises(SelectionError, match="the nearest to betasm is betasmd"):
        source(arrays="betasm").read()
