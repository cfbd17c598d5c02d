"""What the miniature has about its images, judged by h5py, pandas and NumPy."""

import filecmp

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from laion_fmri.catalog import load_catalog
from laion_fmri.sandbox import make_dataset

MODELS = {"CLIP": 16, "DINOv2": 16, "PEcore": 16, "SigLIP2": 24}
SMALL = {"subjects": ["05"], "sessions": ["04"], "trials": 12, "grid": (11, 13, 12)}
POOLS = {"LAION": "_LAION_", "THINGSplus": "_THINGS+_", "THINGS": "_THINGS_", "NSD": "_NSD_", "OOD": "_OOD_"}
CODES = {"p01": "sub-01", "p04": "sub-03"}


def table(folder, ending):
    return pd.read_csv(folder / f"stimuli/task-images_{ending}.csv", keep_default_na=False)


def embeddings(folder, model):
    with h5py.File(folder / f"stimuli/task-images_desc-{model}_embeddings.h5") as file:
        assert set(file) == {"embedding", "image_ids", "valid"}
        return file["embedding"][:], file["image_ids"].asstr()[:].tolist(), file["valid"][:]


def trials_of(folder, subject, session="*"):
    paths = folder.glob(f"derivatives/glmsingle-tedana/{subject}/{session}/func/*_trials.tsv")
    return pd.concat([pd.read_csv(path, sep="\t") for path in sorted(paths)])


@pytest.fixture(scope="module")
def shown(miniature):
    return set(trials_of(miniature, "*")["label"])


@pytest.fixture(scope="module")
def masks(miniature):
    with h5py.File(miniature / "stimuli/task-images_desc-segmentations.h5") as file:
        assert set(file) == {"masks"}
        return file["masks"][:]


def test_every_kind_of_file_has_the_images_that_the_trials_show_and_no_others(miniature, shown):
    shared = {name for name in shown if name.startswith("shared_")}
    assert set(table(miniature, "metadata")["image_name"]) == shown
    assert set(table(miniature, "desc-captions")["image_name"]) == shown
    assert set(table(miniature, "desc-segmentations_metadata")["image_name"]) == shared
    for model in MODELS:
        assert set(embeddings(miniature, model)[1]) == shown


def test_the_table_of_the_images_says_what_their_names_say(miniature):
    metadata = table(miniature, "metadata")
    assert list(metadata) == ["image_name", "dataset", "participant", "unique_or_shared", "n_reps"]
    assert metadata["image_name"].is_unique
    assert set(metadata["dataset"]) == set(POOLS)
    for row in metadata.itertuples():
        assert POOLS[row.dataset] in row.image_name
        assert row.image_name.startswith(f"{row.unique_or_shared}_")
        if row.unique_or_shared == "shared":
            assert f"_{row.n_reps}_" in row.image_name
            assert row.participant == "sub-01;sub-03"
        else:
            assert row.n_reps == "4rep"
            assert row.participant == CODES[row.image_name[-7:-4]]


@pytest.mark.parametrize("model", MODELS)
def test_embeddings_are_float16_rows_for_valid_images(miniature, shown, model):
    values, names, valid = embeddings(miniature, model)
    assert values.dtype == np.float16
    assert values.shape == (len(shown), MODELS[model])
    assert len(names) == len(set(names)) == len(shown)
    assert valid.dtype == bool
    assert valid.all()
    norms = np.linalg.norm(values.astype(float), axis=1)
    if model == "DINOv2":
        assert np.ptp(norms) > 1
    else:
        np.testing.assert_allclose(norms, 1, atol=2e-3)


def test_all_models_have_one_row_order_and_the_tables_have_others(miniature):
    orders = [embeddings(miniature, model)[1] for model in MODELS]
    assert all(order == orders[0] for order in orders)
    metadata = table(miniature, "metadata")["image_name"].tolist()
    captions = table(miniature, "desc-captions")["image_name"].drop_duplicates().tolist()
    for one, other in ((orders[0], metadata), (orders[0], captions), (metadata, captions)):
        assert one != other
        assert sorted(one) == sorted(other)


def test_models_find_the_same_images_alike_by_features_of_their_own(miniature):
    clip, pecore = (embeddings(miniature, model)[0].astype(float) for model in ("CLIP", "PEcore"))
    pairs = np.triu_indices(len(clip), 1)
    assert np.corrcoef(np.corrcoef(clip)[pairs], np.corrcoef(pecore)[pairs])[0, 1] > 0.3
    assert abs(np.corrcoef(clip.ravel(), pecore.ravel())[0, 1]) < 0.3


def predicted(features, responses, images):
    """Predict the responses to each image from a ridge regression on all other images."""
    inputs = np.column_stack([features, np.ones(len(features))])
    answer = np.empty_like(responses)
    for image in set(images):
        train = images != image
        weights = np.linalg.solve(
            inputs[train].T @ inputs[train] + 0.1 * np.eye(inputs.shape[1]), inputs[train].T @ responses[train]
        )
        answer[~train] = inputs[~train] @ weights
    return answer


@pytest.mark.parametrize("subject", ["sub-01", "sub-03"])
def test_embeddings_predict_the_responses_of_regions_to_new_images(miniature, subject):
    folder = miniature / f"derivatives/glmsingle-tedana/{subject}/ses-01/func"
    betas = nib.load(
        folder / f"{subject}_ses-01_task-images_space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
    )
    series = betas.get_fdata()
    regions = miniature.glob(f"derivatives/rois/{subject}/retinotopy/*_res-1pt8_label-V*_mask.nii.gz")
    responses = np.stack([np.nanmean(series[nib.load(path).get_fdata() != 0], axis=0) for path in sorted(regions)], 1)
    labels = trials_of(miniature, subject, "ses-01")["label"].to_numpy()
    values, names, _ = embeddings(miniature, "CLIP")
    features = values[[names.index(label) for label in labels]].astype(float)

    def agreement(features):
        answer = predicted(features, responses, labels)
        return np.mean([np.corrcoef(answer[:, n], responses[:, n])[0, 1] for n in range(responses.shape[1])])

    wrong = np.random.default_rng(0).permutation(len(labels))
    assert agreement(features) > 0.4
    assert agreement(features[wrong]) < 0.15


def test_captions_follow_the_rule_of_each_kind_of_image(miniature):
    captions = table(miniature, "desc-captions")
    assert list(captions)[:4] == ["image_name", "caption_idx", "source", "caption"]
    assert list(captions)[4:] == ["origin_collection", "participant_id", "ai_model"]
    kinds = set()
    for name, rows in captions.groupby("image_name"):
        kind = "unique" if name.startswith("unique_") else "OOD" if "_OOD_" in name else "shared"
        expected = {"unique": [1, 2, 3], "OOD": [1, 2, 3, 4, 5], "shared": [0, 1, 2, 3, 4, 5]}[kind]
        assert sorted(rows["caption_idx"]) == expected
        assert rows["caption"].is_unique
        kinds.add(kind)
    assert kinds == {"unique", "OOD", "shared"}


def test_captions_say_who_wrote_them(miniature):
    captions = table(miniature, "desc-captions")
    machine = captions["caption_idx"] == 0
    assert set(captions["source"][machine]) == {"ai"}
    assert set(captions["source"][~machine]) == {"human"}
    assert set(captions["participant_id"][machine]) == set(captions["ai_model"][~machine]) == {""}
    assert (captions["ai_model"][machine] == captions["origin_collection"][machine]).all()
    assert (captions["participant_id"][~machine] != "").all()
    assert not set(captions["origin_collection"][machine]) & set(captions["origin_collection"][~machine])
    assert (captions["origin_collection"] != "").all()


def test_captions_are_short_sentences_that_need_quoting(miniature):
    text = table(miniature, "desc-captions")["caption"]
    assert text.str.fullmatch(r"[A-Z][^\n{}]{10,120}").all()
    assert text.str.contains(",").mean() > 0.1
    assert text.str.contains('"').mean() > 0.1


def test_masks_are_zeros_and_ones_in_chunks_of_one_mask(miniature, masks):
    with h5py.File(miniature / "stimuli/task-images_desc-segmentations.h5") as file:
        stack = file["masks"]
        assert (stack.compression, stack.shuffle, stack.chunks) == ("gzip", True, (1, 50, 50))
    assert masks.dtype == np.uint8
    assert masks.shape[1:] == (50, 50)
    assert set(np.unique(masks)) == {0, 1}
    assert masks.any((1, 2)).all()


def test_rows_of_the_mask_table_name_each_mask_once_in_another_order(miniature, masks):
    rows = table(miniature, "desc-segmentations_metadata")["mask_row"].tolist()
    assert sorted(rows) == list(range(len(masks)))
    assert rows != sorted(rows)


def test_shared_images_have_one_to_three_masks_and_instances_leave_numbers_out(miniature):
    rows = table(miniature, "desc-segmentations_metadata")
    assert set(rows.groupby("image_name").size()) == {1, 2, 3}
    assert not rows.duplicated(["image_name", "noun", "instance_id"]).any()
    instances = {tuple(sorted(numbers)) for _, numbers in rows.groupby(["image_name", "noun"])["instance_id"]}
    assert (0,) in instances
    assert any(numbers != tuple(range(len(numbers))) for numbers in instances)
    assert rows["noun"].str.contains(" ").any()
    assert rows["noun"].str.contains(",").any()
    assert rows["score"].between(0, 1).all()


def test_boxes_enclose_their_masks_closely(miniature, masks):
    for row in table(miniature, "desc-segmentations_metadata").itertuples():
        y, x = np.nonzero(masks[row.mask_row])
        box = np.array([row.box_x0, row.box_y0, row.box_x1, row.box_y1])
        found = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
        assert box.min() >= 0
        assert box.max() <= 50
        np.testing.assert_allclose(box, found, atol=2)


def test_a_mask_of_the_whole_image_is_not_localized(miniature, masks):
    rows = table(miniature, "desc-segmentations_metadata")
    covered = masks[rows["mask_row"]].mean((1, 2))
    np.testing.assert_array_equal(rows["localized"], (covered < 0.99).astype(int))
    assert set(rows["localized"]) == {0, 1}


def test_masks_show_things_that_captions_name(miniature):
    captions = table(miniature, "desc-captions").groupby("image_name")["caption"].agg(" ".join).str.lower()
    for row in table(miniature, "desc-segmentations_metadata").itertuples():
        assert row.noun in captions[row.image_name]


def test_sizes_of_embeddings_and_masks_are_free(tmp_path):
    make_dataset(tmp_path, **SMALL, features=(5, 7), pixels=30)
    assert [embeddings(tmp_path, model)[0].shape[1] for model in MODELS] == [5, 5, 5, 7]
    with h5py.File(tmp_path / "stimuli/task-images_desc-segmentations.h5") as file:
        assert file["masks"].shape[1:] == file["masks"].chunks[1:] == (30, 30)


def test_files_about_images_have_the_same_bytes_in_every_miniature_of_the_same_arguments(tmp_path):
    for name in ("a", "b"):
        make_dataset(tmp_path / name, **SMALL)
    files = sorted(path.name for path in (tmp_path / "a/stimuli").iterdir())
    assert len(files) == 9
    assert filecmp.cmpfiles(tmp_path / "a/stimuli", tmp_path / "b/stimuli", files, shallow=False) == (files, [], [])


def test_what_a_model_sees_and_people_write_does_not_depend_on_the_other_images(miniature, tmp_path):
    make_dataset(tmp_path / "one", subjects=["03"])
    values, names, _ = embeddings(tmp_path / "one", "SigLIP2")
    all_values, all_names, _ = embeddings(miniature, "SigLIP2")
    np.testing.assert_array_equal(values, all_values[[all_names.index(name) for name in names]])
    captions, all_captions = (
        table(folder, "desc-captions").sort_values(["image_name", "caption_idx"], ignore_index=True)
        for folder in (tmp_path / "one", miniature)
    )
    expected = all_captions[all_captions["image_name"].isin(names)].reset_index(drop=True)
    pd.testing.assert_frame_equal(captions, expected)


def test_a_catalog_without_these_artifacts_gets_the_table_of_the_images_only(tmp_path):
    catalog = load_catalog()
    wanted = {"stimuli", "embeddings", "captions", "segmentations", "segmentation_table"}
    assert wanted <= set(catalog.sources)
    sources = {name: source for name, source in catalog.sources.items() if name not in wanted}
    make_dataset(tmp_path, catalog.model_copy(update={"sources": sources}), **SMALL)
    assert [path.name for path in (tmp_path / "stimuli").iterdir()] == ["task-images_metadata.csv"]
