"""The reconstruction and the GLMsingle files of the miniature, judged by nibabel, h5py and geometry."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nibabel.freesurfer import read_annot, read_geometry, read_label, read_morph_data

from laion_fmri.download import download
from laion_fmri.sandbox import make_dataset
from laion_fmri.sandbox.mesh import areas, sphere

PEOPLE = ("sub-01", "sub-03")
SIDES = {"lh": "L", "rh": "R"}
COUNTS = {"lh": 162, "rh": 158}
MESHES = ("white", "pial", "inflated", "sphere", "sphere.reg")
ANATOMY = "derivatives/anatomical/{0}/ses-PrismaAnat/anat/{0}_ses-PrismaAnat_space-T1w_"
SESSION = "derivatives/glmsingle-tedana/sub-03/ses-01/func/sub-03_ses-01_task-images_space-T1w_"


def recon_of(folder: Path, subject: str) -> Path:
    return folder / "derivatives" / "freesurfer" / subject


def edges(faces: np.ndarray) -> Counter:
    return Counter((int(a), int(b)) for face in faces for a, b in pairwise([*face, face[0]]))


@pytest.mark.parametrize("subject", PEOPLE)
@pytest.mark.parametrize("side", SIDES)
def test_surfaces_are_closed_meshes_of_as_many_vertices_as_surface_rois(miniature, subject, side):
    meshes = [read_geometry(recon_of(miniature, subject) / "surf" / f"{side}.{mesh}") for mesh in MESHES]
    rois = (miniature / "derivatives" / "rois" / subject).rglob(f"*_hemi-{SIDES[side]}_*.func.gii")
    assert {len(nib.load(path).agg_data()) for path in rois} == {COUNTS[side]}
    for vertices, faces in meshes:
        assert vertices.shape == (COUNTS[side], 3)
        np.testing.assert_array_equal(faces, meshes[0][1])
    found = edges(meshes[0][1])
    assert set(found.values()) == {1}  # each edge is in two faces, which run along it in opposite directions
    assert {(b, a) for a, b in found} == set(found)
    assert COUNTS[side] - len(found) // 2 + len(meshes[0][1]) == 2


@pytest.mark.parametrize("side", SIDES)
def test_faces_look_outwards_and_spheres_are_round(miniature, side):
    surf = recon_of(miniature, "sub-03") / "surf"
    for mesh in MESHES:
        vertices, faces = read_geometry(surf / f"{side}.{mesh}")
        one, two, three = (vertices[faces[:, corner]] for corner in range(3))
        assert np.einsum("ij,ij->", np.cross(one, two), three) > 0, mesh  # six times the volume inside
        if mesh.startswith("sphere"):
            np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 100, rtol=1e-5)
    turned, sphere_itself = (read_geometry(surf / f"{side}.{mesh}")[0] for mesh in ("sphere.reg", "sphere"))
    assert 1 < np.linalg.norm(turned - sphere_itself, axis=1).max() < 10


@pytest.mark.parametrize("subject", PEOPLE)
@pytest.mark.parametrize("side", SIDES)
def test_morphometry_is_that_of_the_meshes(miniature, subject, side):
    surf = recon_of(miniature, subject) / "surf"
    white, pial = (read_geometry(surf / f"{side}.{mesh}") for mesh in ("white", "pial"))
    thickness, area = (read_morph_data(surf / f"{side}.{name}") for name in ("thickness", "area"))
    np.testing.assert_allclose(thickness, np.linalg.norm(pial[0] - white[0], axis=1), atol=1e-3)
    assert 0.5 < thickness.min() < thickness.max() < 4
    np.testing.assert_allclose(area, areas(*white), rtol=1e-4)
    for name in ("curv", "sulc"):
        assert np.ptp(read_morph_data(surf / f"{side}.{name}")) > 0.1


@pytest.mark.parametrize("subject", PEOPLE)
def test_hemispheres_lie_in_the_brain_of_the_betas_left_and_right(miniature, subject):
    mask = nib.load(miniature / f"{ANATOMY.format(subject)}res-1pt8_desc-brain_mask.nii.gz")
    for side, sign in (("lh", -1), ("rh", 1)):
        for mesh in ("white", "pial"):
            path = recon_of(miniature, subject) / "surf" / f"{side}.{mesh}"
            vertices, _, info = read_geometry(path, read_metadata=True)
            assert ((vertices[:, 0] * sign) > 0).mean() > 0.9
            voxels = np.rint(apply_affine(np.linalg.inv(mask.affine), vertices + info["cras"])).astype(int)
            assert np.asarray(mask.dataobj)[tuple(voxels.T)].mean() > 0.95


@pytest.mark.parametrize("subject", PEOPLE)
def test_volumes_are_conformed_and_show_the_brain_of_the_anatomy(miniature, subject):
    mri = recon_of(miniature, subject) / "mri"
    images = {name: nib.load(mri / f"{name}.mgz") for name in ("T1", "brain", "aparc+aseg")}
    for image in images.values():
        assert nib.aff2axcodes(image.affine) == ("L", "I", "A")
        np.testing.assert_allclose(image.header.get_zooms(), 1)
    white = recon_of(miniature, subject) / "surf" / "lh.white"
    _, _, info = read_geometry(white, read_metadata=True)
    np.testing.assert_allclose(info["cras"], images["T1"].header["Pxyz_c"])
    np.testing.assert_array_equal(info["volume"], images["T1"].shape)
    anatomy = nib.load(miniature / f"{ANATOMY.format(subject)}desc-brain_mask.nii.gz")
    inside = np.asarray(images["brain"].dataobj) > 0
    places = apply_affine(np.linalg.inv(anatomy.affine) @ images["brain"].affine, np.argwhere(inside))
    clipped = np.clip(np.rint(places).astype(int), 0, np.array(anatomy.shape) - 1)
    assert np.asarray(anatomy.dataobj)[tuple(clipped.T)].mean() > 0.95
    assert np.asarray(images["T1"].dataobj)[inside].min() >= 100
    codes = set(np.unique(np.asarray(images["aparc+aseg"].dataobj)).tolist())
    assert codes == {0, 2, 41, 1007, 1011, 1028, 2007, 2011, 2028}


@pytest.mark.parametrize("side", SIDES)
def test_annotation_and_label_agree_on_the_wall_between_the_hemispheres(miniature, side):
    label = recon_of(miniature, "sub-03") / "label"
    codes, _, names = read_annot(label / f"{side}.aparc.annot")
    assert [name.decode() for name in names] == ["unknown", "lateraloccipital", "fusiform", "superiorfrontal"]
    assert set(codes.tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(np.flatnonzero(codes), read_label(label / f"{side}.cortex.label"))
    white, _ = read_geometry(recon_of(miniature, "sub-03") / "surf" / f"{side}.white")
    assert abs(white[codes == 0, 0]).max() < abs(white[codes != 0, 0]).mean()


@pytest.mark.parametrize("subject", PEOPLE)
def test_both_transforms_hold_one_affine_of_twelve_parameters(miniature, subject):
    folder = recon_of(miniature, subject) / "mri" / "transforms"
    lines = (folder / "talairach.lta").read_text(encoding="utf-8").splitlines()
    start = lines.index("1 4 4") + 1
    affine = np.array([line.split() for line in lines[start : start + 4]], float)
    xfm = (folder / "talairach.xfm").read_text(encoding="utf-8").rstrip(";\n").splitlines()
    np.testing.assert_array_equal(np.array([line.split() for line in xfm[-3:]], float), affine[:3])
    assert affine[3].tolist() == [0, 0, 0, 1]
    turned = affine[:3, :3].T @ affine[:3, :3]
    assert np.ptp(np.diag(turned)) > 0.01  # no rigid body
    assert np.linalg.det(affine[:3, :3]) > 0.5
    assert {"src volume info", "dst volume info"} <= set(lines)


def test_subjects_differ_and_the_same_arguments_give_the_same_bytes(tmp_path):
    small = {"subjects": ["03", "05"], "sessions": ["04"], "trials": 12, "grid": (11, 13, 12)}
    for name in ("a", "b"):
        make_dataset(tmp_path / name, **small)
    one, again = (recon_of(tmp_path / name, "sub-03") for name in ("a", "b"))
    names = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
    other = recon_of(tmp_path / "a", "sub-05")
    assert len(names) == 27
    for name in names:
        assert (one / name).read_bytes() == (again / name).read_bytes(), name
    differing = [name for name in names if (one / name).read_bytes() != (other / name).read_bytes()]
    assert {"lh.white", "rh.thickness", "T1.mgz", "talairach.lta"} <= {name.name for name in differing}


@pytest.mark.parametrize("count", [11, 22, 34, 158, 162, 642])
def test_spheres_of_many_sizes_are_closed(count):
    vertices, faces = sphere(count)
    assert vertices.shape == (count, 3)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1)
    found = edges(faces)
    assert {(b, a) for a, b in found} == set(found)
    assert areas(vertices, faces).sum() == pytest.approx(4 * np.pi, rel=0.7)


def test_the_model_of_a_session_holds_its_betas_voxel_by_voxel(miniature):
    betas = np.asarray(nib.load(miniature / f"{SESSION}stat-effect_desc-SingletrialBetas_statmap.nii.gz").dataobj)
    with h5py.File(miniature / f"{SESSION}desc-GLMsingle_model.h5") as file:
        assert file["betasmd"].dtype == np.float32
        np.testing.assert_array_equal(file["betasmd"][()], betas.reshape(-1, betas.shape[-1]))
        assert file["pcnum"][()] == 3
        assert file["glmversion"].asstr()[()] == "made up"
        assert {len(file[name]) for name in ("meanvol", "FRACvalue")} == {betas[..., 0].size}
    sidecar = miniature / f"{SESSION}desc-GLMsingle_model.json"
    assert json.loads(sidecar.read_text(encoding="utf-8"))["Description"]


def test_python_downloads_the_reconstruction_by_its_flag(server, data_dir, miniature):
    report = download("sub-03", ses="averages", include_freesurfer=True)
    recon = recon_of(miniature, "sub-03")
    keys = {path.relative_to(miniature).as_posix() for path in recon.rglob("*") if path.is_file()}
    assert len(keys) == 27
    assert {key for key in report.downloaded if "/freesurfer/" in key} == keys
    assert all((data_dir / key).read_bytes() == (miniature / key).read_bytes() for key in keys)
    again = download("sub-03", ses="averages", include_freesurfer=True)
    assert again.downloaded == ()
    assert keys <= set(again.skipped)


def test_the_reconstruction_obeys_no_filter_and_saves_a_request_that_matches_nothing_else(server, data_dir):
    report = download(
        "sub-03",
        task="images",
        desc="GLMsingle",
        stat="effect",
        extension="label",
        suffix="mask",
        include_freesurfer=True,
    )
    assert sum("/freesurfer/" in key for key in report.downloaded) == 27


def test_the_command_line_plans_and_downloads_the_reconstruction(server, data_dir, capsys):
    from laion_fmri.cli import main

    words = ["download", "--subject", "sub-03", "--ses", "averages", "--include-freesurfer"]
    assert main([*words, "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    planned = [file for file in plan["files"] if file["tree"] == "freesurfer"]
    assert len(planned) == 27
    assert {file["action"] for file in planned} == {"download"}
    assert not list(data_dir.rglob("lh.*"))
    assert main([*words, "--dry-run"]) == 0
    assert "freesurfer" in capsys.readouterr().out
    assert main(words) == 0
    assert all((data_dir / file["path"]).stat().st_size == file["size"] for file in planned)
    capsys.readouterr()
    assert main(["ls", "freesurfer", "--subject", "03"]) == 0
    assert "27 of 27 files here" in capsys.readouterr().out
    assert main(["ls", "freesurfer", "--subject", "03", "--file", "surf/lh.white", "surf/lh.whit"]) == 0
    shown = capsys.readouterr().out
    assert "not here" in shown
    assert "1 of 2 files here" in shown
