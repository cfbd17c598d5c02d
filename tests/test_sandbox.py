"""The miniature, judged by other people's software."""

import filecmp
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from itertools import combinations
from urllib.parse import quote

import boto3
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from bidsschematools.schema import load_schema
from botocore import UNSIGNED
from botocore.config import Config

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.filters import held_out_test
from laion_fmri.catalog.templates import parse
from laion_fmri.sandbox import make_dataset, serve

NAMES = {  # one regular expression for each row of the image-name grammar
    "shared LAION": r"shared_12rep_LAION_cluster_[0-9]+(_sorted-out)?_i[0-9]+\.jpg",
    "shared THINGSplus": r"shared_12rep_THINGS\+_kmeans_([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-3][0-9])_.+\.jpg",
    "shared NSD": r"shared_4rep_NSD_special(100|1000)_[0-9]+\.jpg",
    "shared OOD": r"shared_4rep_OOD_[a-z-]+_.+\.(jpg|png)",
    "unique LAION": r"unique_LAION_(initial|fillup|new)_cluster_[0-9]+_i[0-9]+_p0[1-5]\.jpg",
    "unique THINGSplus": r"unique_THINGS\+_.+_p0[1-5]\.jpg",
    "unique THINGS": r"unique_THINGS_.+_p0[1-5]\.jpg",
}
OOD_TYPES = {
    *("shape", "relations", "unusual", "cropped", "selfmade", "gaudy"),
    *("illusion-classic", "gabor", "illusion-natural"),
}
CODES = {"sub-01": "p01", "sub-03": "p04"}
SESSION = "derivatives/glmsingle-tedana/{0}/{1}/func/{0}_{1}_task-images_"
SUMMARY = "derivatives/glmsingle-tedana/{0}/{0}_task-images_"
ANATOMY = "derivatives/anatomical/{0}/ses-PrismaAnat/anat/{0}_ses-PrismaAnat_space-T1w_"
BETAS = "space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
PEOPLE = ("sub-01", "sub-03")
SESSIONS = ("ses-01", "ses-02", "ses-31")


def keys_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def keys_in_bucket(folder):
    return [key for key in keys_of(folder) if not key.startswith("splits/")]


def trials_of(folder, subject, session):
    return pd.read_csv(folder / f"{SESSION.format(subject, session)}desc-SingletrialBetas_trials.tsv", sep="\t")


def volume(path):
    return np.asanyarray(nib.load(path).dataobj)


def brain_of(folder, subject):
    return volume(folder / f"{ANATOMY.format(subject)}res-1pt8_desc-brain_mask.nii.gz") != 0


def rois_of(folder, subject, res="1pt8"):
    paths = folder.glob(f"derivatives/rois/{subject}/*/*_res-{res}_label-*_mask.nii.gz")
    return {(path.parent.name, path.name.split("_label-")[1][: -len("_mask.nii.gz")]): path for path in paths}


@pytest.mark.parametrize("subject", PEOPLE)
@pytest.mark.parametrize("session", SESSIONS)
def test_betas_are_float32_volumes_on_the_functional_grid(miniature, subject, session):
    image = nib.load(miniature / f"{SESSION.format(subject, session)}{BETAS}")
    assert isinstance(image, nib.Nifti1Image)
    assert image.get_data_dtype() == np.float32
    assert image.shape == (20, 23, 18, 60)
    np.testing.assert_allclose(image.header.get_zooms()[:3], 1.778, rtol=1e-6)
    assert image.dataobj.slope == 1
    assert image.dataobj.inter == 0
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-4)
    assert image.header["qform_code"] > 0
    assert image.header["sform_code"] > 0


def test_betas_are_zero_outside_the_brain_and_rarely_nan_inside(miniature):
    for subject in PEOPLE:
        betas = volume(miniature / f"{SESSION.format(subject, 'ses-01')}{BETAS}")
        brain = brain_of(miniature, subject)
        assert not betas[~brain].any()
        missing = np.isnan(betas[brain])
        assert missing.all(1).any()
        assert (missing.any(1) & ~missing.all(1)).any()
        assert missing.mean() < 0.01


@pytest.mark.parametrize("subject", PEOPLE)
@pytest.mark.parametrize("session", SESSIONS)
def test_trial_tables_have_one_row_for_each_volume(miniature, subject, session):
    trials = trials_of(miniature, subject, session)
    assert list(trials.columns) == ["session", "run", "beta_index", "label"]
    assert trials["beta_index"].tolist() == list(range(60))
    assert set(trials["session"]) == {session}
    assert trials["run"].is_monotonic_increasing
    assert set(trials["run"]) == set(range(1, 13))


def test_labels_follow_every_row_of_the_grammar_and_each_only_one(miniature):
    found = set()
    for subject in PEOPLE:
        labels = {label for session in SESSIONS[:2] for label in trials_of(miniature, subject, session)["label"]}
        for label in labels:
            rows = [row for row, pattern in NAMES.items() if re.fullmatch(pattern, label)]
            assert len(rows) == 1, label
            found.add(rows[0])
        types = {m[1]: m[2] for label in labels if (m := re.match(r"shared_4rep_OOD_(.*?)_.*(\w{3})$", label))}
        assert set(types) == OOD_TYPES
        assert {"jpg", "png"} <= set(types.values())
        assert any("_sorted-out_" in label for label in labels)
        assert {label[-7:-4] for label in labels if label.startswith("unique_")} == {CODES[subject]}
    assert found == set(NAMES)


def test_subjects_share_images_and_no_session_shows_one_more_than_three_times(miniature):
    tables = {(subject, session): trials_of(miniature, subject, session) for subject in PEOPLE for session in SESSIONS}
    for table in tables.values():
        counts = table["label"].value_counts()
        assert set(counts) == {1, 2, 3}
    shared = {key: {label for label in table["label"] if label.startswith("shared_")} for key, table in tables.items()}
    for one, other in combinations(shared, 2):
        assert shared[one] != shared[other]
        assert shared[one] & shared[other]
    of_subject = [shared[subject, "ses-01"] | shared[subject, "ses-02"] for subject in PEOPLE]
    assert of_subject[0] == of_subject[1]


def correlation_of_repetitions(betas, labels, voxels):
    """Correlate the first two responses to each repeated image, over images and voxels."""
    series = betas[voxels & ~np.isnan(betas).any(-1)]
    series = series - series.mean(1, keepdims=True)
    pairs = np.array([rows[:2] for rows in labels.groupby(labels).groups.values() if len(rows) > 1])
    return np.corrcoef(series[:, pairs[:, 0]].ravel(), series[:, pairs[:, 1]].ravel())[0, 1]


@pytest.mark.parametrize("subject", PEOPLE)
def test_repetitions_of_an_image_evoke_alike_responses_where_the_noise_ceiling_is_high(miniature, subject):
    path = SESSION.format(subject, "ses-01")
    betas = volume(miniature / f"{path}{BETAS}")
    ceiling = volume(miniature / f"{path}space-T1w_desc-Noiseceiling_statmap.nii.gz")
    labels = trials_of(miniature, subject, "ses-01")["label"]
    assert correlation_of_repetitions(betas, labels, ceiling > 60) > 0.4
    assert correlation_of_repetitions(betas, labels, (ceiling > 0) & (ceiling < 15)) < 0.15


def test_regions_differ_in_their_mean_response(miniature):
    betas = volume(miniature / f"{SESSION.format('sub-03', 'ses-01')}{BETAS}")
    means = {name: np.nanmean(betas[volume(path) != 0]) for name, path in rois_of(miniature, "sub-03").items()}
    assert np.std(list(means.values())) > 0.3


@pytest.mark.parametrize("subject", PEOPLE)
def test_noise_ceilings_are_percent_and_grow_with_repetitions(miniature, subject):
    start = f"{SUMMARY.format(subject)}space-T1w_desc-Noiseceiling"
    four, twelve, every = (volume(miniature / f"{start}{n}rep_statmap.nii.gz") for n in ("4", "12", "All"))
    session = volume(miniature / f"{SESSION.format(subject, 'ses-01')}space-T1w_desc-Noiseceiling_statmap.nii.gz")
    brain = brain_of(miniature, subject)
    for ceiling in (four, twelve, every, session):
        assert ceiling.dtype == np.float32
        assert ceiling.min() == 0
        assert 50 < ceiling.max() <= 100
        assert not ceiling[~brain].any()
    inside = four > 0
    assert (session[inside] < four[inside]).all()
    assert (four[inside] < every[inside]).all()
    assert (every[inside] < twelve[inside]).all()


@pytest.mark.parametrize("subject", PEOPLE)
def test_the_anatomical_brain_is_wider_than_the_voxels_with_r2(miniature, subject):
    r2 = volume(miniature / f"{SUMMARY.format(subject)}space-T1w_stat-rsquare_desc-R2mean_statmap.nii.gz")
    brain = brain_of(miniature, subject)
    by_r2 = (r2 != 0) & ~np.isnan(r2)
    assert np.isnan(r2).any()
    assert by_r2.sum() > 1000
    assert by_r2.sum() < brain.sum() < 2 * by_r2.sum()
    assert not (by_r2 & ~brain).any()


def test_full_resolution_anatomy_covers_the_same_brain(miniature):
    for subject in PEOPLE:
        images = {
            (res, kind): nib.load(miniature / f"{ANATOMY.format(subject)}{res}{kind}.nii.gz")
            for res in ("", "res-1pt8_")
            for kind in ("T1w", "T2w", "desc-brain_mask")
        }
        assert {images["", kind].shape for kind in ("T1w", "T2w", "desc-brain_mask")} == {(45, 52, 41)}
        fine, coarse = images["", "desc-brain_mask"], images["res-1pt8_", "desc-brain_mask"]
        volumes = [np.count_nonzero(mask.dataobj) * np.prod(mask.header.get_zooms()) for mask in (fine, coarse)]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.05)
        centres = [mask.affine[:3] @ [*np.argwhere(np.asanyarray(mask.dataobj)).mean(0), 1] for mask in (fine, coarse)]
        np.testing.assert_allclose(*centres, atol=0.5)


def test_regions_of_a_set_do_not_overlap_and_lie_in_the_brain(miniature):
    for subject in PEOPLE:
        brain = brain_of(miniature, subject)
        rois = {name: volume(path) != 0 for name, path in rois_of(miniature, subject).items()}
        assert min(mask.sum() for mask in rois.values()) >= 5
        assert not any((mask & ~brain).any() for mask in rois.values())
        for category in {category for category, _ in rois}:
            total = np.sum([mask for (of, _), mask in rois.items() if of == category], axis=0)
            assert total.max() == 1
        assert np.sum(list(rois.values()), axis=0).max() > 1


def test_regions_have_the_labels_of_the_bucket_and_one_subject_lacks_one(miniature):
    labels = {subject: {label for _, label in rois_of(miniature, subject)} for subject in PEOPLE}
    assert len(labels["sub-01"]) == 40
    assert labels["sub-03"] < labels["sub-01"]
    assert {"FFA-1", "pSTS-faces", "laion-dorsal", "V1v", "hV4", "lobjects"} <= labels["sub-03"]
    categories = {category for category, _ in rois_of(miniature, "sub-01")}
    assert categories == {"body", "character", "face", "laion", "motion", "object", "place", "retinotopy"}


def test_regions_are_at_the_same_place_on_both_grids(miniature):
    fine = rois_of(miniature, "sub-03", "1pt5")
    assert set(fine) == set(rois_of(miniature, "sub-03"))
    for name, path in rois_of(miniature, "sub-03").items():
        centres = [
            image.affine[:3] @ [*np.argwhere(np.asanyarray(image.dataobj)).mean(0), 1]
            for image in (nib.load(path), nib.load(fine[name]))
        ]
        np.testing.assert_allclose(*centres, atol=1)


def test_surface_masks_and_labels_name_the_same_vertices(miniature):
    surfaces = sorted(miniature.glob("derivatives/rois/*/*/*_hemi-?_space-fsnative_label-*_mask.func.gii"))
    assert {path.name.split("_")[1] for path in surfaces} == {"hemi-L", "hemi-R"}
    for path in surfaces:
        values = nib.load(path).agg_data()
        assert values.dtype == np.float32
        label = nib.freesurfer.read_label(path.with_name(path.name.replace(".func.gii", ".label")))
        np.testing.assert_array_equal(np.flatnonzero(values), label)


def test_file_names_are_chains_of_key_and_value_in_the_folders_they_name(miniature):
    for key in keys_in_bucket(miniature):
        name = key.rpartition("/")[2]
        if "/" not in key or "/freesurfer/" in key:
            continue
        of_subject = name.startswith("sub-")
        ending = r"[A-Za-z0-9]+\.[a-z0-9.]+" if of_subject else r"[A-Za-z0-9-]+\.[a-z0-9]+"
        assert re.fullmatch(r"(?:[a-z]+-[A-Za-z0-9-]+_)+" + ending, name), key
        for token in name.split("_"):
            if token.startswith(("sub-", "ses-")):
                assert f"/{token}/" in f"/{key}"
        assert of_subject or key.startswith("stimuli/")


def test_dataset_level_files_are_valid_bids(miniature):
    schema = load_schema()
    fields = schema.rules.json.dataset.dataset_description.fields
    required = {name for name, level in fields.items() if level == "required"}
    description = json.loads((miniature / "dataset_description.json").read_text())
    assert required | {"GeneratedBy"} <= set(description)
    assert description["DatasetType"] == "derivative"
    assert all(item["Name"] for item in description["GeneratedBy"])
    participants = pd.read_csv(miniature / "participants.tsv", sep="\t")
    assert participants["participant_id"].tolist() == list(PEOPLE)
    assert set(json.loads((miniature / "participants.json").read_text())) == set(participants)
    assert "made up" in (miniature / "README").read_text()


def test_every_path_of_every_artifact_and_every_tree_has_a_file(miniature):
    catalog = load_catalog()
    keys = keys_of(miniature)
    for name, source in catalog.sources.items():
        for template in source.args.path:
            matched = [key for key in keys if parse(template, source.args.entities, key) is not None]
            assert matched, (name, template)
            if source.args.sidecar:
                assert {f"{key.partition('.')[0]}.json" for key in matched} <= set(keys)
    for template in (file for tree in catalog.trees for file in tree.files):
        assert any(parse(template, catalog.entities, key) is not None for key in keys), template
    endings = {tuple(key.rpartition("_")[2].split(".", 1)) for key in keys if "_" in key}
    filters = catalog.entities
    assert set(filters["suffix"].known) <= {suffix for suffix, _ in endings}
    assert set(filters["extension"].known) <= {extension for _, extension in endings}


def test_sidecars_are_json_with_content(miniature):
    sidecars = [key for key in keys_of(miniature) if key.endswith(".json")]
    assert all(json.loads((miniature / key).read_text()) for key in sidecars)


def test_the_same_arguments_give_the_same_bytes_and_another_seed_does_not(tmp_path):
    small = {"subjects": ["05"], "sessions": ["04"], "trials": 12, "grid": (11, 13, 12)}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_dataset(tmp_path / name, **small, seed=seed)
    keys = keys_of(tmp_path / "a")
    assert keys == keys_of(tmp_path / "b") == keys_of(tmp_path / "c")
    assert filecmp.cmpfiles(tmp_path / "a", tmp_path / "b", keys, shallow=False) == (keys, [], [])
    betas = f"{SESSION.format('sub-05', 'ses-04')}{BETAS}"
    assert not filecmp.cmp(tmp_path / "a" / betas, tmp_path / "c" / betas, shallow=False)
    assert nib.load(tmp_path / "a" / betas).shape == (11, 13, 12, 12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_subject_has_the_same_files_whoever_else_is_in_the_miniature(miniature, tmp_path):
    make_dataset(tmp_path / "one", subjects=["03"], sessions=["01"])
    betas = f"{SESSION.format('sub-03', 'ses-01')}{BETAS}"
    assert filecmp.cmp(miniature / betas, tmp_path / "one" / betas, shallow=False)


def test_a_folder_with_files_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        make_dataset(tmp_path)
    assert keys_of(tmp_path) == ["mine.txt"]


def anonymous(server):
    return boto3.client(
        "s3",
        region_name=load_catalog().remote.region,
        endpoint_url=server.endpoint,
        config=Config(signature_version=UNSIGNED),
    )


def status(server, key, **headers):
    request = urllib.request.Request(f"{server.endpoint}/{server.bucket}/{quote(key)}", headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_anyone_may_list_every_key_and_get_what_is_neither_held_out_nor_gated(server, miniature):
    client = anonymous(server)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=server.bucket)
    listed = {item["Key"]: item["Size"] for page in pages for item in page["Contents"]}
    assert listed == {key: (miniature / key).stat().st_size for key in keys_in_bucket(miniature)}
    catalog = load_catalog()
    held_out = held_out_test(catalog.remote.held_out, catalog.entities)
    by_status = {403: 0, 200: 0}
    for key in listed:
        expected = 403 if held_out(key) or key == "stimuli/task-images_stimuli.h5" else 200
        code, body = status(server, key)
        assert code == expected, key
        assert (body == (miniature / key).read_bytes()) == (expected == 200)
        by_status[code] += 1
    assert by_status[403] > 20
    assert "stimuli/task-images_stimuli.h5" in listed
    assert any("/ses-31/" in key and not held_out(key) for key in listed)
    assert status(server, "no/such/key")[0] == 404
    client.close()


def test_ranges_are_served_and_held_out_ranges_are_not(server, miniature):
    key = "participants.json"
    code, body = status(server, key, Range="bytes=5-9")
    assert (code, body) == (206, (miniature / key).read_bytes()[5:10])
    held_out = next(key for key in keys_of(miniature) if "/glmsingle-tedana/sub-01/ses-31/" in key)
    assert status(server, held_out, Range="bytes=0-3")[0] == 403


def test_a_listing_ends_after_a_thousand_keys_and_goes_on_when_asked(server, many_keys):
    client = anonymous(server)
    prefix = many_keys[0].rpartition("/")[0]
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=server.bucket, Prefix=prefix))
    assert [page["KeyCount"] for page in pages] == [1000, 1]
    assert [item["Key"] for page in pages for item in page["Contents"]] == many_keys
    client.close()


def test_folders_are_listed_by_delimiter(server):
    client = anonymous(server)
    answer = client.list_objects_v2(Bucket=server.bucket, Prefix="derivatives/rois/", Delimiter="/")
    folders = [item["Prefix"] for item in answer["CommonPrefixes"]]
    assert folders == ["derivatives/rois/sub-01/", "derivatives/rois/sub-03/"]
    client.close()


def test_two_servers_do_not_share_files_and_a_stopped_one_is_gone(running, tmp_path):
    (tmp_path / "README").write_text("another")
    environment = dict(os.environ)
    with serve(tmp_path) as other:
        assert status(other, "README") == (200, b"another")
        assert status(other, "participants.tsv")[0] == 404
        assert status(running, "README") != (200, b"another")
        assert dict(os.environ) == environment
    assert not accepts(int(other.endpoint.rpartition(":")[2]))


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1"])
def test_the_bucket_is_the_one_that_the_catalog_names_wherever_it_lies(tmp_path, region):
    catalog = load_catalog()
    remote = catalog.remote.model_copy(update={"bucket": "elsewhere", "region": region})
    definitions = catalog.definitions.model_copy(update={"remotes": {"bucket": remote}})
    (tmp_path / "README").write_text("there")
    with serve(tmp_path, catalog.model_copy(update={"definitions": definitions})) as server:
        assert server.bucket == "elsewhere"
        assert status(server, "README") == (200, b"there")


def test_serving_is_silent_and_warns_of_nothing(tmp_path):
    (tmp_path / "README").write_text("hello")
    code = """
        import sys, urllib.request
        from pathlib import Path
        from laion_fmri.sandbox import serve
        for _ in range(2):
            with serve(Path(sys.argv[1])) as server:
                address = f"{server.endpoint}/{server.bucket}/README"
                assert urllib.request.urlopen(address).read() == b"hello"
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_program_that_is_killed_leaves_no_server_behind(tmp_path):
    code = """
        import sys, time
        from pathlib import Path
        from laion_fmri.sandbox import serve
        with serve(Path(sys.argv[1])) as server:
            print(server.endpoint, flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        port = int(program.stdout.readline().rpartition(":")[2])
        assert accepts(port)
        program.kill()
    deadline = time.monotonic() + 10
    while accepts(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not accepts(port)


def test_without_moto_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "moto", None)
    with pytest.raises(ImportError, match=r'pip install "laion-fmri\[demo\]"'), serve(tmp_path):
        pass


def test_the_guard_of_these_tests_refuses_other_machines():
    with pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80))
    with pytest.raises(AssertionError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)
