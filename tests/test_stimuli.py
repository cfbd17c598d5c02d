"""The images by name and row, compared with plain h5py, pandas and Pillow."""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import laion_fmri
from laion_fmri import Captions, Segmentations, Stimuli, StimuliNotDownloadedError, as_displayed_rgb, load_stimuli
from laion_fmri.embeddings import AVAILABLE_MODELS
from laion_fmri.errors import DataFormatError, DataNotDownloadedError

IMAGES = "stimuli/task-images_stimuli.h5"
TABLE = "stimuli/task-images_metadata.csv"


def table_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / TABLE, keep_default_na=False)


def encoded(folder: Path) -> dict[str, bytes]:
    with h5py.File(folder / IMAGES) as file:
        return dict(zip(table_of(folder)["image_name"], (row.tobytes() for row in file["images"]), strict=True))


def on_grey(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, (128, 128, 128, 255)), picture).convert("RGB")


@pytest.fixture
def stimuli(here_images: Path) -> Stimuli:
    return load_stimuli()


@pytest.fixture
def png(here_images: Path) -> str:
    return next(name for name in encoded(here_images) if name.endswith(".png"))


def test_bytes_are_those_of_the_file_by_name_by_row_and_in_turn(stimuli: Stimuli, here_images: Path):
    expected = encoded(here_images)
    assert stimuli.images.names() == list(expected)
    assert dict(stimuli.images) == expected
    assert [name for name, _ in stimuli.images] == list(expected)
    assert len(stimuli.images) == len(expected)
    for row, (name, data) in enumerate(expected.items()):
        assert stimuli.images[name] == stimuli.images[row] == stimuli.images[np.int64(row)] == data
        assert stimuli.images.index_of(name) == row
        assert name in stimuli.images


def test_a_picture_is_as_it_was_shown_or_as_it_is_stored(stimuli: Stimuli, here_images: Path, png: str):
    for name, data in encoded(here_images).items():
        shown, stored = stimuli.images.get(name), stimuli.images.get(name, as_displayed=False)
        assert isinstance(shown, Image.Image)
        assert shown.mode == "RGB"
        np.testing.assert_array_equal(shown, on_grey(data))
        assert stored.mode == ("RGBA" if name == png or name.endswith(".png") else "RGB")
        np.testing.assert_array_equal(stored, Image.open(io.BytesIO(data)))
    row = stimuli.images.index_of(png)
    assert stimuli.images.get(row) == stimuli.images.get(np.uint16(row)) == stimuli.images.get(png)


def test_several_pictures_are_one_array_in_the_order_asked_for(stimuli: Stimuli, here_images: Path, png: str):
    names = [png, *stimuli.images.names()[3:0:-1], png]
    found = stimuli.images.array([names[0], stimuli.images.index_of(names[1]), *names[2:]])
    assert found.dtype == np.uint8
    data = encoded(here_images)
    np.testing.assert_array_equal(found, np.stack([np.asarray(on_grey(data[name])) for name in names]))


@pytest.mark.parametrize(
    ("pixel", "shown"),
    [((7, 8, 9, 0), (128, 128, 128)), ((255, 0, 0, 255), (255, 0, 0)), ((255, 0, 0, 128), (192, 64, 64))],
)
def test_transparent_pixels_show_the_grey_of_the_experiment(pixel: tuple, shown: tuple):
    assert as_displayed_rgb(Image.new("RGBA", (1, 1), pixel)).getpixel((0, 0)) == shown
    assert as_displayed_rgb(Image.new("RGB", (1, 1), pixel[:3])).getpixel((0, 0)) == pixel[:3]


def test_the_table_has_row_i_for_image_i(stimuli: Stimuli, here_images: Path):
    expected = table_of(here_images).astype(str)
    for table in (stimuli.metadata, stimuli.images.metadata):
        assert table.columns.tolist() == expected.columns.tolist()
        assert table.index.tolist() == list(range(len(expected)))
        assert (table.to_numpy() == expected.to_numpy()).all()


def test_names_and_rows_that_are_not_there_are_refused(stimuli: Stimuli):
    name, count = stimuli.images.names()[0], len(stimuli.images)
    assert f"{name}x" not in stimuli.images
    assert 0 not in stimuli.images
    for ask in (stimuli.images.index_of, stimuli.images.get, stimuli.images.__getitem__):
        with pytest.raises(KeyError, match=f"no image {name}x; did you mean {name}"):
            ask(f"{name}x")
    for row in (-1, count, np.int64(count)):
        with pytest.raises(IndexError, match=f"has no image {row}; its {count} images count from 0"):
            stimuli.images[row]
        with pytest.raises(IndexError):
            stimuli.images.get(row)
    with pytest.raises(TypeError):
        stimuli.images[1.0]


def test_a_damaged_picture_names_the_file_and_the_image(stimuli: Stimuli, here_images: Path):
    name = stimuli.images.names()[4]
    with h5py.File(here_images / IMAGES, "r+") as file:
        file["images"][4] = file["images"][4][:200]
    for key in (name, 4):
        with pytest.raises(DataFormatError, match=f"{IMAGES}, image {name}, cannot be decoded"):
            load_stimuli().images.get(key)
    assert load_stimuli().images[4]
    assert load_stimuli().images.get(5).mode == "RGB"


def test_images_and_a_table_that_do_not_belong_together_are_refused(here_images: Path):
    table_of(here_images).iloc[1:].to_csv(here_images / TABLE, index=False)
    with pytest.raises(DataFormatError, match="does not fit") as error:
        load_stimuli().images[0]
    assert str(here_images / IMAGES) in str(error.value)
    assert str(here_images / TABLE) in str(error.value)


@pytest.mark.parametrize(
    ("gone", "command"), [(IMAGES, "laion-fmri download-stimuli"), (TABLE, "laion-fmri download-metadata")]
)
def test_without_images_or_table_the_command_is_told(here_images: Path, gone: str, command: str):
    (here_images / gone).unlink()
    with pytest.raises(StimuliNotDownloadedError, match=f"{gone}; run: {command}$") as error:
        load_stimuli()
    assert isinstance(error.value, FileNotFoundError)


def test_what_belongs_to_the_images_is_read_by_the_readers_that_stand_alone(stimuli: Stimuli):
    name = Segmentations().images()[0]
    assert stimuli.captions.list(name) == Captions().list(name)
    assert stimuli.segmentations.nouns(name) == Segmentations().nouns(name)
    assert stimuli.embeddings.models == AVAILABLE_MODELS
    np.testing.assert_array_equal(
        stimuli.embeddings.get("CLIP", name), laion_fmri.load_embeddings("CLIP").get("CLIP", name)
    )
    assert stimuli.captions is stimuli.captions


def test_only_what_is_here_belongs_to_the_images(here_images: Path):
    (here_images / "stimuli/task-images_desc-CLIP_embeddings.h5").unlink()
    (here_images / "stimuli/task-images_desc-captions.csv").unlink()
    with load_stimuli() as stimuli:
        assert stimuli.embeddings.models == tuple(model for model in AVAILABLE_MODELS if model != "CLIP")
        with pytest.raises(DataNotDownloadedError, match="download-captions"):
            stimuli.captions  # noqa: B018
        assert stimuli.images.get(0)


def test_closed_stimuli_let_go_of_everything_and_read_anew(stimuli: Stimuli):
    with stimuli:
        metadata, captions = stimuli.metadata, stimuli.captions
        texts = captions.metadata
        assert stimuli.metadata is metadata
    assert captions.metadata is not texts
    assert stimuli.metadata is not metadata
    assert stimuli.captions is not captions


def test_a_given_folder_is_read_instead_of_the_configured_one(here_images: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.move(here_images / "stimuli", other / "stimuli")
    for folder in (other, str(other)):
        stimuli = load_stimuli(folder)
        assert stimuli.images.get(0).mode == "RGB"
        name = stimuli.images.names()[0]
        assert stimuli.captions.list(name)
        assert stimuli.embeddings.get("CLIP", name).any()
        assert stimuli.segmentations.images()
    with pytest.raises(StimuliNotDownloadedError):
        load_stimuli()


def test_nothing_asks_the_network(here_images: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("LAION_FMRI_OFFLINE", "1")
    assert load_stimuli().images.get(0).mode == "RGB"


def first_bytes(stimuli: Stimuli, rows: range) -> list[bytes]:
    return [stimuli.images[row] for row in rows]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on, as the tests have threads
def test_threads_forks_and_other_processes_read_the_same(stimuli: Stimuli, here_images: Path):
    expected = list(encoded(here_images).values())
    rows = range(len(expected))
    stimuli.images.get(0)
    with ThreadPoolExecutor(6) as workers:
        assert all(found == expected for found in workers.map(lambda _: first_bytes(stimuli, rows), range(6)))
    child = os.fork()
    if not child:
        os._exit(0 if first_bytes(stimuli, rows) == expected else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert first_bytes(stimuli, rows) == expected
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(bytes_there, (pickle.dumps(stimuli), len(expected))) == expected


def bytes_there(pickled: bytes, count: int) -> list[bytes]:
    return first_bytes(pickle.loads(pickled), range(count))


def test_importing_the_faces_loads_no_pillow_and_no_hdf5():
    code = """
        import sys
        import laion_fmri.stimuli, laion_fmri.subject_trials, laion_fmri.trial_faces
        print([name for name in ("PIL", "h5py", "numpy", "pandas", "boto3") if name in sys.modules])
    """
    found = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
