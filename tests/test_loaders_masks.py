"""Loader of a stack of masks, compared with plain h5py and pandas."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from laion_fmri.catalog import load_catalog
from laion_fmri.errors import CatalogError, DataFormatError, DataNotDownloadedError, SelectionError
from laion_fmri.loaders import Request, get_loader
from loader_files import count_rows, entry, read_both, request, write_hdf5

OPTION = {"description": "Names.", "type": "names"}
PATH = "stimuli/segmentations.h5"
TABLE = pd.DataFrame(
    {
        "mask_row": [3, 0, 1, 4, 2],
        "image_name": ["b.jpg", "a b.jpg", "a b.jpg", "c+.png", "b.jpg"],
        "noun": ["dog", "dog", "cat, black", "NA", "tree"],
        "instance_id": [2, 0, 0, 0, 4],
        "score": [0.5, 0.25, 1, 0.125, 0],
        "localized": [1, 0, 1, 1, 0],
        "mask_file": ["m3", "m0", "m1", "m4", "m2"],
    }
)


def masks_entry(dtype: str = "bool", **roles: str):
    rois = load_catalog().artifact("rois").model_dump(by_alias=True)
    dtypes = {"image_name": "str", "instance_id": "int64", "score": "float64", "localized": "bool"}
    columns = {name: {"dtype": dtype, "description": "Column."} for name, dtype in dtypes.items()}
    metadata = {
        "artifact": "segmentations_metadata",
        "tree": rois["tree"],
        "entities": {},
        "path": "stimuli/segmentations_metadata.csv",
        "layout": {"dims": ["row"], "columns": columns},
    }
    datasets = {"values": "masks", "row": "mask_row", "image": "image_name", "noun": "noun", **roles}
    return entry(
        "masks",
        PATH,
        {"dims": ["mask", "y", "x"], "dtype": dtype, "datasets": datasets},
        options={"images": OPTION, "nouns": OPTION},
        joins={"metadata": metadata},
    )


class Masks:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / PATH
        self.table_path = root / "stimuli/segmentations_metadata.csv"
        self.path.parent.mkdir()
        self.stack = (np.random.default_rng(0).random((5, 4, 6)) < 0.5).astype(np.uint8)
        write_hdf5(self.path, masks={"data": self.stack, "chunks": (1, 4, 6), "compression": "gzip"})
        self.describe(TABLE)

    def describe(self, table: pd.DataFrame) -> None:
        table.to_csv(self.table_path, index=False)

    def request(self, dtype: str = "bool", **options: list[str]) -> Request:
        return request(masks_entry(dtype), self.root, **options)


@pytest.fixture
def masks(tmp_path: Path) -> Masks:
    return Masks(tmp_path)


def test_masks_come_in_the_order_of_the_stack_with_their_table(masks: Masks):
    found = read_both(masks.request())
    assert found.dims == ("mask", "y", "x")
    assert found.dtype == bool
    np.testing.assert_array_equal(found, masks.stack != 0)
    table = pd.read_csv(masks.table_path, keep_default_na=False).sort_values("mask_row")
    for name in TABLE:
        assert found[name].dims == ("mask",)
        assert found[name].values.tolist() == table[name].tolist()
    assert {name: found[name].dtype.kind for name in ("score", "localized", "noun", "mask_file")} == {
        "score": "f",
        "localized": "b",
        "noun": "U",
        "mask_file": "U",
    }
    assert found.attrs["license"] == "CC0-1.0"


def test_masks_have_the_dtype_of_the_catalog_and_every_number_but_0_is_true(masks: Masks):
    masks.stack *= 7
    write_hdf5(masks.path, masks=masks.stack)
    numbers = read_both(masks.request("uint8"))
    assert numbers.dtype == np.uint8
    np.testing.assert_array_equal(numbers, masks.stack)
    np.testing.assert_array_equal(read_both(masks.request()), masks.stack == 7)


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"images": ["a b.jpg"]}, [0, 1]),
        ({"images": ["c+.png", "b.jpg", "c+.png"]}, [2, 3, 4]),
        ({"nouns": ["dog"]}, [0, 3]),
        ({"nouns": ["cat, black", "NA"]}, [1, 4]),
        ({"images": ["b.jpg", "c+.png"], "nouns": ["dog", "NA"]}, [3, 4]),
        ({"images": ["c+.png"], "nouns": ["dog"]}, []),
    ],
)
def test_images_and_nouns_choose_masks(masks: Masks, options: dict, rows: list[int]):
    found = read_both(masks.request(**options))
    assert found.mask_row.values.tolist() == rows
    np.testing.assert_array_equal(found, masks.stack[rows] != 0)


def test_only_chosen_masks_are_read(masks: Masks, monkeypatch: pytest.MonkeyPatch):
    read = count_rows(monkeypatch)
    get_loader("masks").read(masks.request(images=["a b.jpg"], nouns=["dog"]))
    assert read == [1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": ["b.jpg", "b.png"]}, r"images: .*segmentations.h5 has no b.png; the nearest to b.png is"),
        ({"nouns": ["Dog"]}, "nouns: .*has no Dog; the nearest to Dog is dog"),
        ({"nouns": ["cat"], "images": ["b.jpg"]}, "nouns: .*has no cat; give names that it has, letter for letter"),
    ],
)
def test_names_that_no_mask_has_are_refused(masks: Masks, options: dict, message: str):
    with pytest.raises(SelectionError, match=message):
        read_both(masks.request(**options))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([3, 0, 1, 5, 2], "row 3 is 5, outside the 5 masks"),
        ([3, -1, 1, 4, 2], "row 1 is -1, outside the 5 masks"),
        ([3, 0, 1, 3, 2], "rows 0 and 3 are both 3"),
        ([3, 0, 1, 4], "mask 2 has no row"),
        ([], "mask 0 has no row"),
    ],
)
def test_a_table_without_one_row_for_each_mask_is_refused_naming_both_files(
    masks: Masks, numbers: list[int], message: str
):
    masks.describe(TABLE.head(len(numbers)).assign(mask_row=numbers))
    with pytest.raises(DataFormatError, match=f"column mask_row, {message}") as error:
        read_both(masks.request())
    assert str(masks.path) in str(error.value)
    assert str(masks.table_path) in str(error.value)


def test_a_column_that_the_layout_names_and_the_table_lacks_is_refused(masks: Masks):
    with pytest.raises(DataFormatError, match="no column nuon; did you mean `noun`"):
        read_both(request(masks_entry(noun="nuon"), masks.root))


def test_row_numbers_that_are_no_numbers_are_refused(masks: Masks):
    masks.describe(TABLE.assign(mask_row=["3", "0", "1", "4", "two"]))
    with pytest.raises(DataFormatError, match="column mask_row, row 4: 'two' is no int64"):
        read_both(masks.request())


def test_a_column_named_like_a_dimension_is_refused(masks: Masks):
    masks.describe(TABLE.assign(y=1))
    with pytest.raises(DataFormatError, match="column y"):
        read_both(masks.request())


def test_a_table_that_is_not_here_is_missed(masks: Masks):
    masks.table_path.unlink()
    with pytest.raises(DataNotDownloadedError):
        read_both(masks.request())
    assert get_loader("masks").needs(masks_entry(), {"images": None, "nouns": None}) == ("metadata",)


@pytest.fixture
def large(masks: Masks) -> Masks:
    """Five masks of 1 GiB, of which the file stores one line."""
    shape = (5, 2**15, 2**15)
    write_hdf5(masks.path, masks={"shape": shape, "chunks": (1, 1, 2**15), "dtype": np.uint8})
    with h5py.File(masks.path, "a") as file:
        file["masks"][3, 7, :5] = 1
    return masks


def test_a_large_stack_is_not_read_by_mistake(large: Masks):
    with pytest.raises(SelectionError, match=r"all 5 masks of .* take 5\.0 GiB; choose images= .*to_dask\(\)"):
        get_loader("masks").read(large.request())


def test_a_large_stack_is_read_where_a_choice_is_made(large: Masks):
    found = get_loader("masks").read(large.request("uint8", images=["b.jpg"], nouns=["dog"]))
    assert found.shape == (1, 2**15, 2**15)
    assert found[0, 7, :6].values.tolist() == [1, 1, 1, 1, 1, 0]


def test_a_large_stack_has_a_lazy_form_in_chunks_of_a_mask(large: Masks):
    lazy = get_loader("masks").to_dask(large.request("uint8"))
    assert lazy.chunks[0] == (1,) * 5
    again = pickle.loads(pickle.dumps(lazy))
    assert again[3, 7, :6].compute(scheduler="synchronous").values.tolist() == [1, 1, 1, 1, 1, 0]


def test_chunks_hold_whole_chunks_of_the_file(masks: Masks):
    write_hdf5(masks.path, masks={"shape": (5, 2**13, 2**13), "chunks": (2, 2**6, 2**6), "dtype": np.uint8})
    assert get_loader("masks").to_dask(masks.request()).chunks[0] == (2, 2, 1)


def test_several_stacks_are_read_one_at_a_time(masks: Masks):
    one = masks.request()
    with pytest.raises(SelectionError, match="one at a time"):
        read_both(Request(one.artifact, one.files * 2, one.options, one.find))


def test_a_stack_of_other_dimensions_is_refused(masks: Masks):
    write_hdf5(masks.path, masks=masks.stack[0])
    with pytest.raises(DataFormatError, match=r"dataset masks has shape \(4, 6\); expected 3 dimensions"):
        read_both(masks.request())


def test_an_unknown_loader_is_refused_with_the_nearest_of_all():
    with pytest.raises(CatalogError, match="did you mean `masks`"):
        get_loader("mask")
