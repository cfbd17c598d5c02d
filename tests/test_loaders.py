"""Loaders: small files in, labelled objects out, compared with plain nibabel, NumPy and pandas."""

from __future__ import annotations

import gzip
import re
import tracemalloc
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cloudpickle
import dask.array
import nibabel
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.models import Column, FileSpec
from laion_fmri.catalog.templates import fields, fill, parse
from laion_fmri.errors import CatalogError, DataFormatError, DataNotDownloadedError, SelectionError
from laion_fmri.loaders import LocalFile, Request, get_loader, streams
from laion_fmri.loaders.delimited import read_table

GRID = (5, 4, 3)
AFFINE = np.array([[-2.0, 0.1, 0, 40], [0.1, 1.8, 0.2, -60], [0, -0.2, 1.9, -20], [0, 0, 0, 1]])
LABELS = [
    "shared_12rep_LAION_cluster_1_i0.jpg",
    "unique_THINGS_nan_p04.jpg",
    "shared_4rep_OOD_cropped_a b.png",
    "unique_THINGS+_d_p04.jpg",
    "unique_THINGS_nan_p04.jpg",
    "unique_LAION_new_cluster_1_i0_p04.jpg",
]
CODES = {"01": "p01", "03": "p04", "05": "p03"}


class Folder:
    """A data directory that tests write into, and requests on it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, artifact: str, **values: str) -> Path:
        spec = load_catalog().artifact(artifact)
        full = {name: entity.default for name, entity in spec.entities.items() if entity.default not in (None, ALL)}
        template = next(path for path in spec.path if set(fields(path)) == {*values, *full})
        path = self.root / fill(template, full | values)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def nifti(self, artifact: str, data: np.ndarray, affine: np.ndarray = AFFINE, **values: str) -> Path:
        path = self.path(artifact, **values)
        nibabel.save(nibabel.Nifti1Image(data, affine), path)
        return path

    def find_in(self, spec: FileSpec, values: Mapping[str, str]) -> tuple[LocalFile, ...]:
        closed = {name: one.default for name, one in spec.entities.items() if one.default not in (None, ALL)}
        found = []
        for path in sorted(self.root.rglob("*.*")):
            for template in spec.path:
                bound = parse(template, spec.entities, path.relative_to(self.root).as_posix())
                if bound is not None and (closed | dict(values)).items() <= bound.items():
                    found.append(LocalFile(path, bound))
        if not found:
            raise DataNotDownloadedError(f"{spec.path[0]} of {values} is not here")
        return tuple(found)

    def request(self, artifact: str, choices: Sequence[Mapping[str, str]], **options: object) -> Request:
        spec = load_catalog().artifact(artifact)
        files = tuple(file for values in choices for file in self.find_in(spec, values))
        given = {name: options.pop(name, option.default) for name, option in spec.options.items()}
        assert not options
        return Request(spec, files, given, lambda join, values: self.find_in(spec.joins[join], values))

    def read(self, artifact: str, *choices: Mapping[str, str], **options: object) -> xr.DataArray:
        """Read both ways; they must agree."""
        request = self.request(artifact, choices, **options)
        loader = get_loader(request.artifact.loader)
        eager, lazy = loader.read(request), loader.to_dask(request)
        assert isinstance(lazy.data, dask.array.Array)
        xr.testing.assert_identical(eager, lazy.compute(scheduler="synchronous"))
        return eager

    def table(self, artifact: str, *choices: Mapping[str, str]) -> pd.DataFrame:
        return get_loader("table").read(self.request(artifact, choices))

    def trials(self, labels: Sequence[str] = LABELS, session: str | None = None, **values: str) -> Path:
        count = len(labels)
        code = CODES[values["subject"]]
        table = pd.DataFrame(
            {
                "session": [session or f"ses-{values['ses']}"] * count,
                "run": [1 + index // 3 for index in range(count)],
                "beta_index": range(count),
                "label": [label.replace("_p04.", f"_{code}.") for label in labels],
            }
        )
        path = self.path("trials", **values)
        table.to_csv(path, sep="\t", index=False)
        return path

    def subject(self, subject: str, sessions: Sequence[str] = ("01",), seed: int = 0) -> np.ndarray:
        """Write the mask, ROIs, maps and betas of a subject; return the mask."""
        random = np.random.default_rng([int(subject), seed])
        mask = random.random(GRID) < 0.6
        self.nifti("brain_mask", mask.astype(np.uint8), subject=subject)
        self.nifti("r2", np.where(random.random(GRID) < 0.5, 0.5, 0).astype(np.float32), subject=subject)
        for category, label in [("face", "FFA1"), ("face", "OFA"), ("retinotopy", "V1v")]:
            roi = random.random(GRID) < 0.4
            self.nifti("rois", roi.astype(np.uint8), subject=subject, category=category, label=label)
        for session in sessions:
            ceiling = (100 * random.random(GRID)).astype(np.float32)
            ceiling[random.random(GRID) < 0.1] = np.nan
            self.nifti("noise_ceiling", ceiling, subject=subject, ses=session)
            betas = random.standard_normal((*GRID, len(LABELS))).astype(np.float32)
            self.nifti("betas", betas, subject=subject, ses=session)
            self.trials(subject=subject, ses=session)
        return mask


def volume(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def reference(path: Path, mask: np.ndarray) -> np.ndarray:
    """Return (trial, voxel) the plain way: the whole array, then the mask, which NumPy reads in C order."""
    return volume(path)[mask].T.astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def one(folder: Folder) -> Folder:
    folder.subject("03")
    return folder


ONE = {"subject": "03", "ses": "01"}


def bold(one: Folder) -> Path:
    return one.path("betas", **ONE)


def brain(one: Folder, subject: str = "03") -> np.ndarray:
    return volume(one.path("brain_mask", subject=subject)) != 0


def roi(one: Folder, category: str, label: str) -> np.ndarray:
    return volume(one.path("rois", subject="03", category=category, label=label)) != 0


# --- the registry


def test_an_unknown_loader_is_refused_with_the_nearest_name():
    with pytest.raises(CatalogError, match=r"voxel_serie.*did you mean `voxel_series`"):
        get_loader("voxel_serie")


def test_a_loader_names_the_joins_that_its_options_take():
    spec = load_catalog().artifact("betas")
    plain = {"mask_source": "anatomical", "roi": None, "stimuli": "shared", "nc_threshold": None}
    needs = get_loader(spec.loader).needs
    assert needs(spec, plain) == ("trials", "brain_mask")
    every = {**plain, "mask_source": "rsquare", "roi": ("V1v",), "nc_threshold": 0.0, "nc": "session"}
    assert needs(spec, every) == ("trials", "r2", "rois", "noise_ceiling")
    assert needs(spec, {**every, "nc": "Noiseceiling4rep"}) == ("trials", "r2", "rois", "subject_noise_ceiling")
    ceilings = {**plain, "noise_ceilings": True}
    assert needs(spec, ceilings) == ("trials", "brain_mask", "noise_ceiling", "subject_noise_ceiling")
    assert needs(spec, {**ceilings, "average": "image"}) == ("trials", "brain_mask", "subject_noise_ceiling")
    ceiling = load_catalog().artifact("noise_ceiling")
    assert get_loader("voxel_map").needs(ceiling, {"mask_source": "rsquare", "roi": None}) == ("r2",)
    assert get_loader("table").needs(load_catalog().artifact("trials"), {}) == ()
    assert get_loader("volume").needs(load_catalog().artifact("brain_mask"), {}) == ()


# --- betas: values


def test_betas_come_in_the_c_order_of_the_mask_with_their_labels(one: Folder):
    betas = one.read("betas", ONE)
    mask = brain(one)
    assert betas.dims == ("trial", "voxel")
    assert betas.dtype == np.float32
    np.testing.assert_array_equal(betas, reference(bold(one), mask))
    ijk = np.argwhere(mask)
    np.testing.assert_array_equal(np.stack([betas.i, betas.j, betas.k], axis=1), ijk)
    xyz = nibabel.affines.apply_affine(AFFINE, ijk)
    np.testing.assert_allclose(np.stack([betas.x, betas.y, betas.z], axis=1), xyz, atol=1e-4)
    assert betas.label.values.tolist() == LABELS
    assert betas.run.values.tolist() == [1, 1, 1, 2, 2, 2]
    assert set(betas.session.values) == {"ses-01"}
    assert set(betas.subject.values) == {"03"} == set(betas.voxel_subject.values)


@pytest.mark.parametrize("image", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_every_form_of_nifti_reads_as_nibabel_reads_it(one: Folder, image: type, order: str, plain: bool, scaled: bool):
    stored = np.random.default_rng(1).integers(-300, 300, (*GRID, len(LABELS))).astype(order + "i2")
    header = image.header_class(endianness=order)
    header.set_data_dtype(stored.dtype)
    file = image(stored, AFFINE, header)
    if scaled:
        file.header.set_slope_inter(0.25, -3)
    path = bold(one)
    request = one.request("betas", [ONE])
    if plain:
        path.unlink()
        path = path.with_suffix("")
        request = Request(request.artifact, (LocalFile(path, ONE),), request.options, request.find)
    file.to_filename(path)
    if scaled:
        assert (nibabel.load(path).dataobj.slope, nibabel.load(path).dataobj.inter) == (0.25, -3)
    loader = get_loader("voxel_series")
    expected = reference(path, brain(one))
    assert expected.std() > 40
    np.testing.assert_array_equal(loader.read(request), expected)
    np.testing.assert_array_equal(loader.to_dask(request), expected)


def test_nan_is_kept_and_is_not_brain_in_a_mask(one: Folder):
    data = volume(bold(one))
    data[..., 2] = np.nan
    one.nifti("betas", data, **ONE)
    r2 = np.full(GRID, 0.3, np.float32)
    r2[0] = np.nan
    r2[:, 0] = 0
    r2[1, 1, 1] = -0.1
    one.nifti("r2", r2, subject="03")
    betas = one.read("betas", ONE, mask_source="rsquare")
    mask = np.ones(GRID, bool)
    mask[0] = mask[:, 0] = False
    np.testing.assert_array_equal(betas, reference(bold(one), mask))
    assert np.isnan(betas[2]).all()
    assert not np.isnan(betas[[0, 1, 3, 4, 5]]).any()


# --- betas: voxels


@pytest.mark.parametrize("query", ["FFA1", "FFA-1", ["FFA1"], ("FFA1", "FFA1")])
def test_an_roi_keeps_its_voxels_inside_the_brain(one: Folder, query: object):
    ffa = roi(one, "face", "FFA1")
    mask = brain(one)
    assert (ffa & ~mask).any()
    np.testing.assert_array_equal(one.read("betas", ONE, roi=query), reference(bold(one), mask & ffa))


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("face", ["FFA1", "OFA"]),
        (["V1v", "FFA1"], ["FFA1", "V1v"]),
        (["face", "OFA"], ["FFA1", "OFA"]),
        ("all", ["FFA1", "OFA", "V1v"]),
    ],
)
def test_a_query_of_several_rois_is_their_union(one: Folder, query: object, labels: list[str]):
    of = {"FFA1": "face", "OFA": "face", "V1v": "retinotopy"}
    union = np.logical_or.reduce([roi(one, of[label], label) for label in labels])
    np.testing.assert_array_equal(one.read("betas", ONE, roi=query), reference(bold(one), brain(one) & union))


def test_an_unknown_roi_is_refused_with_the_nearest_and_all_names(one: Folder):
    with pytest.raises(
        SelectionError, match=r"'V1d'.*subject 03.*did you mean V1 or V1v.*face, FFA1, highventral, OFA, retinotopy"
    ):
        one.read("betas", ONE, roi=["FFA1", "V1d"])


def test_an_roi_without_a_voxel_in_the_brain_is_refused(one: Folder):
    one.nifti("rois", (~brain(one)).astype(np.uint8), subject="03", category="body", label="EBA")
    with pytest.raises(SelectionError, match=r"'EBA'.*none of its voxels.*subject 03"):
        one.read("betas", ONE, roi="EBA")


def test_the_noise_ceiling_must_be_reached_in_every_selected_session(folder: Folder):
    mask = folder.subject("03", ["01", "02"])
    ceilings = [volume(folder.path("noise_ceiling", subject="03", ses=ses)) for ses in ("01", "02")]
    with np.errstate(invalid="ignore"):
        first, both = ceilings[0] >= 30, (ceilings[0] >= 30) & (ceilings[1] >= 30)
    assert (mask & first).sum() > (mask & both).sum() > 0
    path = folder.path("betas", **ONE)
    one = folder.read("betas", ONE, nc_threshold=30)
    np.testing.assert_array_equal(one, reference(path, mask & first))
    two = folder.read("betas", ONE, {"subject": "03", "ses": "02"}, nc_threshold=30)
    np.testing.assert_array_equal(two[: len(LABELS)], reference(path, mask & both))


def test_a_noise_ceiling_of_nan_reaches_no_threshold(one: Folder):
    ceiling = volume(one.path("noise_ceiling", **ONE))
    assert np.isnan(ceiling[brain(one)]).any()
    kept = one.read("betas", ONE, nc_threshold=0)
    np.testing.assert_array_equal(kept, reference(bold(one), brain(one) & ~np.isnan(ceiling)))


def test_a_threshold_includes_the_value_itself(one: Folder):
    ceiling = np.full(GRID, 20, np.float32)
    ceiling[0] = 19.5
    one.nifti("noise_ceiling", ceiling, **ONE)
    assert set(one.read("betas", ONE, nc_threshold=20).i.values) == {1, 2, 3, 4}


# --- betas: trials


@pytest.mark.parametrize(("stimuli", "rows"), [("shared", [0, 2]), ("unique", [1, 3, 4, 5])])
def test_stimuli_keep_the_trials_of_their_images(one: Folder, stimuli: str, rows: list[int]):
    betas = one.read("betas", ONE, stimuli=stimuli)
    np.testing.assert_array_equal(betas, reference(bold(one), brain(one))[rows])
    assert betas.beta_index.values.tolist() == rows


def test_stimuli_that_no_trial_shows_leave_no_trial(one: Folder):
    one.trials(["unique_THINGS_a_p04.jpg"] * len(LABELS), **ONE)
    assert one.read("betas", ONE, stimuli="shared").shape == (0, brain(one).sum())


def test_columns_that_the_catalog_does_not_know_become_coordinates(one: Folder):
    table = pd.read_csv(one.path("trials", **ONE), sep="\t", keep_default_na=False).assign(note="007")
    table.to_csv(one.path("trials", **ONE), sep="\t", index=False)
    assert set(one.read("betas", ONE).note.values) == {"007"}


def test_a_trial_column_named_like_a_coordinate_of_voxels_is_refused(one: Folder):
    table = pd.read_csv(one.path("trials", **ONE), sep="\t").assign(x=1)
    table.to_csv(one.path("trials", **ONE), sep="\t", index=False)
    with pytest.raises(DataFormatError, match="column x"):
        one.read("betas", ONE)


@pytest.mark.parametrize(
    ("count", "message"), [(5, "5 rows for 6 volumes, volume 5 has no row"), (7, "row 6 has no volume")]
)
def test_a_trial_table_of_another_length_is_refused(one: Folder, count: int, message: str):
    table = one.trials([f"unique_THINGS_{n}_p04.jpg" for n in range(count)], **ONE)
    with pytest.raises(DataFormatError, match=message) as error:
        one.read("betas", ONE)
    assert str(table) in str(error.value)
    assert str(bold(one)) in str(error.value)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("session", ["ses-01"] * 4 + ["ses-02"] * 2, "column session, row 4 is ses-02, not ses-01"),
        ("session", ["01"] * 6, "column session, row 0 is 01, not ses-01"),
    ],
)
def test_a_trial_table_of_another_session_is_refused(one: Folder, column: str, values: list, message: str):
    path = one.path("trials", **ONE)
    table = pd.read_csv(path, sep="\t", keep_default_na=False)
    table[column] = values
    table.to_csv(path, sep="\t", index=False)
    with pytest.raises(DataFormatError, match=message) as error:
        one.read("betas", ONE)
    assert str(path) in str(error.value)
    assert str(bold(one)) in str(error.value)


# --- betas: several files


def test_sessions_of_one_subject_follow_each_other_on_one_voxel_axis(folder: Folder):
    mask = folder.subject("03", ["01", "02", "03"])
    choices = [{"subject": "03", "ses": ses} for ses in ("03", "01")]
    betas = folder.read("betas", *choices)
    expected = [reference(folder.path("betas", **choice), mask) for choice in choices]
    np.testing.assert_array_equal(betas, np.concatenate(expected))
    assert betas.session.values.tolist() == ["ses-03"] * 6 + ["ses-01"] * 6
    assert betas.beta_index.values.tolist() == [*range(6), *range(6)]


def test_trials_of_one_subject_are_nan_in_voxels_of_another(folder: Folder):
    masks = {subject: folder.subject(subject, ["01"]) for subject in ("03", "05")}
    choices = [{"subject": subject, "ses": "01"} for subject in masks]
    betas = folder.read("betas", *choices, stimuli="unique")
    assert betas.shape == (8, sum(mask.sum() for mask in masks.values()))
    for subject, mask in masks.items():
        rows, columns = betas.subject == subject, betas.voxel_subject == subject
        own = reference(folder.path("betas", subject=subject, ses="01"), mask)[[1, 3, 4, 5]]
        np.testing.assert_array_equal(betas[rows, columns], own)
        assert np.isnan(betas[rows, ~columns]).all()
    lazy = get_loader("voxel_series").to_dask(folder.request("betas", choices))
    assert lazy.chunks == ((6, 6), tuple(mask.sum() for mask in masks.values()))


def test_dask_has_one_chunk_for_each_file_and_reads_only_headers_before_it_is_computed(folder: Folder):
    mask = folder.subject("03", ["01", "02"])
    choices = [{"subject": "03", "ses": ses} for ses in ("01", "02")]
    expected = folder.read("betas", *choices)
    for choice in choices:
        path = folder.path("betas", **choice)
        path.rename(path.with_suffix(".whole"))
        header = gzip.decompress(path.with_suffix(".whole").read_bytes())[:352]
        path.write_bytes(gzip.compress(header))
    lazy = get_loader("voxel_series").to_dask(folder.request("betas", choices))
    assert lazy.chunks == ((6, 6), (mask.sum(),))
    for choice in choices:
        path = folder.path("betas", **choice)
        path.with_suffix(".whole").rename(path)
    xr.testing.assert_identical(cloudpickle.loads(cloudpickle.dumps(lazy)).compute(), expected)
    np.testing.assert_array_equal(lazy[7, :3].compute(), expected[7, :3])


# --- damaged and contradicting files


def test_a_truncated_stream_is_refused_naming_file_and_volume(one: Folder):
    raw = gzip.decompress(bold(one).read_bytes())
    stop = 352 + 4 * np.prod(GRID) * 4 + 10
    bold(one).write_bytes(gzip.compress(raw[:stop]))
    with pytest.raises(
        DataFormatError,
        match=rf"{re.escape(str(bold(one)))} is damaged in volume 4 of 0 to 5: its data end at byte {stop}",
    ):
        one.read("betas", ONE)


def test_a_cut_compressed_file_is_refused_naming_the_volume(one: Folder):
    raw = gzip.decompress(bold(one).read_bytes())
    bold(one).write_bytes(gzip.compress(raw, compresslevel=0)[: 352 + 4 * np.prod(GRID) * 4 + 100])
    with pytest.raises(
        DataFormatError, match="damaged in volume 4 of 0 to 5: the file ends at byte 1412, before its compressed"
    ):
        one.read("betas", ONE)


def test_a_flipped_bit_is_refused_by_the_checksum(one: Folder):
    raw = gzip.decompress(bold(one).read_bytes())
    packed = bytearray(gzip.compress(raw, compresslevel=0))
    packed[-200] ^= 1
    bold(one).write_bytes(packed)
    with pytest.raises(
        DataFormatError, match="damaged in volume 5 of 0 to 5: incorrect data check at byte 1810 of the file"
    ):
        one.read("betas", ONE)


def test_a_stream_that_does_not_inflate_is_refused_naming_the_volume(one: Folder):
    one.trials(["unique_THINGS_a_p04.jpg"] * 100, **ONE)
    one.nifti("betas", np.random.default_rng(0).standard_normal((*GRID, 100)), **ONE)
    raw = gzip.decompress(bold(one).read_bytes())
    deflate = zlib.compressobj(wbits=31)
    whole = deflate.compress(raw[: 352 + 91 * np.prod(GRID) * 8 - 1]) + deflate.flush(zlib.Z_FULL_FLUSH)
    bold(one).write_bytes(whole + b"\x07" * 500)
    message = f"damaged in volume 90 of 0 to 99: invalid block type at byte {len(whole)} of the file"
    with pytest.raises(DataFormatError, match=message):
        one.read("betas", ONE)


def test_damage_that_inflates_is_refused(one: Folder):
    packed = bytearray(bold(one).read_bytes())
    packed[len(packed) * 3 // 4 :] = bytes(len(packed) // 4)
    bold(one).write_bytes(packed)
    with pytest.raises(DataFormatError, match=r"damaged in volume \d of 0 to 5"):
        one.read("betas", ONE)


def test_a_truncated_plain_file_is_refused_naming_the_volume(one: Folder):
    request = one.request("betas", [ONE])
    plain = bold(one).with_suffix("")
    raw = gzip.decompress(bold(one).read_bytes())
    plain.write_bytes(raw[: 352 + 3 * np.prod(GRID) * 4 - 1])
    request = Request(request.artifact, (LocalFile(plain, ONE),), request.options, request.find)
    with pytest.raises(DataFormatError, match="damaged in volume 2 of 0 to 5: the file ends at byte 1071"):
        get_loader("voxel_series").read(request)


def test_damage_after_the_last_wanted_trial_is_found(one: Folder):
    one.trials(["shared_4rep_NSD_special100_1.jpg", *["unique_THINGS_a_p04.jpg"] * 5], **ONE)
    raw = gzip.decompress(bold(one).read_bytes())
    bold(one).write_bytes(gzip.compress(raw[: 352 + 3 * np.prod(GRID) * 4]))
    for stimuli in ("shared", "unique"):
        with pytest.raises(DataFormatError, match="volume 3"):
            one.read("betas", ONE, stimuli=stimuli)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"no NIfTI" * 100, mtime=0)])
def test_a_file_that_is_no_nifti_is_refused(one: Folder, content: bytes):
    bold(one).write_bytes(content)
    with pytest.raises(DataFormatError, match=r"cannot be read as NIfTI.*download it again"):
        one.read("betas", ONE)


def test_numbers_that_are_not_real_are_refused(one: Folder):
    one.nifti("betas", np.ones((*GRID, 6), np.complex64), **ONE)
    with pytest.raises(DataFormatError, match="complex64"):
        one.read("betas", ONE)


SHIFTED = AFFINE.copy()
SHIFTED[0, 3] += 0.5
OTHER_GRIDS = [((4, 5, 3), AFFINE, "4 x 5 x 3"), (GRID, SHIFTED, "40.5")]


@pytest.mark.parametrize(("grid", "affine", "shown"), OTHER_GRIDS)
@pytest.mark.parametrize("artifact", ["betas", "rois", "noise_ceiling"])
def test_files_of_another_grid_than_the_mask_are_refused_naming_both(
    one: Folder, artifact: str, grid: tuple, affine: np.ndarray, shown: str
):
    values = {"subject": "03", "category": "face", "label": "OFA"} if artifact == "rois" else ONE
    shape = (*grid, 6) if artifact == "betas" else grid
    path = one.nifti(artifact, np.ones(shape, np.float32), affine, **values)
    with pytest.raises(DataFormatError, match="different grids") as error:
        one.read("betas", ONE, roi="face", nc_threshold=1)
    for text in (str(path), str(one.path("brain_mask", subject="03")), shown, "5 x 4 x 3"):
        assert text in str(error.value)


def test_grids_that_differ_by_rounding_are_one(one: Folder):
    data = volume(bold(one))
    one.nifti("betas", data, AFFINE + 1e-4 * np.eye(4, k=3), **ONE)
    assert one.read("betas", ONE).shape == (6, brain(one).sum())


def test_a_map_of_several_volumes_is_refused(one: Folder):
    one.nifti("noise_ceiling", np.ones((*GRID, 2), np.float32), **ONE)
    with pytest.raises(DataFormatError, match="holds 2 volumes where one is expected"):
        one.read("noise_ceiling", ONE)


# --- memory, attributes, files of one's own


@pytest.mark.parametrize("options", [{}, {"zscore": "session"}, {"zscore": "session", "nan": "drop"}, {"nan": "zero"}])
def test_reading_an_roi_holds_few_volumes_in_memory(folder: Folder, options: dict):
    grid, count = (40, 40, 40), 120
    random = np.random.default_rng(0)
    brain_mask = random.random(grid) < 0.05
    folder.nifti("brain_mask", brain_mask.astype(np.uint8), subject="03")
    folder.nifti("rois", brain_mask.astype(np.uint8), subject="03", category="face", label="OFA")
    data = random.standard_normal((*grid, count)).astype(np.float32)
    folder.nifti("betas", data, **ONE)
    folder.trials([f"unique_THINGS_{n}_p04.jpg" for n in range(count)], **ONE)
    request = folder.request("betas", [ONE], roi="OFA", **options)
    get_loader("voxel_series").read(request)
    tracemalloc.start()
    answer = get_loader("voxel_series").read(request)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    expected = data[brain_mask].T
    if "zscore" in options:
        expected = (expected - expected.mean(0)) / expected.std(0)
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    assert peak < answer.nbytes + 3 * data[..., 0].nbytes + 2_000_000 < data.nbytes / 4


def test_each_roi_and_the_brain_mask_are_decoded_once(one: Folder, monkeypatch: pytest.MonkeyPatch):
    opened = []
    decode = streams.open_gzip
    monkeypatch.setattr(streams, "open_gzip", lambda file, *rest: opened.append(file.name) or decode(file, *rest))
    request = one.request("betas", [ONE], roi=["all", "face", "FFA1"])
    get_loader("voxel_series").read(request)
    assert len(opened) == len(set(opened)) == 5


def test_attributes_say_what_the_numbers_are(one: Folder):
    attrs = one.read("betas", ONE, roi=["face", "V1v"], nc_threshold=10, stimuli="shared").attrs
    dataset = load_catalog().dataset
    assert attrs.pop("affine") == pytest.approx(AFFINE.ravel().tolist())
    assert attrs == {
        "dataset": dataset.name,
        "release": dataset.release,
        "license": "CC0-1.0",
        "citation": dataset.citation,
        "units": "percent signal change",
        "space": "T1w",
        "grid": [5, 4, 3],
        "mask_source": "anatomical",
        "roi": "face, V1v",
        "nc_threshold": 10,
        "nc": "session",
        "nan": "keep",
        "stimuli": "shared",
    }


def test_a_noise_ceiling_of_a_session_that_a_subject_lacks_is_nan(folder: Folder):
    for subject, session in [("03", "01"), ("05", "02")]:
        folder.subject(subject, [session])
        for desc in ("Noiseceiling4rep", "Noiseceiling12rep", "NoiseceilingAllrep"):
            folder.nifti("noise_ceiling", np.full(GRID, 7, np.float32), subject=subject, desc=desc)
    betas = folder.read("betas", ONE, {"subject": "05", "ses": "02"}, noise_ceilings=True)
    own = betas.voxel_subject == "03"
    ceiling = volume(folder.path("noise_ceiling", **ONE))[brain(folder)]
    np.testing.assert_array_equal(betas.noise_ceiling_ses01[own], ceiling)
    assert np.isnan(betas.noise_ceiling_ses01[~own]).all()
    assert (betas.Noiseceiling4rep == 7).all()


def test_the_affine_is_left_out_where_subjects_have_their_own(folder: Folder):
    for subject, affine in [("03", AFFINE), ("05", SHIFTED)]:
        for artifact in ("brain_mask", "r2"):
            folder.nifti(artifact, np.ones(GRID, np.float32), affine, subject=subject)
    maps = folder.read("r2", {"subject": "03"}, {"subject": "05"})
    assert "affine" not in maps.attrs
    assert maps.x.values[0] == 40
    assert maps.x.values[-60] == 40.5


def artifacts(folder: Folder) -> Iterator[xr.DataArray]:
    folder.subject("03", ["01", "02"])
    folder.subject("05")
    yield folder.read("betas", ONE, {"subject": "05", "ses": "01"}, roi=["V1v", "face"], nc_threshold=5)
    yield folder.read("noise_ceiling", ONE, {"subject": "03", "ses": "02"}, roi="V1v")
    yield folder.read("rois", {"subject": "03"}, {"subject": "05"})
    yield folder.read("brain_mask", {"subject": "03"}, {"subject": "05"})


def test_arrays_survive_a_netcdf_file(folder: Folder):
    for number, array in enumerate(artifacts(folder)):
        path = folder.root / f"{number}.nc"
        array.to_netcdf(path, engine="h5netcdf")
        with xr.open_dataarray(path, engine="h5netcdf") as again:
            xr.testing.assert_identical(again.load(), array)
            assert again.dtype == array.dtype


# --- maps


def test_a_map_is_one_value_for_each_voxel(one: Folder):
    ceiling = one.read("noise_ceiling", ONE)
    assert ceiling.dims == ("voxel",)
    assert ceiling.dtype == np.float32
    np.testing.assert_array_equal(ceiling, volume(one.path("noise_ceiling", **ONE))[brain(one)])
    assert ceiling.ses == "01"
    assert ceiling.attrs["units"] == "percent"


def test_a_map_keeps_the_voxels_of_an_roi(one: Folder):
    wanted = brain(one) & roi(one, "retinotopy", "V1v")
    r2 = one.read("r2", {"subject": "03"}, roi="V1v")
    np.testing.assert_array_equal(r2, volume(one.path("r2", subject="03"))[wanted])


def test_maps_of_one_subject_stack_on_the_entity_that_varies(folder: Folder):
    mask = folder.subject("03", ["01", "02"])
    maps = folder.read("noise_ceiling", *({"subject": "03", "ses": ses} for ses in ("02", "01")))
    assert maps.dims == ("ses", "voxel")
    for ses in ("01", "02"):
        path = folder.path("noise_ceiling", subject="03", ses=ses)
        np.testing.assert_array_equal(maps.sel(ses=ses), volume(path)[mask])
    for desc in ("Noiseceiling4rep", "NoiseceilingAllrep"):
        folder.nifti("noise_ceiling", np.ones(GRID), subject="03", desc=desc)
    descs = folder.read("noise_ceiling", {"desc": "Noiseceiling4rep"}, {"desc": "NoiseceilingAllrep"})
    assert descs.dims == ("desc", "voxel")


def test_maps_of_several_subjects_follow_each_other_on_the_voxel_axis(folder: Folder):
    masks = {"03": folder.subject("03", ["01", "02"]), "05": folder.subject("05", ["02"])}
    choices = [ONE, {"subject": "03", "ses": "02"}, {"subject": "05", "ses": "02"}]
    maps = folder.read("noise_ceiling", *choices)
    assert maps.sizes == {"ses": 2, "voxel": sum(mask.sum() for mask in masks.values())}
    for choice in choices:
        own = maps.sel(ses=choice["ses"])[maps.voxel_subject == choice["subject"]]
        np.testing.assert_array_equal(own, volume(folder.path("noise_ceiling", **choice))[masks[choice["subject"]]])
    assert np.isnan(maps.sel(ses="01")[maps.voxel_subject == "05"]).all()
    one_map = folder.read("r2", {"subject": "03"}, {"subject": "05"})
    assert one_map.dims == ("voxel",)


def test_rois_are_masks_by_label_with_their_category(one: Folder):
    masks = one.read("rois", {"subject": "03", "category": "face"})
    assert masks.dims == ("label", "voxel")
    assert masks.dtype == bool
    assert masks.label.values.tolist() == ["FFA1", "OFA"]
    assert masks.category.dims == ("label",)
    assert masks.category.values.tolist() == ["face", "face"]
    np.testing.assert_array_equal(masks.sel(label="OFA"), roi(one, "face", "OFA")[brain(one)])
    assert set(masks.coords) == {"label", "category", "res", "voxel_subject", *"ijkxyz"}
    single = one.read("rois", {"subject": "03", "label": "V1v"})
    assert single.dims == ("label", "voxel")
    assert single.category.values.tolist() == ["retinotopy"]


def test_an_roi_that_a_subject_lacks_is_false(folder: Folder):
    folder.subject("03")
    folder.subject("05")
    folder.path("rois", subject="05", category="face", label="OFA").unlink()
    masks = folder.read("rois", {"subject": "03"}, {"subject": "05"})
    assert masks.sizes["label"] == 3
    assert masks.sel(label="OFA")[masks.voxel_subject == "03"].any()
    assert not masks.sel(label="OFA")[masks.voxel_subject == "05"].any()
    assert masks.sel(label="FFA1")[masks.voxel_subject == "05"].any()


def test_rois_of_another_resolution_than_the_mask_are_refused(one: Folder):
    path = one.nifti("rois", np.ones((6, 5, 4), np.uint8), subject="03", category="face", label="OFA", res="1pt5")
    with pytest.raises(DataFormatError, match=r"6 x 5 x 4.*5 x 4 x 3") as error:
        one.read("rois", {"subject": "03", "res": "1pt5"})
    assert str(path) in str(error.value)


# --- volumes


def test_a_volume_is_read_on_its_grid(one: Folder):
    mask = one.read("brain_mask", {"subject": "03"})
    assert mask.dims == ("i", "j", "k")
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, brain(one))
    assert mask.subject == "03"


def test_a_mask_is_true_where_it_is_neither_zero_nor_nan(folder: Folder):
    data = np.zeros(GRID, np.float32)
    data[0, 0, :] = [np.nan, -1, 0.2]
    folder.nifti("brain_mask", data, subject="03")
    assert np.argwhere(folder.read("brain_mask", {"subject": "03"}).values).tolist() == [[0, 0, 1], [0, 0, 2]]


def test_volumes_of_one_grid_are_stacked(folder: Folder):
    masks = [folder.subject(subject, []) for subject in ("05", "03")]
    both = folder.read("brain_mask", {"subject": "05"}, {"subject": "03"})
    assert both.dims == ("subject", "i", "j", "k")
    assert both.subject.values.tolist() == ["05", "03"]
    np.testing.assert_array_equal(both, np.stack(masks))


@pytest.mark.parametrize(("grid", "affine", "shown"), OTHER_GRIDS)
def test_volumes_of_different_grids_are_refused(folder: Folder, grid: tuple, affine: np.ndarray, shown: str):
    one = folder.nifti("brain_mask", np.ones(GRID, np.uint8), subject="03")
    two = folder.nifti("brain_mask", np.ones(grid, np.uint8), affine, subject="05")
    with pytest.raises(DataFormatError, match="read them one at a time") as error:
        folder.read("brain_mask", {"subject": "03"}, {"subject": "05"})
    assert all(text in str(error.value) for text in (str(one), str(two), shown))


def test_a_volume_of_several_volumes_is_refused(folder: Folder):
    folder.nifti("brain_mask", np.ones((*GRID, 2), np.uint8), subject="03")
    with pytest.raises(DataFormatError, match="holds 2 volumes"):
        get_loader("volume").to_dask(folder.request("brain_mask", [{"subject": "03"}]))


def test_volumes_that_differ_in_several_entities_are_refused(one: Folder):
    request = one.request("brain_mask", [{"subject": "03"}])
    other = LocalFile(request.files[0].path, {"subject": "05", "res": "1pt5"})
    request = Request(request.artifact, (*request.files, other), request.options, request.find)
    with pytest.raises(SelectionError, match="differ in subject, res"):
        get_loader("volume").read(request)


# --- tables


def test_a_table_has_the_dtypes_of_the_catalog_and_says_where_rows_come_from(folder: Folder):
    for subject in ("03", "05"):
        folder.trials(subject=subject, ses="01")
    table = folder.table("trials", ONE, {"subject": "05", "ses": "01"})
    assert table.columns.tolist() == ["subject", "session", "run", "beta_index", "label"]
    assert table.subject.tolist() == ["03"] * 6 + ["05"] * 6
    assert table.run.dtype == table.beta_index.dtype == np.int64
    assert table.label.tolist() == [*LABELS, *(label.replace("_p04.", "_p03.") for label in LABELS)]
    assert table.index.tolist() == list(range(12))
    assert folder.table("trials", ONE).columns.tolist() == table.columns.tolist()


def test_an_entity_that_the_rows_do_not_tell_is_added(folder: Folder):
    folder.trials(session="one", **ONE)
    folder.trials(subject="03", ses="02")
    table = folder.table("trials", ONE, {"subject": "03", "ses": "02"})
    assert table.columns.tolist()[:3] == ["subject", "ses", "session"]
    assert table.ses.tolist() == ["01"] * 6 + ["02"] * 6


def test_a_column_named_like_an_entity_stays_as_it_is(folder: Folder):
    path = folder.trials(**ONE)
    pd.read_csv(path, sep="\t").assign(subject="S3").to_csv(path, sep="\t", index=False)
    assert set(folder.table("trials", ONE).subject) == {"S3"}


def test_a_csv_file_may_have_quotes_and_a_byte_order_mark(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text('id,score,used,run\n"a,b",1e-3,True,+7\n02,nan,0,-1\n"x\ny",.5,1,3\n', "utf-8-sig")
    dtypes = {"id": "str", "score": "float64", "used": "bool", "run": "int64"}
    table = read_table(path, {name: Column(dtype=dtype, description="") for name, dtype in dtypes.items()})
    assert table.id.tolist() == ["a,b", "02", "x\ny"]
    np.testing.assert_array_equal(table.score, [0.001, np.nan, 0.5])
    assert table.used.tolist() == [True, False, True]
    assert table.run.tolist() == [7, -1, 3]
    assert [str(table[name].dtype) for name in ("score", "used", "run")] == ["float64", "bool", "int64"]


def write_participants(folder: Folder, text: str) -> Path:
    path = folder.root / "participants.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_identifiers_and_unknown_columns_stay_text(folder: Folder):
    write_participants(folder, "participant_id\tage\tnote\n01\t007\tNA\nNA\t\t1e3\n")
    table = folder.table("participants", {})
    assert table.columns.tolist() == ["participant_id", "age", "note"]
    assert table.to_numpy().tolist() == [["01", "007", "NA"], ["NA", "", "1e3"]]


def test_a_column_that_only_some_tables_have_is_empty_in_the_others(folder: Folder):
    folder.trials(**ONE)
    path = folder.trials(subject="03", ses="02")
    pd.read_csv(path, sep="\t").assign(extra="yes").to_csv(path, sep="\t", index=False)
    table = folder.table("trials", ONE, {"subject": "03", "ses": "02"})
    assert table.extra.tolist() == [""] * 6 + ["yes"] * 6
    assert table.run.dtype == np.int64


def test_a_missing_column_is_refused_with_the_nearest(folder: Folder):
    path = write_participants(folder, "participant\tage\nsub-01\t30\n")
    with pytest.raises(DataFormatError, match="no column participant_id; did you mean `participant`") as error:
        folder.table("participants", {})
    assert str(path) in str(error.value)


@pytest.mark.parametrize("cell", ["", "1.0", "one", "NA", "1_0", "9" * 20])
def test_a_cell_that_is_not_of_its_dtype_is_refused(folder: Folder, cell: str):
    path = folder.trials(**ONE)
    lines = path.read_text().splitlines()
    lines[3] = f"ses-01\t{cell}\t2\tunique_THINGS_a_p04.jpg"
    path.write_text("\n".join(lines))
    with pytest.raises(DataFormatError, match=f"column run, row 2: {re.escape(repr(cell))} is no int64") as error:
        folder.table("trials", ONE)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("participant_id\tage\nsub-01\n", "row 0 has 1 cells under 2 columns"),
        ("participant_id\nsub-01\nsub-02\t3\n", "row 1 has 2 cells under 1 columns"),
        ("participant_id\tparticipant_id\na\tb\n", "names a column twice"),
        ('participant_id\n"open\n', "cannot be read as a table"),
    ],
)
def test_a_broken_table_is_refused(folder: Folder, text: str, message: str):
    write_participants(folder, text)
    with pytest.raises(DataFormatError, match=message):
        folder.table("participants", {})


def test_a_table_that_is_not_utf_8_is_refused(folder: Folder):
    (folder.root / "participants.tsv").write_bytes(b"participant_id\nsub-\xff\n")
    with pytest.raises(DataFormatError, match="cannot be read as a table"):
        folder.table("participants", {})


def test_a_table_has_no_lazy_form(folder: Folder):
    folder.trials(**ONE)
    with pytest.raises(SelectionError, match=r"use read\(\)"):
        get_loader("table").to_dask(folder.request("trials", [ONE]))


def test_a_missing_number_is_nan_and_a_missing_text_stays_as_it_is(tmp_path):
    columns = {name: Column(dtype=dtype, description="") for name, dtype in {"score": "float64", "noun": "str"}.items()}
    path = tmp_path / "t.csv"
    path.write_text("score,noun\n0.5,cat\n,NA\nn/a,\n")
    table = read_table(path, columns)
    np.testing.assert_array_equal(table["score"], [0.5, np.nan, np.nan])
    assert table["noun"].tolist() == ["cat", "NA", ""]
