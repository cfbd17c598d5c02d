"""What a subject has on its surfaces, against plain nibabel: the reconstruction, and ROIs as vertices."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import laion_fmri
from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.templates import local_path
from laion_fmri.errors import DataNotDownloadedError, SelectionError

ROIS = "derivatives/rois/sub-03"
FREESURFER = "derivatives/freesurfer/sub-03"


@pytest.fixture
def rois(miniature, data_dir):
    """A data directory with the ROIs of sub-03 and its anatomy."""
    for folder in (ROIS, "derivatives/anatomical/sub-03"):
        for path in (miniature / folder).rglob("*.*"):
            target = data_dir / local_path(path.relative_to(miniature).as_posix(), load_catalog().entities)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return data_dir


@pytest.fixture
def subject(rois):
    return laion_fmri.load_subject("03")


def on_surface(root: Path, label: str, hemi: str) -> np.ndarray:
    (path,) = (root / ROIS).rglob(f"sub-03_hemi-{hemi}_space-fsnative_label-{label}_mask.func.gii")
    return nib.load(path).agg_data() != 0


def vertices(root: Path, label: str, hemi: str) -> np.ndarray:
    (path,) = (root / ROIS).rglob(f"sub-03_hemi-{hemi}_space-fsnative_label-{label}_mask.label")
    return nib.freesurfer.read_label(path)


def test_an_roi_comes_as_voxels_and_as_vertices_of_both_hemispheres(subject, rois):
    data = subject.get_roi_data("FFA1")
    assert list(data) == ["FFA1"]
    assert set(data["FFA1"]) == {"volume", "gii"}
    np.testing.assert_array_equal(data["FFA1"]["volume"], subject.get_roi_mask("FFA1"))
    assert list(data["FFA1"]["gii"]) == ["hemi-L", "hemi-R"]
    for hemi, count in (("L", 162), ("R", 158)):
        forms = data["FFA1"]["gii"][f"hemi-{hemi}"]
        assert set(forms) == {"func.gii", "label"}
        assert (forms["func.gii"].dtype, forms["func.gii"].shape) == (bool, (count,))
        assert forms["label"].dtype.kind == "i"
        np.testing.assert_array_equal(forms["func.gii"], on_surface(rois, "FFA1", hemi))
        np.testing.assert_array_equal(forms["label"], vertices(rois, "FFA1", hemi))


FORMS = {
    None: {"volume", "func.gii", "label"},
    "all": {"volume", "func.gii", "label"},
    "volume": {"volume"},
    "nii.gz": {"volume"},
    "gii": {"func.gii", "label"},
    "func.gii": {"func.gii"},
    "label": {"label"},
}


@pytest.mark.parametrize("format", FORMS)
@pytest.mark.parametrize("hemi", [None, "all", "L", "R"])
def test_format_and_hemisphere_choose(subject, format, hemi):
    data = subject.get_roi_data("face", format, hemi)
    assert list(data) == ["FFA1", "FFA2", "OFA", "pSTSfaces"]
    for found in data.values():
        assert ("volume" in found) == ("volume" in FORMS[format])
        halves = found.get("gii", {})
        forms = FORMS[format] - {"volume"}
        assert set(halves) == (({f"hemi-{hemi}"} if hemi in ("L", "R") else {"hemi-L", "hemi-R"}) if forms else set())
        assert all(set(half) == forms for half in halves.values())


def test_sets_are_taken_apart_and_repeats_come_once(subject):
    data = subject.get_roi_data(["OFA", "motion", "face", "OFA"], "label", "L")
    assert list(data) == ["OFA", "MST", "MT", "FFA1", "FFA2", "pSTSfaces"]
    assert set(subject.get_roi_data("all", "func.gii")) == {"FFA1", "FFA2", "MST", "MT", "OFA", "pSTSfaces"}
    assert set(subject.get_roi_data("all")) == set(subject.get_available_rois())


def test_queries_hold_on_surfaces_too(subject, rois):
    data = subject.get_roi_data(["FFA1 + OFA", "face - OFA"], hemi="R")
    one, two = (on_surface(rois, label, "R") for label in ("FFA1", "OFA"))
    assert set(data) == {"FFA1 + OFA", "face - OFA"}
    half = data["FFA1 + OFA"]["gii"]["hemi-R"]
    np.testing.assert_array_equal(half["func.gii"], one | two)
    np.testing.assert_array_equal(half["label"], np.flatnonzero(one | two))
    np.testing.assert_array_equal(data["FFA1 + OFA"]["volume"], subject.get_roi_mask("FFA1 + OFA"))
    rest = [on_surface(rois, label, "R") for label in ("FFA1", "FFA2", "pSTSfaces")]
    expected = np.logical_or.reduce(rest) & ~two
    np.testing.assert_array_equal(data["face - OFA"]["gii"]["hemi-R"]["func.gii"], expected)
    np.testing.assert_array_equal(data["face - OFA"]["gii"]["hemi-R"]["label"], np.flatnonzero(expected))


def test_each_file_is_read_once(subject, monkeypatch):
    opened = Counter()
    read_bytes, read_text = Path.read_bytes, Path.read_text
    of_gifti = nib.gifti.GiftiImage.from_filename.__func__

    def counted(read):
        def call(self, *args, **kwargs):
            opened[self.name] += 1
            return read(self, *args, **kwargs)

        return call

    def from_filename(cls, path, *args, **kwargs):
        opened[Path(path).name] += 1
        return of_gifti(cls, path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_bytes", counted(read_bytes))
    monkeypatch.setattr(Path, "read_text", counted(read_text))
    monkeypatch.setattr(nib.gifti.GiftiImage, "from_filename", classmethod(from_filename))
    subject.get_roi_data(["face", "OFA", "FFA1 + OFA", "face - OFA"])
    surfaces = {name: count for name, count in opened.items() if "_hemi-" in name}
    assert len(surfaces) == 4 * 2 * 2
    assert set(surfaces.values()) == {1}


def test_without_surface_files_the_voxels_are_given_and_surfaces_are_told(subject, rois):
    for path in (rois / ROIS).rglob("*_hemi-*"):
        path.unlink()
    assert set(subject.get_roi_data("face")["OFA"]) == {"volume"}
    for query in ("OFA", "face", "all"):
        with pytest.raises(
            DataNotDownloadedError, match=r"rois_surface of subject 03.*laion-fmri download --subject 03"
        ):
            subject.get_roi_data(query, "gii")
    with pytest.raises(SelectionError, match=r"roi='OFAA' is none of the ROIs of sub-03.*did you mean OFA"):
        subject.get_roi_data("OFAA", "label")


def test_what_is_here_of_the_surfaces_is_given_and_one_hemisphere_is_enough(subject, rois):
    for path in (rois / ROIS).rglob("*_hemi-R_*_label-OFA_*"):
        path.unlink()
    assert list(subject.get_roi_data("OFA", "gii")["OFA"]["gii"]) == ["hemi-L"]
    with pytest.raises(DataNotDownloadedError, match=r"rois_surface of subject 03, label OFA, hemi R"):
        subject.get_roi_data("OFA", "gii", "R")
    with pytest.raises(DataNotDownloadedError, match=r"rois_surface of subject 03, label OFA, hemi R"):
        subject.get_roi_data("FFA1 + OFA", "func.gii", "R")
    halves = subject.get_roi_data("face")
    assert list(halves["OFA"]["gii"]) == ["hemi-L"]
    assert list(halves["FFA1"]["gii"]) == ["hemi-L", "hemi-R"]
    assert list(subject.get_roi_data("FFA1 + OFA")["FFA1 + OFA"]["gii"]) == ["hemi-L"]


def test_surfaces_are_enough_where_voxels_are_not_asked_for(subject, rois):
    for path in (rois / ROIS).rglob("*.nii.gz"):
        path.unlink()
    shutil.rmtree(rois / "derivatives" / "anatomical")
    assert list(subject.get_roi_data("face", "label")) == ["FFA1", "FFA2", "OFA", "pSTSfaces"]
    with pytest.raises(DataNotDownloadedError, match="laion-fmri download --subject 03"):
        subject.get_roi_data("OFA")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"format": "gifti"},
            r"format='gifti' is not one of all, volume, nii\.gz, gii, func\.gii, label; did you mean `gii`",
        ),
        ({"hemi": "left"}, r"hemi='left' is not one of L, R"),
        ({"mask_source": "anatomic"}, r"mask_source='anatomic' is not one of .* did you mean 'anatomical'"),
        ({"query": "OFAA"}, r"roi='OFAA' is none of the ROIs"),
        ({"query": "OFA +"}, r"'OFA \+', character 6: expected a name"),
    ],
)
def test_wrong_words_are_refused(subject, given, told):
    with pytest.raises(SelectionError, match=told):
        subject.get_roi_data(**{"query": "OFA", **given})


# The reconstruction


def test_the_folder_of_the_reconstruction(subject, rois, miniature):
    assert not subject.has_freesurfer()
    with pytest.raises(DataNotDownloadedError, match=r"freesurfer of subject 03 .*--subject 03 --include-freesurfer"):
        subject.get_freesurfer_dir()
    (rois / FREESURFER / "surf").mkdir(parents=True)
    assert not subject.has_freesurfer()
    shutil.copyfile(miniature / FREESURFER / "surf" / "lh.white", rois / FREESURFER / "surf" / "lh.white")
    assert subject.has_freesurfer()
    assert subject.get_freesurfer_dir() == rois / FREESURFER


def test_a_subject_of_whom_only_the_reconstruction_is_here_can_be_loaded(miniature, data_dir):
    shutil.copytree(miniature / FREESURFER, data_dir / FREESURFER)
    assert laion_fmri.load_subject("03").has_freesurfer()
    assert not laion_fmri.load_subject("03").has_anatomical()
