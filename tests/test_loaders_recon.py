"""Loader of FreeSurfer reconstructions, compared with plain nibabel."""

from __future__ import annotations

import gzip
import pickle
import re
import shutil
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import xarray as xr
from nibabel.freesurfer import read_annot, read_geometry, read_label, read_morph_data, write_annot, write_geometry

import laion_fmri
from laion_fmri.errors import DataFormatError, SelectionError, UnknownNameError
from laion_fmri.loaders import get_loader
from loader_files import entry, request

BELOW = "derivatives/freesurfer/sub-03"


@pytest.fixture
def folder(miniature, data_dir) -> Path:
    return Path(shutil.copytree(miniature / BELOW, data_dir / BELOW))


@pytest.fixture
def recon(folder):
    return laion_fmri.open_catalog().freesurfer(subject="03").read()


def test_a_handle_names_folder_and_files_and_reads_none_of_them(recon, folder, monkeypatch):
    assert recon.path == folder
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert list(recon.files()) == names
    assert {"surf/lh.white", "mri/T1.mgz", "label/rh.aparc.annot", "mri/transforms/talairach.lta"} <= set(names)
    for path in folder.rglob("*h.*"):
        path.write_bytes(b"")
    again = laion_fmri.open_catalog().freesurfer(subject="03").read()
    assert again.files() == recon.files()
    assert repr(again) == f"<reconstruction {folder}: {len(names)} files here>"


@pytest.mark.parametrize("name", ["lh.white", "rh.pial", "lh.inflated", "rh.sphere.reg", "surf/rh.white"])
def test_a_surface_is_its_vertices_and_faces(recon, folder, name):
    vertices, faces, info = read_geometry(folder / "surf" / name.removeprefix("surf/"), read_metadata=True)
    surface = recon.surface(name)
    np.testing.assert_array_equal(surface.vertices, vertices)
    np.testing.assert_array_equal(surface.faces, faces)
    assert surface.faces.dtype == np.int32
    np.testing.assert_array_equal(surface.c_ras, info["cras"])
    np.testing.assert_allclose(surface.scanner_ras, vertices + info["cras"])


def test_scanner_ras_is_where_the_volume_of_the_surface_lies(recon, folder):
    """The same place through the volume: surface RAS to voxels, and these to scanner RAS."""
    image = nib.load(folder / "mri" / "T1.mgz")
    surface = recon.surface("lh.white")
    voxels = nib.affines.apply_affine(np.linalg.inv(image.header.get_vox2ras_tkr()), surface.vertices)
    np.testing.assert_allclose(surface.scanner_ras, nib.affines.apply_affine(image.affine, voxels), atol=1e-4)


def test_a_surface_of_a_tilted_volume_is_turned_too(folder, recon):
    turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    shape, zooms, centre = np.array([40, 50, 60]), np.array([1.0, 1.2, 0.8]), np.array([3.0, -4.0, 5.0])
    axes = turn @ np.array([[-1, 0, 0], [0, 0, 1], [0, -1, 0]])
    affine = np.eye(4)
    affine[:3, :3] = axes * zooms
    affine[:3, 3] = centre - affine[:3, :3] @ (shape / 2)
    header = nib.MGHImage(np.zeros(shape, np.uint8), affine).header
    info = {"head": [2, 0, 20], "valid": "1  # volume info valid", "filename": "x", "volume": shape}
    info |= {"voxelsize": zooms, "cras": centre}
    info |= dict(zip(("xras", "yras", "zras"), axes.T, strict=True))
    vertices, faces = read_geometry(folder / "surf" / "lh.white")
    write_geometry(folder / "surf" / "lh.white", vertices, faces, "by a test", info)
    to_scanner = affine @ np.linalg.inv(header.get_vox2ras_tkr())
    np.testing.assert_allclose(
        recon.surface("lh.white").scanner_ras, nib.affines.apply_affine(to_scanner, vertices), atol=1e-4
    )


@pytest.mark.parametrize("valid", [None, "0  # volume info invalid"])
def test_a_surface_that_does_not_say_where_it_lies_is_read_and_refuses_scanner_ras(folder, recon, valid):
    path = folder / "surf" / "lh.white"
    vertices, faces, info = read_geometry(path, read_metadata=True)
    write_geometry(path, vertices, faces, "by a test", info | {"valid": valid} if valid else None)
    surface = recon.surface("lh.white")
    np.testing.assert_array_equal(surface.vertices, vertices)
    assert surface.affine is None
    for ask in (lambda: surface.c_ras, lambda: surface.scanner_ras):
        with pytest.raises(DataFormatError, match=r"lh\.white does not say where its volume lies in the scanner; take"):
            ask()


@pytest.mark.parametrize("name", ["lh.thickness", "rh.curv", "lh.sulc", "rh.area"])
def test_morphometry_is_one_value_for_each_vertex(recon, folder, name):
    values = recon.morphometry(name)
    assert (values.dims, values.dtype, values.name) == (("vertex",), np.float32, name)
    np.testing.assert_array_equal(values, read_morph_data(folder / "surf" / name))
    assert len(values) == len(recon.surface(f"{name[:2]}.white").vertices)
    assert values.attrs["license"] == "CC0-1.0"
    assert values.attrs["release"] == "1.1"


def test_an_annotation_is_the_region_of_each_vertex(recon, folder):
    codes, _, names = read_annot(folder / "label" / "lh.aparc.annot")
    regions = recon.annotation("lh.aparc.annot")
    assert regions.dims == ("vertex",)
    assert regions.values.tolist() == [names[code].decode() for code in codes]
    assert len(set(regions.values.tolist())) > 2


def test_a_vertex_of_no_region_and_one_of_an_unknown_colour_have_no_name(recon, folder):
    path = folder / "label" / "lh.aparc.annot"
    colours = np.array([[1, 2, 3, 0], [9, 8, 7, 0]])
    write_annot(path, np.array([0, -1, 1, 0]), colours, ["one", "two"])
    assert recon.annotation("lh.aparc.annot").values.tolist() == ["one", "", "two", "one"]
    stored = bytearray(path.read_bytes())
    stored[8:12] = (4242).to_bytes(4, "big")  # the colour of the first vertex
    path.write_bytes(stored)
    assert recon.annotation("lh.aparc.annot").values.tolist() == ["", "", "two", "one"]


def test_a_label_is_a_table_of_vertices(recon, folder):
    table = recon.label("lh.cortex.label")
    assert list(table.columns) == ["vertex", "x", "y", "z", "value"]
    np.testing.assert_array_equal(table["vertex"], read_label(folder / "label" / "lh.cortex.label"))
    white = recon.surface("lh.white").vertices[table["vertex"]]
    np.testing.assert_allclose(table[["x", "y", "z"]], white, atol=1e-3)


@pytest.mark.parametrize(("name", "dtype"), [("T1.mgz", "uint8"), ("brain.mgz", "uint8"), ("aparc+aseg.mgz", "int32")])
def test_a_volume_is_on_its_grid(recon, folder, name, dtype):
    image = nib.load(folder / "mri" / name)
    volume = recon.volume(name)
    assert (volume.dims, volume.dtype, volume.name) == (("i", "j", "k"), np.dtype(dtype), name)
    np.testing.assert_array_equal(volume, np.asanyarray(image.dataobj))
    np.testing.assert_allclose(np.reshape(volume.attrs["affine"], (4, 4)), image.affine)
    xr.DataArray(volume).to_dataset(name="volume").to_netcdf()


def test_arrays_are_native_and_may_be_changed(recon):
    for array in (recon.volume("aparc+aseg.mgz"), recon.morphometry("lh.area")):
        assert array.dtype.isnative
        array[:] = 0


def test_a_selection_of_files_is_all_that_a_handle_knows(folder):
    recon = laion_fmri.open_catalog().freesurfer(subject="03", file=["surf/lh.white", "mri/T1.mgz"]).read()
    assert recon.files() == ("surf/lh.white", "mri/T1.mgz")
    assert recon.path == folder
    assert len(recon.surface("lh.white").vertices) == 162
    with pytest.raises(UnknownNameError, match=r"has no surf/lh\.pial here; surf has lh\.white\. files\(\)"):
        recon.surface("lh.pial")


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda recon: recon.surface("lh.whit"), r"sub-03 has no surf/lh\.whit here; did you mean lh\.white\?"),
        (lambda recon: recon.morphometry("lh.thicknes"), r"surf/lh\.thicknes here; did you mean lh\.thickness\?"),
        (lambda recon: recon.annotation("lh.aparc"), r"label/lh\.aparc here; did you mean lh\.aparc\.annot\?"),
        (
            lambda recon: recon.label("cortex"),
            r"label/cortex here; did you mean lh\.cortex\.label or rh\.cortex\.label\?",
        ),
        (lambda recon: recon.volume("T1"), r"mri/T1 here; did you mean T1\.mgz\?"),
        (lambda recon: recon.volume("orig.mgz"), r"mri/orig\.mgz here; "),
        (lambda recon: recon.volume("../T1.mgz"), r"mri/\.\./T1\.mgz here"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_that_are_here(recon, ask, told):
    with pytest.raises(UnknownNameError, match=told):
        ask(recon)


def test_the_other_kind_of_surface_file_is_refused_with_the_right_method(recon):
    with pytest.raises(SelectionError, match=r"lh\.thickness is no surface.*use morphometry\(\)"):
        recon.surface("lh.thickness")
    with pytest.raises(SelectionError, match=r"lh\.white holds no values at vertices.*use surface\(\)"):
        recon.morphometry("lh.white")


READERS = {
    "surf/lh.white": ("surface", "a FreeSurfer surface"),
    "surf/lh.thickness": ("morphometry", "FreeSurfer values at vertices"),
    "label/lh.aparc.annot": ("annotation", "a FreeSurfer annotation"),
    "mri/aparc+aseg.mgz": ("volume", "a FreeSurfer volume"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("rest", [0, 2, 9, 14, 40, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_damaged(recon, folder, name, rest):
    path, (method, kind) = folder / name, READERS[name]
    whole = path.read_bytes()
    path.write_bytes(whole[: rest if isinstance(rest, int) else int(len(whole) * rest)])
    with pytest.raises(DataFormatError, match=f"{re.escape(str(path))} cannot be read as {kind}: .*download it again"):
        getattr(recon, method)(name)


@pytest.mark.parametrize("name", READERS)
def test_another_file_is_damaged(recon, folder, name):
    path, (method, kind) = folder / name, READERS[name]
    path.write_bytes(b"<html>Not found, and this is a long page that says so.</html>" * 20)
    with pytest.raises(DataFormatError, match=f"{re.escape(str(path))} cannot be read as {kind}"):
        getattr(recon, method)(name)


def test_a_face_of_a_vertex_that_is_not_there_is_damage(recon, folder):
    path = folder / "surf" / "lh.white"
    vertices, faces = read_geometry(path)
    write_geometry(path, vertices[:-1], faces, "by a test")
    with pytest.raises(DataFormatError, match="a face has a vertex that is not among its 161"):
        recon.surface("lh.white")


def test_a_series_of_volumes_is_no_volume(recon, folder):
    nib.save(nib.MGHImage(np.zeros((3, 3, 3, 2), np.float32), np.eye(4)), folder / "mri" / "T1.mgz")
    with pytest.raises(
        DataFormatError, match=r"T1\.mgz cannot be read as a FreeSurfer volume: it has shape \(3, 3, 3, 2\)"
    ):
        recon.volume("T1.mgz")


def test_damage_inside_a_compressed_volume_is_told(recon, folder):
    path = folder / "mri" / "brain.mgz"
    stored = bytearray(gzip.compress(gzip.decompress(path.read_bytes())))
    stored[len(stored) // 2] ^= 0xFF
    path.write_bytes(stored)
    with pytest.raises(DataFormatError, match=r"brain\.mgz cannot be read as a FreeSurfer volume"):
        recon.volume("brain.mgz")


def test_a_handle_pickles(recon):
    again = pickle.loads(pickle.dumps(recon))
    assert (again.path, again.files()) == (recon.path, recon.files())
    xr.testing.assert_identical(again.morphometry("lh.area"), recon.morphometry("lh.area"))


def test_reading_warns_of_nothing(recon):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for name in recon.files():
            if name.endswith((".white", ".pial")):
                recon.surface(name)
    assert told == []


def test_several_subjects_are_read_one_at_a_time(miniature, data_dir):
    shutil.copytree(miniature / "derivatives" / "freesurfer", data_dir / "derivatives" / "freesurfer")
    with pytest.raises(
        SelectionError, match="each reconstruction is a folder of its own; choose one of sub-01, sub-03"
    ):
        laion_fmri.open_catalog().freesurfer(subject=["01", "03"]).read()


def test_there_is_no_dask_form(folder):
    with pytest.raises(SelectionError, match=r"no dask form; read\(\) reads no file of it before it is asked for"):
        laion_fmri.open_catalog().freesurfer(subject="03").to_dask()


def test_a_folder_of_another_catalog_is_read_the_same_way(tmp_path):
    """Nothing in the loader knows where this dataset keeps its reconstructions."""
    spec = entry("recon", "fs/{file}", {"dims": []}, entities={"file": {"description": "File.", "kind": "path"}})
    (tmp_path / "fs" / "surf").mkdir(parents=True)
    write_geometry(tmp_path / "fs" / "surf" / "lh.mine", np.eye(3), np.array([[0, 1, 2]]), "by a test")
    recon = get_loader("recon").read(request(spec, tmp_path, [{"file": "surf/lh.mine"}]))
    assert recon.path == tmp_path / "fs"
    np.testing.assert_array_equal(recon.surface("lh.mine").vertices, np.eye(3))
