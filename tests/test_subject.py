"""Subjects and groups on the miniature, against references that plain nibabel, NumPy and pandas compute here."""

import pickle
import re
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

import laion_fmri
from laion_fmri.errors import DataDirNotSetError, DataNotDownloadedError, SelectionError, SubjectNotFoundError
from laion_fmri.loaders import streams

SESSIONS = ["ses-01", "ses-02"]


class Disk:
    """What is in the data directory, read the plain way."""

    def __init__(self, root, subject="sub-03"):
        self.root, self.subject = root, subject

    def one(self, pattern):
        (path,) = self.root.rglob(f"{self.subject}_{pattern}")
        return path

    def volume(self, pattern):
        return np.asarray(nibabel.load(self.one(pattern)).dataobj)

    def brain(self, source="anatomical", res="_res-1pt8"):
        if source == "rsquare":
            volume = self.volume("*_desc-R2mean_statmap.nii.gz")
            return (volume != 0) & ~np.isnan(volume)
        return self.volume(f"*_space-T1w{res}_desc-brain_mask.nii.gz") != 0

    def roi(self, *labels):
        return np.any([self.volume(f"*_res-1pt8_label-{label}_mask.nii.gz") != 0 for label in labels], axis=0)

    def betas(self, session, inside):
        return self.volume(f"{session}_*_desc-SingletrialBetas_statmap.nii.gz")[inside].T

    def ceiling(self, session):
        return self.volume(f"{session}_*_desc-Noiseceiling_statmap.nii.gz")

    def trials(self, session):
        path = self.one(f"{session}_*_desc-SingletrialBetas_trials.tsv")
        return pd.read_csv(path, sep="\t", keep_default_na=False)


@pytest.fixture
def disk(here):
    return Disk(here)


@pytest.fixture
def subject(here):
    return laion_fmri.load_subject("sub-03")


@pytest.fixture
def group(here_all):
    return laion_fmri.load_subjects("all")


def half(disk, source="anatomical"):
    """A mask over the voxels of the brain, and the same as a volume."""
    brain = disk.brain(source)
    mask = np.random.default_rng(1).random(brain.sum()) < 0.5
    inside = np.zeros(brain.shape, bool)
    inside[brain] = mask
    return mask, inside


@pytest.mark.parametrize("name", ["03", "sub-03"])
def test_both_ways_to_write_a_subject_load_it(here, name):
    assert laion_fmri.load_subject(name).id == "sub-03"


@pytest.mark.parametrize("name", ["", "4", "sub-02", "subject-03", "all", "../sub-03"])
def test_a_subject_that_the_catalog_does_not_know_is_refused(here, name):
    with pytest.raises(SubjectNotFoundError):
        laion_fmri.load_subject(name)


def test_a_subject_is_text(here):
    with pytest.raises(TypeError, match="give text"):
        laion_fmri.load_subject(3)


def test_a_subject_of_whom_nothing_is_here_is_told_with_the_command(here):
    with pytest.raises(DataNotDownloadedError, match="laion-fmri download --subject sub-01"):
        laion_fmri.load_subject("01")


def test_a_subject_with_anatomy_only_can_be_loaded(here):
    shutil.rmtree(here / "derivatives" / "glmsingle-tedana")
    shutil.rmtree(here / "derivatives" / "rois")
    subject = laion_fmri.load_subject("03")
    assert subject.get_sessions() == []
    assert subject.get_available_rois() == []
    assert subject.get_n_voxels() > 0


def test_an_interrupted_download_is_no_data(data_dir):
    folder = data_dir / "derivatives" / "anatomical" / "sub-03"
    folder.mkdir(parents=True)
    (folder / ".sub-03_T1w.nii.gz.0a1b2c3d.part").touch()
    with pytest.raises(DataNotDownloadedError, match="nothing of sub-03"):
        laion_fmri.load_subject("03")


def test_without_a_data_directory_the_command_that_chooses_one_is_told(no_config):
    with pytest.raises(DataDirNotSetError, match="laion-fmri config --data-dir"):
        laion_fmri.load_subject("03")


def test_sessions_are_those_that_are_here(subject, disk):
    assert subject.get_sessions() == SESSIONS
    shutil.rmtree(disk.one("ses-01_*_trials.tsv").parents[1])
    disk.one("ses-02_*_trials.tsv").unlink()
    assert subject.get_sessions() == ["ses-02"]


@pytest.mark.parametrize("source", ["anatomical", "rsquare"])
def test_the_brain_mask_is_flat_over_the_whole_grid_in_c_order(subject, disk, source):
    mask = subject.get_brain_mask(source)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, disk.brain(source).ravel(order="C"))
    assert subject.get_n_voxels(source) == disk.brain(source).sum()


def test_the_brain_mask_comes_at_full_resolution_too(subject, disk):
    np.testing.assert_array_equal(subject.get_brain_mask(res=None), disk.brain(res="").ravel())
    assert subject.get_n_voxels(res=None) == disk.brain(res="").sum() > subject.get_n_voxels()
    assert subject.get_n_voxels("rsquare", res=None) == disk.brain("rsquare").sum()


def test_an_unknown_mask_or_grid_is_refused(subject):
    with pytest.raises(ValueError, match="did you mean 'anatomical'"):
        subject.get_brain_mask("anatomcal")
    with pytest.raises(ValueError, match="res='2'"):
        subject.get_brain_mask(res="2")


@pytest.mark.parametrize("source", ["anatomical", "rsquare"])
def test_betas_are_the_voxels_of_the_brain_mask_in_c_order(subject, disk, source):
    betas = subject.get_betas("ses-01", mask_source=source)
    assert type(betas) is np.ndarray
    assert betas.dtype == np.float32
    assert betas.flags.c_contiguous
    np.testing.assert_array_equal(betas, disk.betas("ses-01", disk.brain(source)))
    assert np.isnan(betas).any()


@pytest.mark.parametrize("roi", ["V1v", "face", ["V1v", "FFA-1", "face"]])
def test_betas_of_rois_are_the_union_of_their_voxels_inside_the_brain(subject, disk, roi):
    labels = {"V1v": ["V1v"], "face": ["FFA1", "FFA2", "OFA", "pSTSfaces"]}
    wanted = [label for name in ([roi] if isinstance(roi, str) else ["V1v", "face"]) for label in labels[name]]
    betas = subject.get_betas("ses-01", roi=roi)
    assert betas.shape[1] > 0
    np.testing.assert_array_equal(betas, disk.betas("ses-01", disk.roi(*wanted) & disk.brain()))


@pytest.mark.parametrize("source", ["anatomical", "rsquare"])
def test_betas_of_a_mask_and_a_threshold_are_the_voxels_of_both(subject, disk, source):
    mask, inside = half(disk, source)
    np.testing.assert_array_equal(
        subject.get_betas("ses-01", mask=mask, mask_source=source), disk.betas("ses-01", inside)
    )
    good = inside & (disk.ceiling("ses-01") >= 20)
    assert 0 < good.sum() < inside.sum()
    betas = subject.get_betas("ses-01", mask=mask, mask_source=source, nc_threshold=20)
    assert betas.flags.c_contiguous
    np.testing.assert_array_equal(betas, disk.betas("ses-01", good))


def test_a_threshold_is_that_of_each_session_of_a_list(subject, disk):
    betas = subject.get_betas(["02", "ses-01"], nc_threshold=20)
    assert list(betas) == ["ses-02", "ses-01"]
    for session, values in betas.items():
        good = disk.brain() & (disk.ceiling(session) >= 20)
        np.testing.assert_array_equal(values, disk.betas(session, good))


@pytest.mark.parametrize("kind", ["shared", "unique"])
def test_betas_of_some_stimuli_are_the_trials_whose_label_says_so(subject, disk, kind):
    rows = disk.trials("ses-02")["label"].str.startswith(f"{kind}_").to_numpy()
    assert 0 < rows.sum() < len(rows)
    betas = subject.get_betas("02", stimuli=kind)
    np.testing.assert_array_equal(betas, disk.betas("ses-02", disk.brain())[rows])


def test_streaming_gives_the_same(subject):
    np.testing.assert_array_equal(
        subject.get_betas("ses-01", roi="V1v", streaming=True), subject.get_betas("ses-01", roi="V1v")
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"session": None}, "give ses="),
        ({"session": ""}, "ses=''"),
        ({"session": []}, "selects nothing"),
        ({"session": "ses-31"}, "held out"),
        ({"session": ["ses-01", "ses-99"]}, "ses-99|99"),
        ({"roi": "V1w"}, "V1v"),
        ({"stimuli": "share"}, "did you mean 'shared'"),
        ({"nc_threshold": 200}, "0 to 100"),
        ({"mask_source": "r2"}, "anatomical, rsquare"),
        ({"mask": np.ones(5, bool)}, "expected bool of shape"),
        ({"mask": "V1v"}, "expected bool of shape"),
        ({"mask": np.ones(5, bool), "roi": "V1v"}, "not both"),
    ],
)
def test_what_does_not_exist_is_refused(subject, given, told):
    with pytest.raises(ValueError, match=told):
        subject.get_betas(**{"session": "ses-01", **given})


def test_a_mask_of_numbers_is_refused(subject):
    with pytest.raises(SelectionError, match="expected bool"):
        subject.get_betas("ses-01", mask=np.ones(subject.get_n_voxels()))


def test_missing_sessions_are_told_before_anything_is_read(subject, disk):
    disk.one("ses-02_*_desc-SingletrialBetas_statmap.nii.gz").unlink()
    disk.one("ses-01_*_desc-SingletrialBetas_statmap.nii.gz").write_bytes(b"damaged")
    with pytest.raises(DataNotDownloadedError, match=r"laion-fmri download --subject 03 --ses 02"):
        subject.get_betas(["ses-01", "ses-02"])


def test_trial_info_is_the_table_of_the_session(subject, disk):
    table = subject.get_trial_info("ses-01")
    pd.testing.assert_frame_equal(table.drop(columns="subject"), disk.trials("ses-01"))
    assert set(table["subject"]) == {"03"}
    assert len(table) == len(subject.get_betas("ses-01", roi="V1v"))
    assert list(subject.get_trial_info(SESSIONS)) == SESSIONS


def test_noise_ceilings_of_sessions_and_of_the_subject(subject, disk):
    brain = disk.brain()
    np.testing.assert_array_equal(subject.get_noise_ceiling("ses-01"), disk.ceiling("ses-01")[brain])
    for session, values in subject.get_noise_ceiling(SESSIONS).items():
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, disk.ceiling(session)[brain])
    by_desc = subject.get_noise_ceiling(desc=["Noiseceiling4rep", "Noiseceiling12rep"])
    for desc, values in by_desc.items():
        whole = disk.volume(f"task-images_space-T1w_desc-{desc}_statmap.nii.gz")
        np.testing.assert_array_equal(values, whole[brain])
        np.testing.assert_array_equal(subject.get_noise_ceiling(desc=desc, roi="V1v"), whole[brain & disk.roi("V1v")])
    assert len(by_desc) == 2


def test_the_noise_ceiling_takes_a_mask(subject, disk):
    mask, inside = half(disk)
    np.testing.assert_array_equal(subject.get_noise_ceiling("ses-01", mask=mask), disk.ceiling("ses-01")[inside])


def test_a_noise_ceiling_is_of_a_session_or_of_a_desc(subject):
    for given in ({}, {"session": "ses-01", "desc": "Noiseceiling4rep"}):
        with pytest.raises(ValueError, match="session or desc"):
            subject.get_noise_ceiling(**given)
    with pytest.raises(ValueError, match="not both"):
        subject.get_noise_ceiling("ses-01", roi="V1v", mask=np.ones(3, bool))
    with pytest.raises(ValueError, match="Noiseceiling4rep"):
        subject.get_noise_ceiling(desc="Noiseceiling4reps")


def test_a_noise_ceiling_that_is_not_here_is_told_with_the_command(subject, disk):
    disk.one("task-images_space-T1w_desc-Noiseceiling4rep_statmap.nii.gz").unlink()
    with pytest.raises(DataNotDownloadedError, match="laion-fmri download --subject 03"):
        subject.get_noise_ceiling(desc="Noiseceiling4rep")


def test_rois_and_their_sets_are_those_that_are_here(subject, disk, here):
    folder = here / "derivatives" / "rois" / "sub-03"
    assert subject.get_available_categories() == sorted(path.name for path in folder.iterdir())
    assert subject.get_available_rois("face") == ["FFA1", "FFA2", "OFA", "pSTSfaces"]
    names = {path.name.split("label-")[1].split("_")[0] for path in folder.rglob("*_res-1pt8_*")}
    assert subject.get_available_rois() == sorted(names)
    disk.one("*_res-1pt8_label-OFA_mask.nii.gz").unlink()
    assert "OFA" not in subject.get_available_rois()


def test_an_unknown_set_of_rois_is_refused(subject):
    with pytest.raises(SelectionError, match="did you mean `face`"):
        subject.get_available_rois("faces")


@pytest.mark.parametrize("source", ["anatomical", "rsquare"])
def test_an_roi_mask_selects_the_voxels_that_betas_of_the_roi_have(subject, disk, source):
    mask = subject.get_roi_mask(["V1v", "OFA"], mask_source=source)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, disk.roi("V1v", "OFA")[disk.brain(source)])


def test_roi_masks_come_by_query(subject, disk):
    masks = subject.get_roi_masks(["face", "V1v", "all"])
    assert list(masks) == ["face", "V1v", "all"]
    np.testing.assert_array_equal(masks["V1v"], disk.roi("V1v")[disk.brain()])
    np.testing.assert_array_equal(masks["all"], disk.roi(*subject.get_available_rois())[disk.brain()])
    np.testing.assert_array_equal(masks["face"], subject.get_roi_mask("face"))
    assert subject.get_roi_masks([]) == {}


def test_roi_queries_take_signs_and_named_regions(subject, disk):
    masks = subject.get_roi_masks(["V1", "face - OFA"])
    np.testing.assert_array_equal(masks["V1"], disk.roi("V1v", "V1d")[disk.brain()])
    np.testing.assert_array_equal(masks["face - OFA"], disk.roi("FFA1", "FFA2", "pSTSfaces")[disk.brain()])
    np.testing.assert_array_equal(subject.get_roi_data("V1")["V1"]["volume"], masks["V1"])
    betas = subject.get_betas("ses-01", roi={"one": "V1", "other": "OFA"})
    np.testing.assert_array_equal(betas, disk.betas("ses-01", disk.roi("V1v", "V1d", "OFA") & disk.brain()))


def test_masks_of_many_queries_read_each_roi_file_once(subject, monkeypatch):
    streamed = Counter()
    decode = streams.open_gzip

    def counting(file):
        streamed[Path(file.name).name] += "_label-" in file.name
        return decode(file)

    monkeypatch.setattr(streams, "open_gzip", counting)
    subject.get_roi_masks(["face", "OFA", "OFA + FFA1", "face - OFA"])
    assert {name: count for name, count in streamed.items() if count} == {
        f"sub-03_space-T1w_res-1pt8_label-{label}_mask.nii.gz": 1 for label in ("FFA1", "FFA2", "OFA", "pSTSfaces")
    }


def test_roi_data_gives_each_roi_of_a_query(subject, disk):
    data = subject.get_roi_data("face", format="volume")
    assert list(data) == subject.get_available_rois("face")
    for label, forms in data.items():
        np.testing.assert_array_equal(forms["volume"], disk.roi(label)[disk.brain()])
    assert list(subject.get_roi_data(["V1v", "face"])) == ["V1v", *data]


def test_without_rois_the_command_that_fetches_them_is_told(subject, here):
    shutil.rmtree(here / "derivatives" / "rois")
    with pytest.raises(DataNotDownloadedError, match="laion-fmri download --subject 03"):
        subject.get_roi_mask("V1v")


def test_anatomical_files_are_paths(subject, disk):
    assert subject.has_anatomical()
    assert subject.get_anatomical_dir() == disk.one("*_space-T1w_T1w.nii.gz").parent
    assert subject.get_t1w() == disk.one("*_space-T1w_T1w.nii.gz")
    assert subject.get_t2w("1pt8") == disk.one("*_space-T1w_res-1pt8_T2w.nii.gz")
    assert subject.get_anatomical_brain_mask() == disk.one("*_space-T1w_desc-brain_mask.nii.gz")


def test_missing_anatomical_files_are_told_with_their_flag(subject, here):
    shutil.rmtree(here / "derivatives" / "anatomical")
    assert not subject.has_anatomical()
    for get in (subject.get_anatomical_dir, subject.get_t1w, subject.get_t2w, subject.get_anatomical_brain_mask):
        with pytest.raises(DataNotDownloadedError, match="--subject 03 --include-anatomical"):
            get()
    with pytest.raises(DataNotDownloadedError, match="--include-anatomical"):
        subject.get_betas("ses-01")
    assert subject.get_betas("ses-01", mask_source="rsquare").size


def test_values_go_back_to_where_they_come_from(subject, disk, tmp_path):
    mask, inside = half(disk)
    cases = {
        "brain.nii.gz": ({}, disk.brain()),
        "roi.nii": ({"roi": "V1v"}, disk.roi("V1v") & disk.brain()),
        "mask.nii.gz": ({"mask": mask}, inside),
        "rsquare.nii.gz": ({"mask_source": "rsquare"}, disk.brain("rsquare")),
    }
    for name, (given, chosen) in cases.items():
        values = subject.get_betas("ses-01", **given)[7]
        subject.to_nifti(values, tmp_path / name, **given)
        image = nibabel.load(tmp_path / name)
        expected = np.zeros(chosen.shape, np.float32)
        expected[chosen] = disk.betas("ses-01", chosen)[7]
        assert image.get_data_dtype() == np.float32
        np.testing.assert_array_equal(np.asarray(image.dataobj), expected)
        np.testing.assert_allclose(image.affine, nibabel.load(subject.get_t1w("1pt8")).affine, atol=1e-5)
        assert image.header.get_xyzt_units()[0] == "mm"
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == set(cases)


def test_values_of_other_voxels_are_refused_and_leave_the_file_as_it_was(subject, tmp_path):
    path = tmp_path / "map.nii.gz"
    subject.to_nifti(np.ones(subject.get_n_voxels()), path)
    before = path.read_bytes()
    for values in (np.ones(3), np.ones((1, subject.get_n_voxels())), 1.0):
        with pytest.raises(ValueError, match="values have shape"):
            subject.to_nifti(values, path)
    with pytest.raises(ValueError, match="could not convert"):
        subject.to_nifti(["a"] * subject.get_n_voxels(), path)
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match=r"\.nii\.gz"):
        subject.to_nifti(np.ones(subject.get_n_voxels()), tmp_path / "map.png")
    with pytest.raises(FileNotFoundError, match="create it first"):
        subject.to_nifti(np.ones(subject.get_n_voxels()), tmp_path / "nowhere" / "map.nii")


def test_a_new_map_takes_the_place_of_the_old_file_and_does_not_write_into_it(subject, tmp_path):
    path, old = tmp_path / "map.nii", tmp_path / "old.nii"
    subject.to_nifti(np.ones(subject.get_n_voxels()), path)
    old.hardlink_to(path)
    before = old.read_bytes()
    subject.to_nifti(np.zeros(subject.get_n_voxels()), path)
    assert old.read_bytes() == before != path.read_bytes()


def test_a_failed_write_leaves_nothing_behind(subject, tmp_path, monkeypatch):
    def full(image, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(nibabel, "save", full)
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(OSError, match="disk full"):
        subject.to_nifti(np.ones(subject.get_n_voxels()), folder / "map.nii.gz")
    assert not list(folder.iterdir())


@pytest.mark.parametrize("source", ["anatomical", "rsquare"])
def test_coordinates_are_millimetres_of_the_voxels_in_their_order(subject, disk, source):
    affine = nibabel.load(subject.get_t1w("1pt8")).affine
    mask, inside = half(disk, source)
    brain = disk.brain(source)
    for given, chosen in ({}, brain), ({"roi": "V1v"}, brain & disk.roi("V1v")), ({"mask": mask}, inside):
        found = subject.get_voxel_coordinates(**given, mask_source=source)
        assert found.shape == (chosen.sum(), 3)
        np.testing.assert_allclose(found, nibabel.affines.apply_affine(affine, np.argwhere(chosen)), atol=1e-4)


def test_a_subject_pickles(subject):
    assert pickle.loads(pickle.dumps(subject)) == subject


def test_loading_a_subject_and_looking_at_what_is_here_imports_no_numpy_and_nothing_of_downloads(here):
    code = """
        import sys, laion_fmri
        subject = laion_fmri.load_subject("03")
        subject.get_sessions(), subject.get_available_rois(), subject.get_t1w(), len(laion_fmri.load_subjects("all"))
        heavy = {"numpy", "nibabel", "pandas", "xarray", "intake", "boto3", "laion_fmri.fetch"} & set(sys.modules)
        assert not heavy, heavy
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_group_is_sorted_and_found_by_number_and_by_name(group):
    assert len(group) == 2
    assert [(name, subject.id) for name, subject in group] == [("sub-01", "sub-01"), ("sub-03", "sub-03")]
    assert group[0] == group["01"] == group["sub-01"]
    assert group[-1] == group["sub-03"]
    assert repr(group) == "Group(sub-01, sub-03)"
    with pytest.raises(IndexError):
        group[2]
    with pytest.raises(SubjectNotFoundError, match="not in this group of sub-01, sub-03"):
        group["05"]


def test_a_group_of_named_subjects(here_all):
    assert [name for name, _ in laion_fmri.load_subjects(["sub-03", "01", "03"])] == ["sub-01", "sub-03"]
    assert [name for name, _ in laion_fmri.load_subjects("03")] == ["sub-03"]


def test_all_subjects_are_those_that_are_here(here):
    assert [name for name, _ in laion_fmri.load_subjects("all")] == ["sub-03"]


def test_no_subjects_are_refused(data_dir):
    with pytest.raises(DataNotDownloadedError, match="laion-fmri download --subject all"):
        laion_fmri.load_subjects("all")
    with pytest.raises(ValueError, match="at least one"):
        laion_fmri.load_subjects([])
    with pytest.raises(DataNotDownloadedError, match="nothing of sub-05"):
        laion_fmri.load_subjects(["05"])


def test_shared_betas_trial_by_trial(group):
    betas = group.get_shared_betas("ses-01", roi="V1v", nc_threshold=5)
    assert list(betas) == ["sub-01", "sub-03"]
    for name, subject in group:
        expected = subject.get_betas("ses-01", roi="V1v", nc_threshold=5, stimuli="shared")
        np.testing.assert_array_equal(betas[name], expected)
    masks = {name: np.arange(subject.get_n_voxels()) < 9 for name, subject in group}
    assert [values.shape[1] for values in group.get_shared_betas("ses-01", mask=masks).values()] == [9, 9]


@pytest.mark.parametrize("mask", [np.ones(3, bool), {"sub-01": np.ones(3, bool)}])
def test_a_group_takes_one_mask_for_each_subject(group, mask):
    with pytest.raises(ValueError, match="one mask for each of sub-01, sub-03"):
        group.get_shared_betas("ses-01", mask=mask)


def reference_means(disk, sessions, inside):
    """Mean of every image's trials, and how many there are."""
    labels = pd.concat([disk.trials(session)["label"] for session in sessions]).to_numpy()
    values = np.concatenate([disk.betas(session, inside) for session in sessions])
    frame = pd.DataFrame(values.astype(np.float64)).groupby(labels).mean()
    return frame, Counter(labels.tolist())


def test_rows_of_shared_betas_are_the_same_images_for_all_subjects(group, here_all):
    shared = group.shared_betas(SESSIONS, roi="face")
    assert list(shared) == ["sub-01", "sub-03"]
    means = {
        name: reference_means(disk, SESSIONS, disk.roi("FFA1", "FFA2", "OFA", "pSTSfaces") & disk.brain())
        for name in shared
        for disk in [Disk(here_all, name)]
    }
    common = sorted(set.intersection(*(set(frame.index) for frame, _ in means.values())))
    assert 0 < len(common) < min(len(frame) for frame, _ in means.values())
    for name, array in shared.items():
        frame, counts = means[name]
        assert array.dims == ("image", "voxel")
        assert array.dtype == np.float32
        assert array.image.values.tolist() == common
        assert array.n_repetitions.values.tolist() == [counts[image] for image in common]
        assert max(counts[image] for image in common) > 1
        np.testing.assert_allclose(array.values, frame.loc[common].to_numpy(), rtol=1e-4, atol=1e-5)
        assert set(array.voxel_subject.values) == {name.removeprefix("sub-")}
        assert array.attrs["units"] == "percent signal change"


def test_shared_betas_are_z_scored_over_all_trials_of_a_session_before_the_mean(group, here_all):
    for name, array in group.shared_betas(SESSIONS, roi="V1v", zscore="session").items():
        disk = Disk(here_all, name)
        scores, labels = [], []
        for session in SESSIONS:
            values = disk.betas(session, disk.roi("V1v") & disk.brain()).astype(np.float64)
            scores.append((values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0))
            labels += disk.trials(session)["label"].tolist()
        means = pd.DataFrame(np.concatenate(scores)).groupby(labels).mean()
        expected = means.loc[array.image.values].to_numpy()
        np.testing.assert_allclose(array.values, expected, rtol=1e-4, atol=1e-5)


def test_a_voxel_that_was_never_fitted_is_nan_in_the_mean_and_only_that(group, here_all):
    for name, array in group.shared_betas(SESSIONS).items():
        frame, _ = reference_means(disk := Disk(here_all, name), SESSIONS, disk.brain())
        np.testing.assert_array_equal(np.isnan(array.values), np.isnan(frame.loc[array.image.values].to_numpy()))
        assert np.isnan(array.values).any()


def test_images_that_only_some_saw_in_the_sessions_are_left_out(group, here_all):
    one, two = (group.shared_betas(sessions, roi="V1v") for sessions in ("ses-01", SESSIONS))
    seen = [set(Disk(here_all, name).trials("ses-01")["label"]) for name in one]
    assert set(one["sub-01"].image.values) == set.intersection(*seen) < set(two["sub-01"].image.values)


def test_a_threshold_of_shared_betas_holds_in_every_session(group, here_all):
    for name, array in group.shared_betas(SESSIONS, nc_threshold=20).items():
        disk = Disk(here_all, name)
        good = disk.brain() & (disk.ceiling("ses-01") >= 20) & (disk.ceiling("ses-02") >= 20)
        np.testing.assert_array_equal(np.stack([array.i, array.j, array.k], axis=1), np.argwhere(good))


def test_no_image_in_common_is_refused(group, here_all):
    path = Disk(here_all, "sub-01").one("ses-01_*_trials.tsv")
    text = path.read_text()
    one_of_its_own = re.search(r"unique_\S+", text)[0]
    path.write_text(re.sub(r"shared_.*", one_of_its_own, text))
    with pytest.raises(SelectionError, match="no image was seen by all of sub-01, sub-03"):
        group.shared_betas("ses-01", roi="V1v")
