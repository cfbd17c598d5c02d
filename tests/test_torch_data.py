"""The PyTorch dataset, on the miniature: what an item holds, workers of both kinds, memory, splits."""

import pickle
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

import laion_fmri
from laion_fmri.errors import DataNotDownloadedError, NoSpaceError, SelectionError, StimuliNotDownloadedError
from laion_fmri.splits import get_train_test_ids
from laion_fmri.torch_data import LaionFMRIDataset

TWO = ["ses-01", "ses-02"]


@pytest.fixture
def subject(here_images):
    return laion_fmri.load_subject("03")


@pytest.fixture
def scratch(tmp_path_factory):
    """An empty folder for temporary files."""
    return tmp_path_factory.mktemp("scratch")


def brighten(image):
    return image * 0 + 1


def test_it_is_a_dataset_of_torch_with_the_trials_of_all_sessions_in_order(subject):
    trials = subject.to_torch_dataset(TWO, roi="V1v")
    assert isinstance(trials, Dataset)
    expected = pd.concat([subject.get_trial_info(session) for session in TWO])
    assert [trials[i]["image_name"] for i in range(len(trials))] == expected["label"].tolist()
    betas = np.concatenate([subject.get_betas(session, roi="V1v") for session in TWO])
    np.testing.assert_array_equal(np.stack([trials[i]["betas"].numpy() for i in range(len(trials))]), betas)
    assert trials[0]["betas"].dtype == torch.float32
    assert len(trials.voxels) == betas.shape[1]


def test_an_item_says_which_trial_it_is(subject):
    trials = subject.to_torch_dataset(TWO, roi="V1v", images=False)
    seen: dict[str, int] = {}
    for i in range(len(trials)):
        item = trials[i]
        assert item["rep_index"] == seen.get(item["image_name"], 0)
        assert item["trial_key"] == f"sub-03_{item['session']}_{item['beta_index']:04d}"
        assert "image" not in item
        seen[item["image_name"]] = item["rep_index"] + 1
    assert max(seen.values()) > 1


def test_the_image_of_an_item_is_the_one_that_was_displayed(subject):
    trials = subject.to_torch_dataset("ses-01", roi="V1v")
    with laion_fmri.load_stimuli() as stimuli:
        for i in (0, len(trials) - 1):
            item = trials[i]
            pixels = np.asarray(stimuli.images.get(item["image_name"]))
            assert item["image"].dtype == torch.float32
            np.testing.assert_allclose(item["image"].numpy() * 255, pixels.transpose(2, 0, 1), atol=1e-3)


def test_embeddings_and_captions_are_those_of_the_image(subject):
    trials = subject.to_torch_dataset(TWO, roi="V1v", images=False, embeddings=["CLIP", "SigLIP2"], captions="human")
    captions = laion_fmri.Captions()
    with laion_fmri.load_embeddings() as embeddings:
        for i in range(0, len(trials), 7):
            item = trials[i]
            assert set(item["embeddings"]) == {"CLIP", "SigLIP2"}
            for model, vector in item["embeddings"].items():
                np.testing.assert_array_equal(vector.numpy(), embeddings.get(model, item["image_name"]))
            assert item["caption"] == captions.human(item["image_name"])[0]


def test_where_no_ai_described_an_image_the_caption_is_empty(subject):
    trials = subject.to_torch_dataset("ses-01", roi="V1v", images=False, captions="ai")
    captions = laion_fmri.Captions()
    found = {trials[i]["image_name"]: trials[i]["caption"] for i in range(len(trials))}
    assert {name: text or None for name, text in found.items()} == {name: captions.ai(name) for name in found}
    assert "" in found.values()
    assert any(found.values())


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_split_keeps_the_trials_of_its_side(subject, part):
    everything = subject.to_torch_dataset(TWO, roi="V1v", images=False)
    side = subject.to_torch_dataset(TWO, roi="V1v", images=False, split="tau", part=part)
    wanted = set(get_train_test_ids("tau", "sub-03")[part == "test"])
    rows = [i for i in range(len(everything)) if everything[i]["image_name"] in wanted]
    assert 0 < len(rows) < len(everything)
    assert [side[i]["trial_key"] for i in range(len(side))] == [everything[i]["trial_key"] for i in rows]
    np.testing.assert_array_equal(side[0]["betas"], everything[rows[0]]["betas"])


def test_further_options_of_the_betas_are_taken(subject):
    betas = laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"])
    for options in ({"zscore": "session", "nan": "drop"}, {"average": "image"}, {"nan": "zero", "stimuli": "shared"}):
        trials = subject.to_torch_dataset(TWO, roi="V1v", images=False, **options)
        expected = betas.read(roi="V1v", **options).values
        np.testing.assert_array_equal(np.stack([trials[i]["betas"] for i in range(len(trials))]), expected)
    assert "image_name" in trials[0]


def test_a_transform_takes_the_image(subject):
    trials = subject.to_torch_dataset("ses-01", roi="V1v", image_transform=brighten)
    assert bool((trials[0]["image"] == 1).all())


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes:UserWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_four_workers_give_what_none_gives(subject, start):
    trials = subject.to_torch_dataset(
        "ses-01", roi="V1v", embeddings="CLIP", captions="human", image_transform=brighten
    )
    first = trials[0]
    alone = list(DataLoader(trials, batch_size=16))
    together = list(DataLoader(trials, batch_size=16, num_workers=4, multiprocessing_context=start))
    assert len(alone) == len(together) == 4
    for one, other in zip(alone, together, strict=True):
        assert one["image_name"] == other["image_name"]
        assert one["caption"] == other["caption"]
        for name in ("betas", "image"):
            torch.testing.assert_close(one[name], other[name], rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(one["embeddings"]["CLIP"], other["embeddings"]["CLIP"], rtol=0, atol=0)
    torch.testing.assert_close(trials[0]["betas"], first["betas"], equal_nan=True)


def test_a_pickled_dataset_carries_no_betas(subject):
    small = len(pickle.dumps(subject.to_torch_dataset(TWO, roi="V1v", images=False)))
    large = len(pickle.dumps(subject.to_torch_dataset(TWO, images=False)))
    assert large - small < 100 * subject.get_n_voxels()  # the voxels' coordinates, not their 120 trials
    assert 4 * 120 * subject.get_n_voxels() > large


def test_the_betas_are_in_a_file_that_goes_with_the_dataset(subject, scratch):
    trials = subject.to_torch_dataset("ses-01", images=False, scratch_dir=scratch)
    (file,) = scratch.iterdir()
    assert file.stat().st_size == 4 * 60 * subject.get_n_voxels()
    copy = pickle.loads(pickle.dumps(trials))
    del copy
    assert file.exists()
    del trials
    assert not file.exists()


def test_the_file_goes_with_the_process(subject, scratch):
    program = textwrap.dedent("""
        import sys, laion_fmri
        kept = laion_fmri.load_subject("03").to_torch_dataset("ses-01", images=False, scratch_dir=sys.argv[1])
        print(len(list(__import__("pathlib").Path(sys.argv[1]).iterdir())))
    """)
    done = subprocess.run([sys.executable, "-c", program, str(scratch)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert not list(scratch.iterdir())


def test_a_full_disk_is_told_before_anything_is_read(subject, scratch, monkeypatch):
    monkeypatch.setattr("laion_fmri.scratch.free_bytes", lambda folder: 1000)
    with pytest.raises(NoSpaceError, match="1,000 bytes free"):
        subject.to_torch_dataset("ses-01", images=False, scratch_dir=scratch)
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"part": "tset"}, "did you mean `?test"),
        ({"captions": "people"}, "human"),
        ({"embeddings": "CLIPP"}, "CLIP"),
        ({"split": "taou"}, "tau"),
        ({"rio": "V1v"}, "roi"),
    ],
)
def test_wrong_values_are_refused(subject, given, told):
    with pytest.raises(SelectionError, match=told):
        subject.to_torch_dataset("ses-01", **{"images": False, **given})


def test_without_the_gated_images_everything_else_works(here_all):
    subject = laion_fmri.load_subject("03")
    with pytest.raises(StimuliNotDownloadedError):
        subject.to_torch_dataset("ses-01", roi="V1v")
    assert subject.to_torch_dataset("ses-01", roi="V1v", images=False, embeddings="CLIP")[0]["embeddings"]


def test_what_is_missing_is_told_before_betas_are_decoded(here_all, scratch):
    subject = laion_fmri.load_subject("03")
    (here_all / "stimuli" / "task-images_desc-captions.csv").unlink()
    with pytest.raises(DataNotDownloadedError, match="download-captions"):
        subject.to_torch_dataset("ses-01", images=False, captions="human", scratch_dir=scratch)
    assert not list(scratch.iterdir())


def test_the_dataset_can_be_named_from_its_module(subject):
    assert len(LaionFMRIDataset(subject, "ses-01", "V1v", images=False)) == 60


def test_damaged_images_are_told_by_name(subject, here_images):
    trials = subject.to_torch_dataset("ses-01", roi="V1v")
    name = trials[0]["image_name"]
    with h5py.File(here_images / "stimuli" / "task-images_stimuli.h5", "r+") as file:
        row = laion_fmri.load_stimuli().images.index_of(name)
        file["images"][row] = np.frombuffer(b"no image", np.uint8)
    fresh = subject.to_torch_dataset("ses-01", roi="V1v")
    with pytest.raises(ValueError, match=name):
        fresh[0]
