"""Loaders of surface maps and labels, compared with plain nibabel."""

from __future__ import annotations

import base64
import pickle
import re
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.freesurfer import read_label
from nibabel.gifti import GiftiDataArray, GiftiImage

from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.loaders import Request, get_loader
from loader_files import entry, read_both, request

FOLDER = "derivatives/rois/sub-{subject}"
ROI_ENTITIES = ["subject", "category", "label", "hemi"]
ROI_PATH = FOLDER + "/{category}/sub-{subject}_hemi-{hemi}_space-fsnative_label-{label}_mask"
ROIS = entry("surface_map", ROI_PATH + ".func.gii", {"dims": ["label", "vertex"], "dtype": "bool"}, ROI_ENTITIES)
LABELS = entry("surface_label", ROI_PATH + ".label", {"dims": ["row"]}, ROI_ENTITIES)
MAPS = entry(
    "surface_map",
    FOLDER + "/sub-{subject}_hemi-{hemi}_space-fsnative_contrast-{contrast}_stat-z_statmap.func.gii",
    {"dims": ["vertex"], "dtype": "float32", "units": "z"},
    ["subject", "contrast", "hemi"],
)
SIZE = {"L": 7, "R": 5}
FACE = {"subject": "03", "category": "face", "label": "FFA1"}


def first_array(path: Path) -> np.ndarray:
    return nibabel.load(path).darrays[0].data


class Surfaces:
    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, spec, **values: str) -> Path:
        path = self.root / spec.path[0].format(**values)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, spec, data: np.ndarray | None = None, **values: str) -> np.ndarray:
        """Write a map, at random where no data are given, and another array after it."""
        if data is None:
            seed = [ord(letter) for value in values.values() for letter in value]
            data = np.random.default_rng(seed).integers(-1, 2, SIZE[values["hemi"]]).astype(np.float32)
        arrays = [GiftiDataArray(one, "NIFTI_INTENT_SHAPE", "NIFTI_TYPE_FLOAT32") for one in (data, data + 5)]
        path = self.path(spec, **values)
        GiftiImage(darrays=arrays).to_filename(path)
        return first_array(path)

    def request(self, spec, *choices: dict[str, str]) -> Request:
        return request(spec, self.root, choices)


@pytest.fixture
def surfaces(tmp_path: Path) -> Surfaces:
    return Surfaces(tmp_path)


def test_a_map_has_the_values_of_the_first_data_array(surfaces: Surfaces):
    choice = {"subject": "03", "contrast": "faces", "hemi": "R"}
    values = np.array([0.5, np.nan, -3, 0, 1e-30], np.float32)
    surfaces.write(MAPS, values, **choice)
    found = read_both(surfaces.request(MAPS, choice))
    assert found.dims == ("vertex",)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, first_array(surfaces.path(MAPS, **choice)))
    assert found.hemi.values.tolist() == ["R"] * 5
    assert found.vertex_index.values.tolist() == [0, 1, 2, 3, 4]
    assert (found.subject, found.contrast) == ("03", "faces")
    assert (found.attrs["units"], found.attrs["space"]) == ("z", "fsnative")


def test_a_mask_is_true_where_it_is_neither_zero_nor_nan(surfaces: Surfaces):
    surfaces.write(ROIS, np.array([0, 1, np.nan, -2, 1e-30], np.float32), **FACE, hemi="R")
    found = read_both(surfaces.request(ROIS, {**FACE, "hemi": "R"}))
    assert found.dims == ("label", "vertex")
    assert found.dtype == bool
    assert found.values.tolist() == [[False, True, False, True, True]]
    assert found.label.values.tolist() == ["FFA1"]
    assert found.category.values.tolist() == ["face"]
    assert found.category.dims == ("label",)
    assert found.subject == "03"


@pytest.mark.parametrize("order", ["LR", "RL"])
def test_hemispheres_follow_each_other_in_the_order_of_the_selection(surfaces: Surfaces, order: str):
    values = {hemi: surfaces.write(ROIS, **FACE, hemi=hemi) for hemi in order}
    found = read_both(surfaces.request(ROIS, *({**FACE, "hemi": hemi} for hemi in order)))
    assert found.hemi.values.tolist() == [hemi for hemi in order for _ in range(SIZE[hemi])]
    assert found.vertex_index.values.tolist() == [n for hemi in order for n in range(SIZE[hemi])]
    for hemi, expected in values.items():
        np.testing.assert_array_equal(found[0, found.hemi == hemi], expected != 0)


def test_a_label_that_a_hemisphere_lacks_is_false_there(surfaces: Surfaces):
    words = {**FACE, "category": "word", "label": "VWFA1", "hemi": "L"}
    faces = [{**FACE, "hemi": hemi} for hemi in "LR"]
    expected = [surfaces.write(ROIS, **choice) for choice in (*faces, words)]
    found = read_both(surfaces.request(ROIS, *faces, words))
    assert found.label.values.tolist() == ["FFA1", "VWFA1"]
    assert found.category.values.tolist() == ["face", "word"]
    np.testing.assert_array_equal(found[0], np.concatenate(expected[:2]) != 0)
    np.testing.assert_array_equal(found[1, :7], expected[2] != 0)
    assert expected[2].any()
    assert not found[1, 7:].any()


def test_labels_of_one_name_in_two_categories_stay_apart(surfaces: Surfaces):
    choices = [{**FACE, "category": category, "hemi": "L"} for category in ("face", "body")]
    expected = [surfaces.write(ROIS, **choice) for choice in choices]
    found = read_both(surfaces.request(ROIS, *choices))
    np.testing.assert_array_equal(found, np.array(expected) != 0)
    assert found.category.values.tolist() == ["face", "body"]


def test_maps_are_stacked_on_the_entity_that_varies_and_nan_where_there_is_none(surfaces: Surfaces):
    choices = [
        {"subject": "03", "contrast": contrast, "hemi": hemi}
        for contrast, hemi in [("faces", "L"), ("tools", "L"), ("tools", "R")]
    ]
    expected = [surfaces.write(MAPS, **choice) for choice in choices]
    found = read_both(surfaces.request(MAPS, *choices))
    assert found.dims == ("contrast", "vertex")
    assert found.contrast.values.tolist() == ["faces", "tools"]
    np.testing.assert_array_equal(found[1], np.concatenate(expected[1:]))
    np.testing.assert_array_equal(found[0, :7], expected[0])
    assert np.isnan(found[0, 7:]).all()


def test_subjects_are_read_one_at_a_time(surfaces: Surfaces):
    choices = [{**FACE, "subject": subject, "hemi": "L"} for subject in ("03", "05")]
    for choice in choices:
        surfaces.write(ROIS, **choice)
    with pytest.raises(SelectionError, match=r"subject 03, 05 .*read them one at a time"):
        read_both(surfaces.request(ROIS, *choices))


def test_files_of_one_hemisphere_with_other_numbers_of_vertices_are_refused_naming_both(surfaces: Surfaces):
    choices = [{**FACE, "label": label, "hemi": "L"} for label in ("FFA1", "FFA2")]
    surfaces.write(ROIS, **choices[0])
    surfaces.write(ROIS, np.ones(8, np.float32), **choices[1])
    with pytest.raises(DataFormatError, match=r"has 7 vertices, .* has 8") as error:
        read_both(surfaces.request(ROIS, *choices))
    for choice in choices:
        assert str(surfaces.path(ROIS, **choice)) in str(error.value)


def test_dask_reads_no_values_before_it_is_computed(surfaces: Surfaces):
    choices = [{**FACE, "hemi": hemi} for hemi in "LR"]
    expected = np.concatenate([surfaces.write(ROIS, **choice) for choice in choices]) != 0
    path = surfaces.path(ROIS, **choices[1])
    whole = path.read_bytes()
    path.write_bytes(re.sub(rb"<Data>.*?</Data>", b"<Data>damaged</Data>", whole))
    lazy = pickle.loads(pickle.dumps(get_loader("surface_map").to_dask(surfaces.request(ROIS, *choices))))
    assert lazy.chunks == ((1,), (7, 5))
    with pytest.raises(DataFormatError, match="cannot be read as a GIfTI map"):
        lazy.compute(scheduler="synchronous")
    path.write_bytes(whole)
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous")[0], expected)


def test_a_file_of_several_numbers_for_each_vertex_is_refused(surfaces: Surfaces):
    surfaces.write(ROIS, np.ones((7, 3), np.float32), **FACE, hemi="L")
    with pytest.raises(DataFormatError, match=r"has shape \(7, 3\), not one value for each vertex"):
        read_both(surfaces.request(ROIS, {**FACE, "hemi": "L"}))


def gifti(**changes: str) -> bytes:
    """A GIfTI file of two numbers, written by hand."""
    numbers = base64.b64encode(np.array([1, 0], "<f4").tobytes()).decode()
    parts = {"root": "GIFTI", "encoding": "Base64Binary", "dim": 'Dim0="2"', "numbers": numbers, **changes}
    return """<?xml version="1.0"?><{root} Version="1.0" NumberOfDataArrays="1"><DataArray Intent="NIFTI_INTENT_NONE"
    DataType="NIFTI_TYPE_FLOAT32" ArrayIndexingOrder="RowMajorOrder" Dimensionality="1" {dim} Encoding="{encoding}"
    Endian="LittleEndian" ExternalFileName="" ExternalFileOffset=""><Data>{numbers}</Data></DataArray></{root}>
    """.format(**parts).encode()


def test_a_file_written_by_hand_is_read(surfaces: Surfaces):
    surfaces.path(ROIS, **FACE, hemi="L").write_bytes(gifti())
    assert read_both(surfaces.request(ROIS, {**FACE, "hemi": "L"})).values.tolist() == [[True, False]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no XML",
        b"<GIFTI></GIFTI>",
        gifti()[:-30],
        gifti().replace(b"1.0", b"1.0\xff"),
        gifti(dim=""),
        gifti(dim='Dim0="two"'),
        gifti(root="GUFTI"),
        gifti(encoding="GZipBase64Binary"),
        gifti(encoding="Base65Binary"),
        gifti(numbers="a"),
        gifti(numbers=base64.b64encode(b"1234").decode()),
    ],
)
def test_a_damaged_map_is_refused(surfaces: Surfaces, content: bytes):
    path = surfaces.path(ROIS, **FACE, hemi="L")
    path.write_bytes(content)
    with pytest.raises(DataFormatError, match=re.escape(f"{path} cannot be read as a GIfTI map")):
        read_both(surfaces.request(ROIS, {**FACE, "hemi": "L"}))


def test_a_file_without_a_data_array_has_no_lazy_form(surfaces: Surfaces):
    surfaces.path(ROIS, **FACE, hemi="L").write_bytes(b"<GIFTI></GIFTI>")
    with pytest.raises(DataFormatError, match="it has no data array"):
        get_loader("surface_map").to_dask(surfaces.request(ROIS, {**FACE, "hemi": "L"}))


# --- labels


LABEL = """#!ascii label  , from subject sub-03 vox2ras=TkReg
3
12  -1.500  2.25  3e1 0.0000000000
  0 4 5 6 0.75
7\t-0.5 0 1.5 nan
"""


def write_label(surfaces: Surfaces, text: str = LABEL, **values: str) -> Path:
    path = surfaces.path(LABELS, **{**FACE, "hemi": "L", **values})
    path.write_text(text)
    return path


def read_labels(surfaces: Surfaces, *choices: dict[str, str]):
    asked = surfaces.request(LABELS, *[{**FACE, "hemi": "L", **choice} for choice in choices or [{}]])
    return get_loader("surface_label").read(asked)


def test_a_label_is_a_table_of_its_vertices(surfaces: Surfaces):
    vertices, scalars = read_label(write_label(surfaces), read_scalars=True)
    found = read_labels(surfaces)
    assert list(found) == ["subject", "category", "label", "hemi", "vertex", "x", "y", "z", "value"]
    assert [str(found[name].dtype) for name in ("vertex", "x", "value")] == ["int64", "float64", "float64"]
    np.testing.assert_array_equal(found.vertex, vertices)
    np.testing.assert_array_equal(found.value, scalars)
    np.testing.assert_array_equal(found[["x", "y", "z"]], [[-1.5, 2.25, 30], [4, 5, 6], [-0.5, 0, 1.5]])
    assert found[["subject", "category", "label", "hemi"]].drop_duplicates().values.tolist() == [
        ["03", "face", "FFA1", "L"]
    ]


def test_labels_follow_each_other_and_an_empty_one_leaves_no_row(surfaces: Surfaces):
    write_label(surfaces)
    write_label(surfaces, "# none\n0\n", label="FFA2")
    write_label(surfaces, "#\r\n1\r\n8 1 2 3 4\r\n", hemi="R")
    found = read_labels(surfaces, {"hemi": "R"}, {"label": "FFA2"}, {})
    assert found.hemi.tolist() == ["R", "L", "L", "L"]
    assert found.vertex.tolist() == [8, 12, 0, 7]
    assert found.index.tolist() == [0, 1, 2, 3]
    assert found.vertex.dtype == np.int64
    empty = read_labels(surfaces, {"label": "FFA2"})
    assert len(empty) == 0
    assert (empty.vertex.dtype, empty.z.dtype) == (np.int64, np.float64)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 2 is '', not a number of vertices"),
        ("# only\n", "line 2 is ''"),
        ("3\n12 1 2 3 0\n", "line 2 is '12 1 2 3 0'"),
        ("#\n-1\n", "line 2 is '-1'"),
        (LABEL.replace("\n3\n", "\n4\n"), "has 3 rows of vertices, it says 4"),
        (LABEL + "9 1 2 3 0\n", "has 4 rows of vertices, it says 3"),
        (LABEL.replace("4 5 6 0.75", "4 5 6"), "line 4 is '  0 4 5 6', not vertex, x, y, z and value"),
        (LABEL.replace("12 ", "1.5 "), "line 3 is '1.5 "),
        (LABEL.replace("0.75", "1,5"), "line 4"),
    ],
)
def test_a_broken_label_is_refused(surfaces: Surfaces, text: str, message: str):
    path = write_label(surfaces, text)
    with pytest.raises(DataFormatError, match=re.escape(message)) as error:
        read_labels(surfaces)
    assert str(path) in str(error.value)


def test_a_label_that_is_no_text_is_refused(surfaces: Surfaces):
    write_label(surfaces).write_bytes(bytes(range(256)))
    with pytest.raises(DataFormatError, match="line 2"):
        read_labels(surfaces)


def test_a_label_has_no_lazy_form(surfaces: Surfaces):
    write_label(surfaces)
    with pytest.raises(SelectionError, match=r"label-FFA1_mask\.label.*use read\(\)"):
        get_loader("surface_label").to_dask(surfaces.request(LABELS, {**FACE, "hemi": "L"}))
