"""The trials of a subject over its sessions and what belongs to their images, compared with plain h5py and pandas."""

from __future__ import annotations

import inspect
import io
import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import laion_fmri
from laion_fmri import Captions, Segmentations, StimuliNotDownloadedError, load_stimuli, load_subject
from laion_fmri.embeddings import AVAILABLE_MODELS
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, SelectionError
from laion_fmri.subject import Subject

IMAGES = "stimuli/task-images_stimuli.h5"
TABLE = "stimuli/task-images_metadata.csv"
SESSIONS = ("ses-01", "ses-02")


def trials_path(folder: Path, session: str, subject: str = "sub-03") -> Path:
    name = f"{subject}_{session}_task-images_desc-SingletrialBetas_trials.tsv"
    return folder / f"derivatives/glmsingle-tedana/{subject}/{session}/func/{name}"


def plain_trials(folder: Path, *sessions: str) -> pd.DataFrame:
    tables = [pd.read_csv(trials_path(folder, session), sep="\t", keep_default_na=False) for session in sessions]
    return pd.concat(tables, ignore_index=True)


def plain_images(folder: Path) -> dict[str, bytes]:
    names = pd.read_csv(folder / TABLE, keep_default_na=False)["image_name"]
    with h5py.File(folder / IMAGES) as file:
        return dict(zip(names, (row.tobytes() for row in file["images"]), strict=True))


def plain_embeddings(folder: Path, model: str) -> dict[str, np.ndarray]:
    with h5py.File(folder / f"stimuli/task-images_desc-{model}_embeddings.h5") as file:
        return dict(zip(file["image_ids"].asstr()[()].tolist(), file["embedding"][()], strict=True))


@pytest.fixture
def subject(here_images: Path) -> Subject:
    return load_subject("sub-03")


@pytest.fixture
def labels(here_images: Path) -> list[str]:
    return plain_trials(here_images, *SESSIONS)["label"].tolist()


# The table


def test_the_table_has_the_trials_of_all_sessions_with_what_is_known_of_their_images(
    subject: Subject, here_images: Path
):
    trials = plain_trials(here_images, *SESSIONS)
    about = pd.read_csv(here_images / TABLE, keep_default_na=False)
    found = subject.metadata
    assert found.index.tolist() == list(range(len(trials)))
    for column in trials:
        assert found[column].tolist() == trials[column].tolist()
    assert found["session_trial"].tolist() == [*range(60), *range(60)]
    assert found["image_name"].tolist() == trials["label"].tolist()
    assert about["image_name"][found["stim_idx"]].tolist() == trials["label"].tolist()
    joined = trials.merge(about, left_on="label", right_on="image_name", how="left")
    for column in ("unique_or_shared", "dataset"):
        assert found[column].tolist() == joined[column].tolist()
    assert found["trial_key"].tolist() == [f"sub-03_{row.session}_{row.beta_index:04d}" for row in trials.itertuples()]
    assert set(found["subject"]) == {"03"}


def test_the_keys_are_those_of_the_betas(subject: Subject):
    betas = laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"]).read(roi="V1v")
    assert subject.metadata["trial_key"].tolist() == betas["trial_key"].values.tolist()
    assert subject.metadata["label"].tolist() == betas["label"].values.tolist()


def test_one_session_here_gives_its_trials_alone_and_its_keys_stay(here_images: Path):
    both = load_subject("03").metadata
    shutil.rmtree(trials_path(here_images, "ses-01").parents[1])
    one = load_subject("03").metadata
    assert one.index.tolist() == list(range(60))
    assert one["trial_key"].tolist() == both["trial_key"][60:].tolist()


def test_the_table_is_read_once_and_needs_no_images(here_all: Path, monkeypatch: pytest.MonkeyPatch):
    subject = load_subject("03")
    assert subject.metadata is subject.metadata
    assert subject.get_n_stimuli() == len(pd.read_csv(here_all / TABLE))
    assert not subject.has_stimuli()


def test_without_the_table_of_the_images_the_command_is_told(subject: Subject, here_images: Path):
    (here_images / TABLE).unlink()
    for ask in (lambda: subject.metadata, lambda: subject.images, subject.get_n_stimuli):
        with pytest.raises(StimuliNotDownloadedError, match=f"{TABLE}; run: laion-fmri download-metadata$"):
            ask()


def drop_from_table(folder: Path, label: str) -> None:
    about = pd.read_csv(folder / TABLE, keep_default_na=False)
    about[about["image_name"] != label].to_csv(folder / TABLE, index=False)


def test_a_label_without_a_row_is_refused_naming_both_tables(subject: Subject, here_images: Path):
    label = plain_trials(here_images, "ses-02")["label"][3]
    drop_from_table(here_images, label)
    with pytest.raises(DataFormatError, match="is not in column image_name") as error:
        subject.metadata  # noqa: B018
    for part in (label, str(here_images / TABLE), "_trials.tsv, column label, row "):
        assert part in str(error.value)


def test_a_label_without_a_row_is_refused_when_the_table_arrives_late(
    subject: Subject, here_images: Path, tmp_path: Path
):
    shutil.move(here_images / TABLE, tmp_path / "table.csv")
    assert subject.captions.human(0)
    shutil.move(tmp_path / "table.csv", here_images / TABLE)
    label = plain_trials(here_images, "ses-01")["label"][0]
    drop_from_table(here_images, label)
    with pytest.raises(DataFormatError, match="do not belong together") as error:
        subject.metadata  # noqa: B018
    for part in (str(here_images / TABLE), f"no row for {label}, which trial sub-03_ses-01_0000 shows"):
        assert part in str(error.value)


def test_a_name_that_stands_twice_is_refused(subject: Subject, here_images: Path):
    about = pd.read_csv(here_images / TABLE, keep_default_na=False)
    pd.concat([about, about.head(1)]).to_csv(here_images / TABLE, index=False)
    with pytest.raises(DataFormatError, match=f"column image_name, row {len(about)}: .* stands in row 0 too"):
        subject.metadata  # noqa: B018


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.iloc[1:], ", column beta_index, row 0: 1, not 0"),
        (lambda table: table.iloc[::-1], ", column beta_index, row 0: 59, not 0"),
        (lambda table: table.assign(session="ses-01"), ": column session, row 0 is ses-01, not ses-02"),
    ],
)
def test_a_trial_table_that_does_not_count_its_volumes_is_refused(subject: Subject, here_images: Path, change, message):
    path = trials_path(here_images, "ses-02")
    change(plain_trials(here_images, "ses-02")).to_csv(path, sep="\t", index=False)
    with pytest.raises(DataFormatError, match=f"{path}{message}"):
        subject.metadata  # noqa: B018


def test_betas_without_their_trial_table_are_not_left_out_in_silence(subject: Subject, here_images: Path):
    trials_path(here_images, "ses-01").unlink()
    with pytest.raises(DataNotDownloadedError, match="laion-fmri download --subject 03 --ses 01"):
        subject.metadata  # noqa: B018


def test_without_any_session_the_command_is_told(subject: Subject, here_images: Path):
    shutil.rmtree(here_images / "derivatives/glmsingle-tedana")
    with pytest.raises(
        DataNotDownloadedError, match=r"no session of sub-03 .*run: laion-fmri download --subject sub-03"
    ):
        subject.metadata  # noqa: B018


# Images


def test_images_are_those_of_the_trials_by_index_and_by_key(subject: Subject, here_images: Path, labels: list[str]):
    encoded = plain_images(here_images)
    keys = subject.metadata["trial_key"]
    stimuli = load_stimuli()
    assert len(subject.images) == len(labels)
    for trial, label in enumerate(labels):
        assert subject.images[trial] == subject.images[keys[trial]] == subject.images[np.int64(trial)] == encoded[label]
    clear = next(trial for trial, label in enumerate(labels) if label.endswith(".png"))
    for trial in (0, clear):
        assert subject.images.get(trial) == subject.images.get(keys[trial]) == stimuli.images.get(labels[trial])
    assert subject.images.get(clear, as_displayed=False).mode == "RGBA"


@pytest.mark.parametrize(
    ("session", "sessions"), [(None, SESSIONS), ("ses-02", ["ses-02"]), ("01", ["ses-01"]), (["02", "01"], SESSIONS)]
)
def test_all_images_come_in_the_order_of_trials(subject: Subject, here_images: Path, session, sessions):
    shown = plain_trials(here_images, *sessions)["label"]
    stimuli = load_stimuli()
    expected = np.stack([np.asarray(stimuli.images.get(label)) for label in shown])
    every = subject.images.all(session)
    assert isinstance(next(every), Image.Image)
    assert len(list(every)) == len(shown) - 1
    np.testing.assert_array_equal(np.stack([np.asarray(one) for one in subject.images.all(session)]), expected)
    found = subject.images.array(session)
    assert found.dtype == np.uint8
    assert found.shape == (len(shown), 50, 50, 3)
    np.testing.assert_array_equal(found, expected)


def test_an_image_that_was_shown_twice_is_decoded_once_for_the_array(subject: Subject, labels, monkeypatch):
    decoded = []
    load = Image.Image.convert
    monkeypatch.setattr(Image.Image, "convert", lambda self, mode: decoded.append(mode) or load(self, mode))
    subject.images.array()
    assert 0 < sum(mode == "RGB" for mode in decoded) <= len(set(labels))


def test_all_trials_of_many_sessions_do_not_fill_the_memory_by_mistake(subject: Subject, here_images: Path):
    file = io.BytesIO()
    Image.new("RGB", (2600, 2600)).save(file, "PNG")
    count = len(plain_images(here_images))
    with h5py.File(here_images / IMAGES, "w") as images:
        dataset = images.create_dataset("images", (count,), h5py.vlen_dtype(np.uint8))
        for row in range(count):
            dataset[row] = np.frombuffer(file.getvalue(), np.uint8)
    with pytest.raises(SelectionError, match=r"sub-03: 120 images take 2\.3 GiB; name a session, or take them one by"):
        subject.images.array()
    assert next(subject.images.all()).size == (2600, 2600)


def test_without_the_images_the_command_is_told_and_everything_else_works(here_all: Path):
    subject = load_subject("03")
    with pytest.raises(StimuliNotDownloadedError, match=f"{IMAGES}; run: laion-fmri download-stimuli$"):
        subject.images  # noqa: B018
    (here_all / TABLE).unlink()
    assert len(subject.embeddings.all("CLIP")) == len(subject.embeddings.all("CLIP", list(SESSIONS))) == 120
    assert subject.captions.human(0)
    assert isinstance(subject.segmentations.has_image("sub-03_ses-02_0059"), bool)
    assert not subject.has_stimuli()


def test_images_are_here_when_both_files_are(subject: Subject, here_images: Path):
    assert subject.has_stimuli()
    (here_images / TABLE).unlink()
    assert not subject.has_stimuli()


@pytest.mark.parametrize("kind", ["shared", "unique"])
def test_images_of_the_dataset_are_counted(subject: Subject, here_images: Path, kind: str):
    about = pd.read_csv(here_images / TABLE, keep_default_na=False)
    assert subject.get_n_stimuli() == subject.get_n_stimuli(stimuli=None) == len(about)
    assert 0 < subject.get_n_stimuli(kind) == (about["unique_or_shared"] == kind).sum() < len(about)
    with pytest.raises(SelectionError, match="stimuli='both' is not one of shared, unique"):
        subject.get_n_stimuli("both")


# Embeddings, captions and masks


@pytest.mark.parametrize("model", AVAILABLE_MODELS)
def test_embeddings_are_those_of_the_trials_with_repeats(subject: Subject, here_images: Path, labels, model: str):
    expected = plain_embeddings(here_images, model)
    assert subject.embeddings.models == AVAILABLE_MODELS
    everything = subject.embeddings.all(model)
    assert everything.dtype == np.float16
    assert len(set(labels)) < len(labels)
    np.testing.assert_array_equal(everything, np.stack([expected[label] for label in labels]))
    np.testing.assert_array_equal(subject.embeddings.all(model, session="ses-02"), everything[60:])
    np.testing.assert_array_equal(subject.embeddings.get(model, 70), everything[70])
    np.testing.assert_array_equal(subject.embeddings.get(model, "sub-03_ses-02_0010"), everything[70])


def test_captions_are_those_of_the_image_of_a_trial(subject: Subject, labels: list[str]):
    captions = Captions()
    keys = subject.metadata["trial_key"]
    for trial, label in enumerate(labels):
        for one in (trial, keys[trial]):
            assert subject.captions.list(one) == captions.list(label)
            assert subject.captions.list(one, source="human") == captions.human(label)
            assert subject.captions.human(one, limit=2) == captions.human(label, limit=2)
            assert subject.captions.ai(one) == captions.ai(label)
            pd.testing.assert_frame_equal(subject.captions.for_image(one), captions.get(label))


def test_masks_are_those_of_the_image_of_a_trial(subject: Subject, labels: list[str]):
    segmentations = Segmentations()
    covered = set()
    for trial, label in enumerate(labels):
        has = subject.segmentations.has_image(trial)
        assert has == segmentations.has_image(label)
        assert subject.segmentations.nouns(trial) == segmentations.nouns(label)
        nouns = subject.segmentations.nouns(trial, localized_only=False)
        assert nouns == segmentations.nouns(label, localized_only=False)
        pd.testing.assert_frame_equal(subject.segmentations.for_image(trial), segmentations.for_image(label))
        covered.add(has)
        for noun in nouns[:1]:
            np.testing.assert_array_equal(subject.segmentations.get(trial, noun), segmentations.get(label, noun))
            instance = int(segmentations.for_image(label).query("noun == @noun")["instance_id"].iloc[-1])
            np.testing.assert_array_equal(
                subject.segmentations.get(trial, noun, instance=instance), segmentations.get(label, noun, instance)
            )
    assert covered == {True, False}


def test_a_mask_outlines_the_thing_in_the_image_of_the_trial(subject: Subject):
    """The mask of a dog, laid on the image of its trial, covers what is brown there; a caption speaks of a dog."""
    trials = range(len(subject.images))
    trial = next(trial for trial in trials if "dog" in subject.segmentations.nouns(trial))
    mask = subject.segmentations.get(trial, "dog")
    shown = np.asarray(subject.images.get(trial), float)
    brown = (np.abs(shown - (140, 92, 54)).max(2) < 40) & (np.ptp(shown, axis=2) > 40)
    assert mask.shape == shown.shape[:2]
    assert brown[mask].mean() > 0.4 > 3 * brown[~mask].mean()
    assert any("dog" in text.lower() for text in subject.captions.list(trial))


NAMESPACES = ("images", "embeddings", "captions", "segmentations")


@pytest.mark.parametrize("trial", [-1, 120, np.int64(120)])
@pytest.mark.parametrize("name", NAMESPACES)
def test_an_index_that_is_no_trial_is_refused_everywhere(subject: Subject, name: str, trial: int):
    for ask in asks(subject, name):
        with pytest.raises(IndexError, match=f"sub-03 has no trial {trial} here; its 120 trials count from 0"):
            ask(trial)


@pytest.mark.parametrize("name", NAMESPACES)
def test_a_key_that_is_no_trial_is_refused_everywhere_naming_the_nearest(subject: Subject, name: str):
    for ask in asks(subject, name):
        with pytest.raises(KeyError, match="no trial of sub-03 here sub-03_ses-01_007; did you mean sub-03_ses-01_0"):
            ask("sub-03_ses-01_007")


def asks(subject: Subject, name: str):
    """Every way to ask a namespace for a trial."""
    space = getattr(subject, name)
    if name == "embeddings":
        return [lambda trial: space.get("CLIP", trial)]
    ways = [
        getattr(space, way)
        for way in ("get", "list", "human", "ai", "for_image", "nouns", "has_image", "__getitem__")
        if hasattr(space, way)
    ]
    return [lambda trial, way=way: way(trial, *["dog"] * ("noun" in inspect.signature(way).parameters)) for way in ways]


def test_sessions_that_do_not_exist_or_are_not_here_are_refused(subject: Subject, here_images: Path):
    with pytest.raises(SelectionError, match="ses='1x'"):
        subject.images.all("1x")
    with pytest.raises(DataNotDownloadedError, match="download --subject 03 --ses 05"):
        subject.embeddings.all("CLIP", session="ses-05")


def test_a_session_that_arrived_later_is_told_and_changes_no_index(here_images: Path, tmp_path: Path):
    away = tmp_path / "away"
    session = trials_path(here_images, "ses-01").parents[1]
    shutil.move(session, away)
    subject = load_subject("03")
    before = subject.metadata["trial_key"].tolist()
    shutil.move(away, session)
    assert subject.images[0] == subject.images["sub-03_ses-02_0000"]
    with pytest.raises(DataNotDownloadedError, match=r'ses-01 arrived after .*load_subject\("sub-03"\)'):
        subject.embeddings.all("CLIP", "ses-01")
    assert subject.metadata["trial_key"].tolist() == before
    assert len(load_subject("03").metadata) == 120


def test_a_namespace_that_failed_works_once_its_files_are_here(here_images: Path, tmp_path: Path):
    captions = here_images / "stimuli/task-images_desc-captions.csv"
    shutil.move(captions, tmp_path / "captions.csv")
    subject = load_subject("03")
    with pytest.raises(DataNotDownloadedError, match="download-captions"):
        subject.captions  # noqa: B018
    shutil.move(tmp_path / "captions.csv", captions)
    assert subject.captions.human(0)


def test_a_subject_pickles_with_what_it_has_read(subject: Subject):
    values = subject.images[7], subject.embeddings.get("CLIP", 7), subject.captions.list(7)
    again = pickle.loads(pickle.dumps(subject))
    assert again == subject
    assert again.images[7] == values[0]
    np.testing.assert_array_equal(again.embeddings.get("CLIP", 7), values[1])
    assert again.captions.list(7) == values[2]
    assert len(again.metadata) == 120
