"""The images of the miniature, judged by h5py and Pillow, and against its masks and captions."""

import io
import re

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from laion_fmri.sandbox import make_dataset
from laion_fmri.sandbox.places import PLACES
from laion_fmri.sandbox.shapes import SHAPES

IMAGES = "stimuli/task-images_stimuli.h5"
SMALL = {"subjects": ["05"], "sessions": ["04"], "trials": 12, "grid": (11, 13, 12)}


def table(folder, ending):
    return pd.read_csv(folder / f"stimuli/task-images_{ending}.csv", keep_default_na=False)


def encoded(folder):
    with h5py.File(folder / IMAGES) as file:
        return dict(
            zip(table(folder, "metadata")["image_name"], (row.tobytes() for row in file["images"]), strict=True)
        )


@pytest.fixture(scope="module")
def pictures(miniature):
    return {name: Image.open(io.BytesIO(data)) for name, data in encoded(miniature).items()}


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """Images in more pixels than those of the other tests."""
    folder = tmp_path_factory.mktemp("fine") / "miniature"
    make_dataset(folder, **{**SMALL, "trials": 40}, pixels=120)
    return folder


def masks_of(folder):
    """Rows of the table of masks, and the masks."""
    with h5py.File(folder / "stimuli/task-images_desc-segmentations.h5") as file:
        stack = file["masks"][:] != 0
    rows = table(folder, "desc-segmentations_metadata")
    return [(row, stack[row.mask_row]) for row in rows[rows["localized"] == 1].itertuples()]


def test_the_file_has_one_dataset_of_bytes_of_any_length(miniature):
    with h5py.File(miniature / IMAGES) as file:
        assert list(file) == ["images"]
        assert file["images"].ndim == 1
        assert h5py.check_vlen_dtype(file["images"].dtype) == np.uint8


def test_each_row_of_the_table_has_an_image_in_the_format_of_its_name(pictures):
    kinds = set()
    for name, picture in pictures.items():
        kind = (name.rpartition(".")[2], picture.format, picture.mode)
        assert kind in {("jpg", "JPEG", "RGB"), ("png", "PNG", "RGBA")}, name
        assert picture.size == (50, 50)
        kinds.add(kind)
    assert len(kinds) == 2


def test_images_on_nothing_have_clear_opaque_and_half_clear_pixels(pictures):
    alphas = [np.asarray(picture)[..., 3] for picture in pictures.values() if picture.mode == "RGBA"]
    values = np.concatenate([alpha.ravel() for alpha in alphas])
    assert {0, 255} <= set(values)
    assert ((values > 20) & (values < 235)).mean() > 0.01
    assert sum(alpha.min() == 0 for alpha in alphas) > len(alphas) / 2


def test_no_two_images_are_alike(pictures):
    pixels = [np.asarray(picture.convert("RGB"), float) for picture in pictures.values()]
    flat = np.stack([one.ravel() for one in pixels])
    apart = np.abs(flat[:, None, ::7] - flat[None, :, ::7]).mean(2)
    assert apart[np.triu_indices(len(flat), 1)].min() > 1


def test_a_thing_is_painted_where_its_mask_is_and_in_its_own_colours(fine):
    images = encoded(fine)
    nouns = set()
    for row, mask in masks_of(fine):
        picture = np.asarray(Image.open(io.BytesIO(images[row.image_name])).convert("RGB"), float)
        colours = np.array([part.colour for part in SHAPES[row.noun].parts], float)
        distance = np.abs(picture[mask][:, None] - colours).max(2).min(1)
        assert np.median(distance) < 25, (row.image_name, row.noun)
        nouns.add(row.noun)
    assert len(nouns) > 5


def test_a_mask_ends_where_the_thing_on_nothing_ends(fine):
    images = encoded(fine)
    judged = 0
    for row, mask in masks_of(fine):
        if row.image_name.endswith(".png"):
            alpha = np.asarray(Image.open(io.BytesIO(images[row.image_name])))[..., 3]
            upper, lower = int(row.box_y0), int(row.box_y0 + 0.8 * (row.box_y1 - row.box_y0))  # above the shadow
            place = (slice(upper, lower), slice(int(row.box_x0), int(row.box_x1) + 1))
            assert ((alpha[place] >= 128) == mask[place]).mean() > 0.99
            judged += 1
    assert judged > 1


def test_captions_of_an_image_speak_of_one_place_only(miniature):
    captions = table(miniature, "desc-captions")
    places = captions.groupby("image_name")["caption"].agg(
        lambda texts: {place for place in PLACES if texts.str.lower().str.contains(re.escape(place)).any()}
    )
    assert places.map(len).max() == 1
    assert len(set.union(*places)) == len(PLACES)


def test_the_size_is_free_and_the_picture_the_same(tmp_path):
    for pixels in (40, 160):
        make_dataset(tmp_path / str(pixels), **SMALL, pixels=pixels)
    small, large = (encoded(tmp_path / pixels) for pixels in ("40", "160"))
    assert list(small) == list(large)
    for name, data in large.items():
        fine = Image.open(io.BytesIO(data)).convert("RGB")
        assert fine.size == (160, 160)
        coarse = np.asarray(Image.open(io.BytesIO(small[name])).convert("RGB"), float)
        assert np.abs(coarse - np.asarray(fine.resize((40, 40), Image.Resampling.BOX), float)).mean() < 12


def test_an_image_does_not_depend_on_the_other_images(miniature, tmp_path):
    make_dataset(tmp_path / "one", subjects=["03"])
    everything = encoded(miniature)
    assert all(data == everything[name] for name, data in encoded(tmp_path / "one").items())


def test_shapes_reach_the_edges_of_their_box():
    for noun, shape in SHAPES.items():
        xs = np.concatenate([part.corners[::2] for part in shape.parts])
        ys = np.concatenate([part.corners[1::2] for part in shape.parts])
        assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx((0, 0, 1, 1), abs=0.021), noun
