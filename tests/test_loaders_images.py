"""Loader of encoded pictures, compared with plain h5py and Pillow."""

from __future__ import annotations

import io
import os
import pickle
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import laion_fmri
from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.models import Artifact
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, SelectionError
from laion_fmri.loaders import Request, get_loader
from loader_files import entry, read_both, request

PATH = "stimuli/images.h5"
GREY = (128, 128, 128)
TABLE = pd.DataFrame(
    {
        "image_name": ["b.jpg", "a b.jpg", "c+.png", "NA"],
        "dataset": ["X", "Y", "Y", "X"],
        "participant": ["sub-01;sub-03", "", "p01", "NA"],
        "n_reps": [4, 4, 12, 4],
    }
)


def images_entry(background: object = GREY, **more: object) -> Artifact:
    shared = load_catalog().artifact("stimuli").joins["metadata"].model_dump(by_alias=True)
    columns = {"n_reps": {"dtype": "int64", "description": "Repetitions."}}
    join = {**shared, "path": "stimuli/metadata.csv", "layout": {"dims": ["row"], "columns": columns}}
    return entry(
        "images",
        PATH,
        {
            "dims": ["image", "y", "x", "channel"],
            "dtype": "uint8",
            "datasets": {"values": "images", "image": "image_name"},
            "background": background,
        },
        options={"images": {"description": "Names.", "type": "names"}},
        joins={"metadata": join},
        **more,
    )


def encode(pixels: object, kind: str = "PNG", mode: str | None = None) -> bytes:
    file = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels, np.uint8))
    (picture.convert(mode) if mode else picture).save(file, kind)
    return file.getvalue()


class Pictures:
    """Four pictures of 5 x 7 pixels: two photographs, one with clear pixels, one in shades of grey."""

    def __init__(self, root: Path) -> None:
        self.root, self.path, self.table_path = root, root / PATH, root / "stimuli/metadata.csv"
        self.path.parent.mkdir()
        chance = np.random.default_rng(0)
        self.clear = chance.integers(0, 256, (5, 7, 4))
        self.encoded = [
            encode(chance.integers(0, 256, (5, 7, 3)), "JPEG"),
            encode(chance.integers(0, 256, (5, 7, 3))),
            encode(self.clear),
            encode(chance.integers(0, 256, (5, 7))),
        ]
        self.write(self.encoded)
        self.describe(TABLE)

    def write(self, encoded: list[bytes]) -> None:
        with h5py.File(self.path, "w") as file:
            dataset = file.create_dataset("images", (len(encoded),), h5py.vlen_dtype(np.uint8))
            for row, data in enumerate(encoded):
                dataset[row] = np.frombuffer(data, np.uint8)

    def describe(self, table: pd.DataFrame) -> None:
        table.to_csv(self.table_path, index=False)

    def request(self, background: object = GREY, **options: list[str]) -> Request:
        return request(images_entry(background), self.root, **options)

    def expected(self, row: int) -> np.ndarray:
        """The picture as it is shown, by Pillow for opaque ones and by arithmetic for the clear one."""
        if row != 2:
            return np.asarray(Image.open(io.BytesIO(self.encoded[row])).convert("RGB"))
        alpha = self.clear[..., 3:] / 255
        return np.round(self.clear[..., :3] * alpha + 128 * (1 - alpha)).astype(int)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path)


def test_pictures_come_in_the_order_of_the_file_with_names_and_table(pictures: Pictures):
    found = read_both(pictures.request())
    assert found.dims == ("image", "y", "x", "channel")
    assert found.dtype == np.uint8
    assert found.shape == (4, 5, 7, 3)
    for row in range(4):
        np.testing.assert_allclose(found[row].values.astype(int), pictures.expected(row), atol=1)
    assert found.image.values.tolist() == TABLE["image_name"].tolist()
    assert found.channel.values.tolist() == ["red", "green", "blue"]
    table = pd.read_csv(pictures.table_path, keep_default_na=False)
    for name in ("dataset", "participant", "n_reps"):
        assert found[name].dims == ("image",)
        assert found[name].values.tolist() == table[name].tolist()
    assert "image_name" not in found.coords


@pytest.mark.parametrize(
    ("pixel", "shown"),
    [((12, 34, 56, 0), GREY), ((255, 0, 0, 255), (255, 0, 0)), ((255, 0, 0, 128), (192, 64, 64))],
)
def test_clear_pixels_show_the_background(pictures: Pictures, pixel: tuple, shown: tuple):
    pictures.write([encode([[pixel]])])
    pictures.describe(TABLE.head(1))
    assert read_both(pictures.request()).values.ravel().tolist() == list(shown)


def test_the_background_is_that_of_the_catalog(pictures: Pictures):
    pictures.write([encode([[(255, 0, 0, 0)]])])
    pictures.describe(TABLE.head(1))
    assert read_both(pictures.request((1, 2, 3))).values.ravel().tolist() == [1, 2, 3]


def test_every_way_to_be_transparent_counts(pictures: Pictures):
    clear = Image.new("RGBA", (2, 1), (10, 20, 30, 0))
    grey = encode(clear, mode="LA")
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([10, 20, 30])
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=0)
    pictures.write([grey, file.getvalue()])
    pictures.describe(TABLE.head(2))
    assert (read_both(pictures.request()).values == 128).all()


def test_without_a_background_clear_pictures_are_refused_and_opaque_ones_read(pictures: Pictures):
    assert read_both(pictures.request(None, images=["b.jpg"])).shape[0] == 1
    with pytest.raises(DataFormatError, match=r"image c\+.png, is transparent; add the background"):
        read_both(pictures.request(None))


def test_images_are_chosen_by_name_in_the_order_asked_for_with_repeats(pictures: Pictures):
    everything = read_both(pictures.request())
    names = ["NA", "b.jpg", "c+.png", "b.jpg"]
    found = read_both(pictures.request(images=names))
    assert found.image.values.tolist() == names
    np.testing.assert_array_equal(found, everything.values[[3, 0, 2, 0]])
    assert found.dataset.values.tolist() == ["X", "X", "Y", "X"]


def test_a_name_that_no_image_has_is_refused_naming_the_nearest(pictures: Pictures):
    with pytest.raises(SelectionError, match=r"images: .*images.h5 has no b.jpeg; the nearest to b.jpeg is b.jpg"):
        read_both(pictures.request(images=["b.jpg", "b.jpeg"]))


def test_only_chosen_images_are_decoded(pictures: Pictures):
    pictures.write([pictures.encoded[0], b"damage", b"", pictures.encoded[3]])
    assert read_both(pictures.request(images=["b.jpg", "NA"])).shape[0] == 2


@pytest.mark.parametrize("damage", [b"", b"<html>expired</html>", slice(None, 60), slice(None, -40), slice(10, None)])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_damaged_bytes_name_the_file_and_the_image(pictures: Pictures, row: int, damage: bytes | slice):
    encoded = list(pictures.encoded)
    encoded[row] = encoded[row][damage] if isinstance(damage, slice) else damage
    pictures.write(encoded)
    name = TABLE["image_name"][row]
    with pytest.raises(DataFormatError, match=r"cannot be decoded: .*; download the file again") as error:
        read_both(pictures.request())
    assert str(error.value).startswith(f"{pictures.path}, image {name},")
    with pytest.raises(DataFormatError, match="cannot be decoded"):
        get_loader("images").to_dask(pictures.request(images=[name])).compute()


def test_no_damage_gets_past_as_another_error(pictures: Pictures):
    chance = np.random.default_rng(3)
    photograph = encode(chance.integers(0, 256, (40, 40, 3)), "JPEG")
    for whole in (photograph, pictures.encoded[2]):
        for _ in range(150):
            data = np.frombuffer(whole, np.uint8).copy()
            data[chance.integers(len(data), size=4)] = chance.integers(0, 256, 4)
            pictures.write([data.tobytes()[: chance.integers(1, len(data) + 1)]])
            pictures.describe(TABLE.head(1))
            try:
                get_loader("images").read(pictures.request())
            except DataFormatError as error:
                assert "b.jpg" in str(error)  # noqa: PT017 - some damage still decodes


@pytest.mark.parametrize("rows", [3, 5])
def test_a_table_of_another_length_is_refused_naming_both_files(pictures: Pictures, rows: int):
    table = pd.concat([TABLE, TABLE.head(1).assign(image_name="d")]).head(rows)
    pictures.describe(table)
    with pytest.raises(DataFormatError, match=f"{rows} rows for 4 images") as error:
        read_both(pictures.request())
    assert str(pictures.path) in str(error.value)
    assert str(pictures.table_path) in str(error.value)


def test_a_name_that_stands_twice_is_refused(pictures: Pictures):
    pictures.describe(TABLE.assign(image_name=["a", "b", "a", "b"]))
    with pytest.raises(DataFormatError, match="column image_name, row 2: 'a' stands in row 0 too"):
        read_both(pictures.request())


def test_a_table_without_names_is_refused(pictures: Pictures):
    pictures.describe(TABLE.rename(columns={"image_name": "name"}))
    with pytest.raises(DataFormatError, match="has no column image_name"):
        read_both(pictures.request())


def test_a_column_named_like_a_dimension_is_refused(pictures: Pictures):
    pictures.describe(TABLE.assign(channel=1))
    with pytest.raises(DataFormatError, match="column channel"):
        read_both(pictures.request())


def test_images_of_several_sizes_are_refused_together_and_read_one_by_one(pictures: Pictures):
    wide = encode(np.zeros((5, 9, 3)))
    pictures.write([*pictures.encoded[:3], wide])
    with pytest.raises(DataFormatError, match="image NA, has 9 x 5 pixels and another one 7 x 5; choose images of one"):
        get_loader("images").read(pictures.request())
    with pytest.raises(DataFormatError, match="9 x 5"):
        get_loader("images").to_dask(pictures.request()).compute(scheduler="synchronous")
    assert read_both(pictures.request(images=["NA"])).shape == (1, 5, 9, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"data": np.zeros((4, 9), np.uint8)}, r"has shape \(4, 9\); expected 1 dimension"),
        ({"data": np.zeros(4, np.uint8)}, "holds uint8; expected bytes of variable length"),
        ({"data": ["a", "b", "c", "d"]}, "expected bytes of variable length"),
        ({"shape": (4,), "dtype": h5py.vlen_dtype(np.int16)}, "expected bytes of variable length"),
    ],
)
def test_a_dataset_of_something_else_is_refused(pictures: Pictures, data: dict, message: str):
    with h5py.File(pictures.path, "w") as file:
        file.create_dataset("images", **data)
    with pytest.raises(DataFormatError, match=message):
        read_both(pictures.request())


def test_a_file_without_images_or_that_is_no_hdf5_is_refused(pictures: Pictures):
    pictures.write([])
    pictures.describe(TABLE.head(0))
    with pytest.raises(DataFormatError, match="holds no image"):
        read_both(pictures.request())
    pictures.path.write_bytes(b"<html>")
    with pytest.raises(DataFormatError, match="cannot be read as HDF5"):
        read_both(pictures.request())


def test_a_table_that_is_not_here_is_missed(pictures: Pictures):
    pictures.table_path.unlink()
    with pytest.raises(DataNotDownloadedError):
        read_both(pictures.request())


def test_several_files_are_read_one_at_a_time(pictures: Pictures):
    one = pictures.request()
    with pytest.raises(SelectionError, match="one at a time"):
        read_both(Request(one.artifact, one.files * 2, one.options, one.find))


@pytest.fixture
def large(pictures: Pictures) -> Pictures:
    """Black images of the size of the real ones, that take 2.25 GiB and of which the file stores a few kB each."""
    data = encode(Image.new("RGB", (1000, 1000)))
    names = [f"{n}.png" for n in range(805)]
    pictures.write([data] * len(names))
    pictures.describe(pd.DataFrame({"image_name": names, "n_reps": 4}))
    return pictures


def test_many_images_are_not_read_by_mistake(large: Pictures):
    with pytest.raises(
        SelectionError, match=r"images.h5: 805 images take 2\.2 GiB; choose images=, or use to_dask\(\)"
    ):
        get_loader("images").read(large.request())
    assert get_loader("images").read(large.request(images=["3.png"])).nbytes == 3_000_000


def test_many_images_have_a_lazy_form_in_chunks_of_a_few(large: Pictures):
    lazy = get_loader("images").to_dask(large.request())
    assert lazy.shape == (805, 1000, 1000, 3)
    assert lazy.chunks[0] == (5,) * 161


def test_a_size_that_no_picture_has_is_damage(pictures: Pictures):
    data = bytearray(pictures.encoded[1])
    data[16:24] = b"\x00\x10\x00\x00" * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    pictures.write([bytes(data)])
    pictures.describe(TABLE.head(1))
    with pytest.raises(DataFormatError, match=r"b\.jpg, cannot be decoded: .*1099511627776 pixels"):
        get_loader("images").read(pictures.request())


def test_the_lazy_form_goes_to_other_processes(pictures: Pictures):
    lazy = pickle.loads(pickle.dumps(get_loader("images").to_dask(pictures.request())))
    with dask.config.set({"multiprocessing.context": "spawn"}):
        found = lazy.compute(scheduler="processes", num_workers=2)
    np.testing.assert_array_equal(found, get_loader("images").read(pictures.request()))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on, as the tests have threads
def test_threads_and_forks_read_the_same(pictures: Pictures):
    asked = pictures.request()
    expected = get_loader("images").read(asked)
    with ThreadPoolExecutor(4) as workers:
        found = list(workers.map(lambda _: get_loader("images").read(asked), range(20)))
    assert all(np.array_equal(one, expected) for one in found)
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(get_loader("images").read(asked), expected) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_the_images_of_the_miniature_are_read_through_the_catalog(here_images: Path):
    cat = laion_fmri.open_catalog()
    found = cat.stimuli.read()
    with h5py.File(here_images / "stimuli/task-images_stimuli.h5") as file:
        encoded = [row.tobytes() for row in file["images"]]
    table = pd.read_csv(here_images / "stimuli/task-images_metadata.csv", keep_default_na=False)
    assert found.image.values.tolist() == table["image_name"].tolist()
    for shown, data in zip(found.values, encoded, strict=True):
        stored = Image.open(io.BytesIO(data))
        behind = Image.new("RGBA", stored.size, (*GREY, 255))
        np.testing.assert_array_equal(shown, Image.alpha_composite(behind, stored.convert("RGBA")).convert("RGB"))
    name = str(found.image.values[5])
    one = cat.stimuli(images=name).to_dask().compute()
    np.testing.assert_array_equal(one[0], found[5])
    assert one.unique_or_shared.item() == name.partition("_")[0]
    assert one.attrs["license"] == "LicenseRef-LAION-fMRI-DUA"
