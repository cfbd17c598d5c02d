"""Downloading what belongs to the images, not to a subject."""

from pathlib import Path

import pytest

import laion_fmri
from laion_fmri.cli import main
from laion_fmri.download import download, download_captions, download_embeddings, download_segmentations
from laion_fmri.errors import DataNotDownloadedError, NoMatchingDataError, SelectionError

MODELS = {"CLIP", "DINOv2", "PEcore", "SigLIP2"}


def stimuli(data_dir):
    return {path.name for path in Path(data_dir, "stimuli").glob("*")}


def embedding_file(model):
    return f"task-images_desc-{model}_embeddings.h5"


def test_embeddings_of_every_model_or_of_some(server, data_dir):
    some = download_embeddings(["CLIP", "SigLIP2"])
    assert {model: path.name for model, path in some.items()} == {m: embedding_file(m) for m in ("CLIP", "SigLIP2")}
    assert stimuli(data_dir) == {path.name for path in some.values()}
    everything = download_embeddings(n_jobs=2)
    assert set(everything) == MODELS
    assert all(path.stat().st_size for path in everything.values())


def test_an_unknown_model_is_refused_before_the_licence_is_asked_for(fresh_dir):
    with pytest.raises(SelectionError, match="did you mean 'CLIP'"):
        download_embeddings("Clip")


def test_captions_and_segmentations(server, data_dir):
    assert download_captions() == Path(data_dir, "stimuli", "task-images_desc-captions.csv")
    masks = download_segmentations()
    assert {name: path.suffix for name, path in masks.items()} == {"h5": ".h5", "metadata": ".csv"}
    assert all(path.is_file() for path in masks.values())
    assert stimuli(data_dir) == {"task-images_desc-captions.csv", *(path.name for path in masks.values())}


def test_another_data_directory_may_be_named(server, data_dir, tmp_path):
    other = tmp_path / "other"
    (other / ".laion_fmri").mkdir(parents=True)
    (other / ".laion_fmri" / "license_accepted").touch()
    path = download_captions(other)
    assert path.is_relative_to(other)
    assert not stimuli(data_dir)


@pytest.mark.parametrize(
    ("wanted", "models"), [(True, MODELS), ("CLIP", {"CLIP"}), (["CLIP", "DINOv2"], {"CLIP", "DINOv2"})]
)
def test_a_subjects_download_brings_the_embeddings_asked_for(server, data_dir, wanted, models):
    download("sub-03", ses="averages", include_embeddings=wanted)
    assert stimuli(data_dir) == set(map(embedding_file, models))


@pytest.mark.parametrize("wanted", [False, [], None])
def test_a_subjects_download_brings_nothing_of_the_images_unless_asked(server, data_dir, wanted):
    download("sub-03", ses="averages", include_embeddings=wanted)
    assert not stimuli(data_dir)


def test_embeddings_do_not_hide_that_nothing_of_the_subject_matched(server, data_dir):
    with pytest.raises(NoMatchingDataError):
        download("sub-03", ses="averages", suffix="trials", include_embeddings=True)


def test_an_unknown_model_of_the_flag_is_refused(data_dir):
    with pytest.raises(SelectionError, match="did you mean 'DINOv2'"):
        download("sub-03", include_embeddings=["DINO"])


def test_each_has_a_command_of_its_own(server, data_dir, capsys):
    assert main(["download-embeddings", "--model", "CLIP", "PEcore", "--n-jobs", "2"]) == 0
    assert stimuli(data_dir) == {embedding_file("CLIP"), embedding_file("PEcore")}
    assert main(["download-captions"]) == main(["download-segmentations"]) == 0
    assert len(stimuli(data_dir)) == 5
    assert main(["download-embeddings", "--model", "CLIPP"]) == 2
    assert "did you mean 'CLIP'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "models"),
    [([], set()), (["--include-embeddings"], MODELS), (["--include-embeddings", "CLIP", "DINOv2"], {"CLIP", "DINOv2"})],
)
def test_the_flag_takes_no_value_for_all_or_some(server, data_dir, words, models):
    assert main(["download", "--subject", "03", *words, "--ses", "averages"]) == 0
    assert stimuli(data_dir) == set(map(embedding_file, models))


def test_what_is_missing_is_named_with_its_command(data_dir):
    catalog = laion_fmri.open_catalog()
    with pytest.raises(DataNotDownloadedError, match=r"run: laion-fmri download-captions$"):
        catalog.captions.read()
    with pytest.raises(DataNotDownloadedError, match=r"run: laion-fmri download-embeddings --model CLIP$"):
        catalog.embeddings(model="CLIP").read()
