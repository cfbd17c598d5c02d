"""Embeddings, captions and segmentation masks by image name, compared with plain h5py and pandas."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from laion_fmri import Captions, Segmentations, load_embeddings
from laion_fmri.embeddings import AVAILABLE_MODELS
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, SelectionError
from loader_files import count_rows

EMBEDDINGS = "stimuli/task-images_desc-{}_embeddings.h5"
CAPTIONS = "stimuli/task-images_desc-captions.csv"
MASKS = "stimuli/task-images_desc-segmentations.h5"
MASK_TABLE = "stimuli/task-images_desc-segmentations_metadata.csv"


def embedding_of(folder: Path, model: str) -> dict[str, np.ndarray]:
    with h5py.File(folder / EMBEDDINGS.format(model)) as file:
        return dict(zip(file["image_ids"].asstr()[()].tolist(), file["embedding"][()], strict=True))


def table_of(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False)


def shuffle_embedding(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        order = np.random.default_rng(1).permutation(len(file["image_ids"]))
        for name in file:
            file[name][...] = file[name][()][order]


def shuffle_table(path: Path) -> None:
    table_of(path).sample(frac=1, random_state=1).to_csv(path, index=False)


# Embeddings


def test_all_models_are_those_that_are_here(here_all: Path):
    assert load_embeddings().models == AVAILABLE_MODELS
    gone = AVAILABLE_MODELS[1]
    (here_all / EMBEDDINGS.format(gone)).unlink()
    assert load_embeddings().models == tuple(model for model in AVAILABLE_MODELS if model != gone)


def test_a_named_model_that_is_not_here_is_refused_with_the_command(here_all: Path):
    (here_all / EMBEDDINGS.format("PEcore")).unlink()
    with pytest.raises(DataNotDownloadedError, match=r"PEcore.*laion-fmri download-embeddings --model PEcore$"):
        load_embeddings(["CLIP", "PEcore"])


def test_no_model_here_names_the_command(data_dir: Path):
    with pytest.raises(DataNotDownloadedError, match=r"run: laion-fmri download-embeddings$"):
        load_embeddings()


def test_a_model_that_does_not_exist_is_refused(here_all: Path):
    with pytest.raises(SelectionError, match="CLIP"):
        load_embeddings("CLIPP")


def test_a_model_is_one_labelled_matrix_read_once(here_all: Path, monkeypatch: pytest.MonkeyPatch):
    read = count_rows(monkeypatch)
    embeddings = load_embeddings("CLIP")
    assert read == []
    matrix = embeddings["CLIP"]
    embeddings.get("CLIP", matrix.image.values[0])
    with h5py.File(here_all / EMBEDDINGS.format("CLIP")) as file:
        rows = len(file["valid"])
    assert read == [rows]
    assert matrix.dims == ("image", "feature")
    assert matrix.image.values.tolist() == embeddings.image_ids.tolist()
    for name, row in embedding_of(here_all, "CLIP").items():
        np.testing.assert_array_equal(matrix.sel(image=name), row)


@pytest.mark.parametrize("model", AVAILABLE_MODELS)
def test_embeddings_come_in_the_order_asked_for_with_repeats(here_all: Path, model: str):
    expected = embedding_of(here_all, model)
    names = [*reversed(expected), *list(expected)[:3]]
    found = load_embeddings().get(model, names)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, np.stack([expected[name] for name in names]))
    one = load_embeddings(model).get(model, names[0])
    assert one.shape == found.shape[1:]
    np.testing.assert_array_equal(one, expected[names[0]])


def test_names_may_be_an_array_or_none_at_all(here_all: Path):
    embeddings = load_embeddings("CLIP")
    names = embeddings.image_ids[[2, 0]]
    np.testing.assert_array_equal(embeddings.get("CLIP", names), embeddings["CLIP"].values[[2, 0]])
    np.testing.assert_array_equal(embeddings.get("CLIP", names[0]), embeddings["CLIP"].values[2])
    assert embeddings.get("CLIP", []).shape == (0, embeddings["CLIP"].shape[1])


def test_rows_in_another_order_give_the_same_embeddings(here_all: Path):
    names = list(embedding_of(here_all, "CLIP"))
    before = load_embeddings().get("CLIP", names)
    shuffle_embedding(here_all / EMBEDDINGS.format("CLIP"))
    assert list(embedding_of(here_all, "CLIP")) != names
    embeddings = load_embeddings()
    np.testing.assert_array_equal(embeddings.get("CLIP", names), before)
    others = embedding_of(here_all, "DINOv2")
    np.testing.assert_array_equal(embeddings.get("DINOv2", names), np.stack([others[name] for name in names]))


def test_unknown_images_and_models_are_key_errors_that_name_the_nearest(here_all: Path):
    embeddings = load_embeddings(["CLIP", "DINOv2"])
    name = embeddings.image_ids[0]
    with pytest.raises(KeyError, match=f"embeddings {name}x; did you mean {name}") as error:
        embeddings.get("CLIP", [name, f"{name}x"])
    assert str(error.value).startswith("there is no image")
    with pytest.raises(KeyError, match="no image with embeddings 3;"):
        embeddings.get("CLIP", 3)
    with pytest.raises(KeyError, match="no model of embeddings PEcore; there is CLIP, DINOv2"):
        embeddings.get("PEcore", name)


def test_closed_embeddings_read_anew(here_all: Path, monkeypatch: pytest.MonkeyPatch):
    with load_embeddings("CLIP") as embeddings:
        first = embeddings["CLIP"]
        assert embeddings["CLIP"] is first
    assert embeddings["CLIP"] is not first
    again = embeddings["CLIP"]
    embeddings.close()
    assert embeddings["CLIP"] is not again


def test_a_given_folder_is_read_instead_of_the_configured_one(here_all: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.move(here_all / "stimuli", other / "stimuli")
    for folder in (other, str(other)):
        assert load_embeddings(data_dir=folder).models == AVAILABLE_MODELS
        assert Captions(folder).images()
        assert Segmentations(folder).images()
    with pytest.raises(DataNotDownloadedError):
        Captions()


# Captions


def test_captions_of_every_image_are_those_of_the_table(here_all: Path):
    captions = Captions()
    table = table_of(here_all / CAPTIONS)
    assert captions.images() == sorted(set(table.image_name))
    assert captions.metadata.caption.tolist() == table.caption.tolist()
    for name, rows in table.sort_values("caption_idx").groupby("image_name"):
        human = rows[rows.source == "human"].caption.tolist()
        ai = rows[rows.source == "ai"].caption.tolist()
        assert captions.list(name) == ai + human
        assert captions.list(name, source="human") == captions.human(name) == human
        assert captions.human(name, limit=2) == human[:2]
        assert captions.ai(name) == (ai[0] if ai else None)
        assert captions.get(name).caption_idx.tolist() == rows.caption_idx.tolist()
        assert captions.get(name).index.tolist() == list(range(len(rows)))
    assert {captions.ai(name) is None for name in captions.images()} == {True, False}


def test_captions_in_another_order_give_the_same_answers(here_all: Path):
    before = Captions()
    answers = [(name, before.list(name), before.ai(name)) for name in before.images()]
    shuffle_table(here_all / CAPTIONS)
    after = Captions()
    assert after.metadata.caption.tolist() != before.metadata.caption.tolist()
    assert [(name, after.list(name), after.ai(name)) for name in after.images()] == answers


def test_unknown_names_have_no_captions(here_all: Path):
    captions = Captions()
    name = captions.images()[0]
    assert name in captions
    assert f"{name}x" not in captions
    for ask in (captions.get, captions.list, captions.human, captions.ai):
        with pytest.raises(KeyError, match=f"captions {name}x; did you mean {name}"):
            ask(f"{name}x")
    with pytest.raises(KeyError, match="no source of captions robot; there is human, ai"):
        captions.list(name, source="robot")


def test_the_answer_of_captions_is_a_copy(here_all: Path):
    captions = Captions()
    name = captions.images()[0]
    texts = captions.list(name)
    rows = captions.get(name)
    rows["caption"] = "changed"
    assert captions.list(name) == texts


# Segmentations


def stack_of(folder: Path) -> np.ndarray:
    with h5py.File(folder / MASKS) as file:
        return file["masks"][()] != 0


def test_every_mask_is_found_by_name_noun_and_instance_and_by_row(here_all: Path):
    segmentations = Segmentations()
    stack = stack_of(here_all)
    table = table_of(here_all / MASK_TABLE)
    assert segmentations.images() == sorted(set(table.image_name))
    for row in table.itertuples():
        found = segmentations.get(row.image_name, row.noun, row.instance_id)
        assert found.dtype == bool
        np.testing.assert_array_equal(found, stack[row.mask_row])
        np.testing.assert_array_equal(segmentations[row.mask_row], stack[row.mask_row])


def test_without_an_instance_the_mask_with_the_highest_score_is_meant(here_all: Path):
    segmentations = Segmentations()
    stack = stack_of(here_all)
    table = table_of(here_all / MASK_TABLE)
    not_the_first = 0
    for (name, noun), rows in table.groupby(["image_name", "noun"]):
        best = rows.loc[rows.score.idxmax()]
        not_the_first += best.instance_id != rows.instance_id.min()
        np.testing.assert_array_equal(segmentations.get(name, noun), stack[best.mask_row])
    assert not_the_first


def test_equal_scores_give_the_lowest_instance(here_all: Path):
    table = table_of(here_all / MASK_TABLE).assign(score=0.5).sort_values("instance_id", ascending=False)
    table.to_csv(here_all / MASK_TABLE, index=False)
    several = table[table.instance_id == 2].iloc[0]
    first = table[(table.image_name == several.image_name) & (table.noun == several.noun)].iloc[-1]
    found = Segmentations().get(several.image_name, several.noun)
    assert first.instance_id == 0
    np.testing.assert_array_equal(found, stack_of(here_all)[first.mask_row])


def test_nouns_and_rows_of_an_image_are_those_of_the_table(here_all: Path):
    segmentations = Segmentations()
    table = table_of(here_all / MASK_TABLE)
    fewer = 0
    for name, rows in table.groupby("image_name"):
        localized = sorted(set(rows[rows.localized == 1].noun))
        assert segmentations.has_image(name)
        assert segmentations.nouns(name) == localized
        assert segmentations.nouns(name, localized_only=False) == sorted(set(rows.noun))
        fewer += localized != sorted(set(rows.noun))
        expected = rows.sort_values(["noun", "instance_id"])
        for column in table:
            assert segmentations.for_image(name)[column].tolist() == expected[column].tolist()
    assert fewer


def test_row_i_of_the_table_of_masks_is_mask_i(here_all: Path):
    table = table_of(here_all / MASK_TABLE).sort_values("mask_row")
    found = Segmentations().metadata
    assert found.columns.tolist() == table.columns.tolist()
    for column in table:
        assert found[column].tolist() == table[column].tolist()


def test_an_image_without_masks_has_no_nouns_and_no_rows(here_all: Path):
    segmentations = Segmentations()
    without = next(name for name in Captions().images() if name.startswith("unique"))
    assert not segmentations.has_image(without)
    assert segmentations.nouns(without) == segmentations.nouns(without, localized_only=False) == []
    empty = segmentations.for_image(without)
    assert len(empty) == 0
    assert empty.columns.tolist() == segmentations.metadata.columns.tolist()
    with pytest.raises(KeyError, match=f"no image with masks {without};"):
        segmentations.get(without, "dog")


def test_unknown_nouns_instances_and_rows_name_those_that_are_there(here_all: Path):
    segmentations = Segmentations()
    table = segmentations.metadata
    name, noun = table.loc[table.instance_id == 2, ["image_name", "noun"]].iloc[0]
    every = ", ".join(segmentations.nouns(name, localized_only=False))
    with pytest.raises(KeyError, match=f"no mask in {name} of no such thing; there is {every}"):
        segmentations.get(name, "no such thing")
    with pytest.raises(KeyError, match=f"of {noun}, instance 1; there is 0, 2"):
        segmentations.get(name, noun, 1)
    for row in (-1, len(table)):
        with pytest.raises(IndexError, match=f"no mask {row}; its {len(table)} masks"):
            segmentations[row]


def test_only_the_mask_asked_for_is_read(here_all: Path, monkeypatch: pytest.MonkeyPatch):
    read = count_rows(monkeypatch)
    segmentations = Segmentations()
    row = segmentations.metadata.iloc[0]
    segmentations.for_image(row.image_name)
    segmentations.nouns(row.image_name)
    assert read == []
    segmentations.get(row.image_name, row.noun)
    assert read == [1]
    segmentations[row.mask_row]
    assert read == [1, 1]


def test_a_table_of_masks_in_another_order_gives_the_same_masks(here_all: Path):
    before = Segmentations()
    wanted = [(row.image_name, row.noun, row.instance_id) for row in before.metadata.itertuples()]
    masks = [before.get(*one) for one in wanted]
    nouns = [before.nouns(name) for name in before.images()]
    shuffle_table(here_all / MASK_TABLE)
    after = Segmentations()
    np.testing.assert_array_equal([after.get(*one) for one in wanted], masks)
    assert [after.nouns(name) for name in after.images()] == nouns


def test_a_table_that_does_not_fit_the_masks_is_refused(here_all: Path):
    table_of(here_all / MASK_TABLE).iloc[1:].to_csv(here_all / MASK_TABLE, index=False)
    with Segmentations() as segmentations, pytest.raises(DataFormatError, match="has no row"):
        segmentations.images()


@pytest.mark.parametrize(
    ("face", "gone", "command"),
    [
        (Captions, CAPTIONS, "laion-fmri download-captions"),
        (Segmentations, MASKS, "laion-fmri download-segmentations"),
        (Segmentations, MASK_TABLE, "laion-fmri download-segmentations"),
    ],
)
def test_a_missing_file_names_the_command(here_all: Path, face: type, gone: str, command: str):
    (here_all / gone).unlink()
    with pytest.raises(DataNotDownloadedError, match=f"{Path(gone).name}; run: {command}$"):
        face()
