"""Tables and files that do not belong together, through the doors that users take.

Rows are permuted, dropped, doubled and rewritten; what is read is right, or it is refused.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from laion_fmri import Captions, Segmentations, load_embeddings, open_catalog
from laion_fmri.errors import DataFormatError, UnknownNameError

TRIALS = (
    "derivatives/glmsingle-tedana/sub-{0}/ses-{1}/func/sub-{0}_ses-{1}_task-images_desc-SingletrialBetas_trials.tsv"
)
BETAS = TRIALS.replace("desc-SingletrialBetas_trials.tsv", "space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz")
METADATA = "stimuli/task-images_metadata.csv"
EMBEDDINGS = "stimuli/task-images_desc-CLIP_embeddings.h5"
CAPTIONS = "stimuli/task-images_desc-captions.csv"
MASK_TABLE = "stimuli/task-images_desc-segmentations_metadata.csv"
ONE = {"subject": "03", "ses": "01"}
TABLES = {
    "trials": TRIALS.format("03", "01"),
    "stimulus_metadata": METADATA,
    "captions": CAPTIONS,
    "segmentation_table": MASK_TABLE,
}

many = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@pytest.fixture(scope="module")
def cat():
    return open_catalog()


class Table:
    """A table on disk, as rows of text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.delimiter = "," if path.suffix == ".csv" else "\t"
        with path.open(encoding="utf-8", newline="") as file:
            self.header, *self.rows = csv.reader(file, delimiter=self.delimiter)

    def write(self, rows: Sequence[Sequence[str]], ending: str = "\n", encoding: str = "utf-8") -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self.delimiter, lineterminator=ending).writerows([self.header, *rows])
        self.path.write_bytes(text.getvalue().encode(encoding))

    def column(self, name: str) -> list[str]:
        return [row[self.header.index(name)] for row in self.rows]

    def with_cell(self, row: int, column: str, cell: str) -> list[list[str]]:
        rows = [list(one) for one in self.rows]
        rows[row][self.header.index(column)] = cell
        return rows


def some_rows(count: int) -> st.SearchStrategy[list[int]]:
    """Rows of a table of so many: all of them in another order, without some, with some twice, or anything."""
    every = list(range(count))
    one = st.integers(0, count - 1)
    return st.one_of(
        st.permutations(every),
        st.sets(one, max_size=3).map(lambda gone: [row for row in every if row not in gone]),
        st.tuples(one, one).map(lambda pair: [*every[: pair[0]], pair[1], *every[pair[0] :]]),
        st.tuples(one, one).map(lambda pair: [pair[1] if row == pair[0] else row for row in every]),
        st.lists(one, max_size=count + 2),
    )


# --- trials and their volumes


@many
@given(data=st.data())
def test_a_trial_table_has_its_rows_or_is_refused(cat, here: Path, data: st.DataObject):
    table = Table(here / TRIALS.format("03", "01"))
    rows = data.draw(some_rows(len(table.rows)))
    table.write([table.rows[row] for row in rows])
    trials, betas = cat.trials(**ONE), cat.betas(**ONE, roi="V1v")
    try:
        if rows == list(range(len(rows))):  # as such a table stands, nothing is wrong with it but its end
            assert trials.read()["label"].tolist() == [table.column("label")[row] for row in rows]
        else:
            with pytest.raises(DataFormatError, match=f"{table.path}, column beta_index, row "):
                trials.read()
        if len(rows) == len(table.rows) and rows == sorted(set(rows)):
            assert betas.to_dask().label.values.tolist() == table.column("label")
        else:
            with pytest.raises(DataFormatError, match=str(table.path)):
                betas.read()
            with pytest.raises(DataFormatError, match=str(table.path)):
                betas.to_dask()
    finally:
        table.write(table.rows)


def spoiled(name: str) -> st.SearchStrategy[str]:
    """What spreadsheets, scripts and people make of a name."""
    return st.one_of(
        st.integers(0, 30_000).map(str),
        st.floats(allow_nan=False).map("{:.2E}".format),
        st.integers(0, len(name) - 1).map(lambda end: name[:end]),
        st.sampled_from(["NA", "nan", "", "#REF!", f" {name}", f"{name} ", f"{name}.jpg", name.upper(), f"b'{name}'"]),
        st.sampled_from([name.replace("_", "-"), name.replace(".jpg", ".png"), f"images/{name}", name.capitalize()]),
    )


@many
@given(data=st.data(), metadata=st.booleans())
def test_a_label_that_names_no_image_is_refused_with_its_row(cat, here_all: Path, data: st.DataObject, metadata: bool):
    table, about = Table(here_all / TRIALS.format("03", "01")), here_all / METADATA
    row = data.draw(st.integers(0, len(table.rows) - 1))
    name = table.column("label")[row]
    assume(metadata or "_OOD_" not in name)  # of which the rules let the end be anything
    cell = data.draw(spoiled(name).filter(lambda cell: cell != name))
    table.write(table.with_cell(row, "label", cell))
    kept = about.read_bytes()
    try:
        if not metadata:
            about.unlink()
        for read in (cat.trials(**ONE).read, cat.betas(**ONE, roi="V1v").read):
            with pytest.raises(DataFormatError, match=re.escape(f"{table.path}, column label, row {row}: {cell!r}")):
                read()
    finally:
        table.write(table.rows)
        about.write_bytes(kept)


def test_a_label_that_the_metadata_lacks_is_refused_naming_both_files_and_the_nearest(cat, here_all: Path):
    table, about = Table(here_all / TRIALS.format("03", "01")), Table(here_all / METADATA)
    lost = table.column("label")[0]
    about.write([row for row in about.rows if row[0] != lost])
    expected = f"{table.path}, column label, row 0: '{lost}' is not in column image_name of {about.path}; did you mean"
    for source in (cat.trials(**ONE), cat.betas(**ONE)):
        with pytest.raises(DataFormatError, match=re.escape(expected)):
            source.read()
    about.path.unlink()
    assert cat.trials(**ONE).read()["label"][0] == lost


def test_metadata_that_arrive_or_change_are_looked_at_anew(cat, here_all: Path):
    table, about = Table(here_all / TRIALS.format("03", "01")), Table(here_all / METADATA)
    trials = cat.trials(**ONE)
    seen = set(table.column("label"))
    about.path.unlink()
    trials.read()
    about.write([row for row in about.rows if row[0] not in seen])
    with pytest.raises(DataFormatError, match=str(about.path)):
        trials.read()
    about.write(about.rows)
    trials.read()
    status = about.path.stat()
    rows = [[row[0].replace("_i", "_j") if row[0] in seen else row[0], *row[1:]] for row in about.rows]
    about.write(rows)
    assert about.path.stat().st_size == status.st_size
    os.utime(about.path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(DataFormatError, match=str(about.path)):
        trials.read()


def test_metadata_are_read_once_for_many_sessions(cat, here_all: Path, monkeypatch: pytest.MonkeyPatch):
    opened = []
    whole = Path.open

    def counted(self: Path, *args: object, **more: object):
        opened.append(self.name)
        return whole(self, *args, **more)

    monkeypatch.setattr(Path, "open", counted)
    source = cat.betas(subject=["01", "03"], ses=["01", "02"])
    source.to_dask()
    source.to_dask()
    assert opened.count(Path(METADATA).name) == 1
    assert len([name for name in opened if name.endswith("_trials.tsv")]) == 8


def test_metadata_are_no_part_of_what_reading_trials_takes(cat, server, data_dir: Path):
    plan = cat.betas(**ONE).plan()
    assert plan.files
    assert not [file for file in plan.files if METADATA in file.key]


def test_metadata_that_cannot_be_read_are_told(cat, here_all: Path):
    (here_all / METADATA).write_text("image_name,dataset\na.jpg\n")
    with pytest.raises(DataFormatError, match=f"{here_all / METADATA}, row 0 has 1 cells under 2 columns"):
        cat.trials(**ONE).read()


def test_a_trial_table_of_another_subject_is_refused(cat, here_all: Path):
    mine, other = Table(here_all / TRIALS.format("03", "01")), Table(here_all / TRIALS.format("01", "01"))
    mine.write(other.rows)
    row = next(row for row, label in enumerate(other.column("label")) if label.startswith("unique_"))
    name = other.column("label")[row]
    expected = f"row {row}: '{name}' is an image of sub-01 alone, and the table is that of sub-03"
    for source in (cat.trials(**ONE), cat.betas(**ONE)):
        with pytest.raises(DataFormatError, match=re.escape(f"{mine.path}, column label, {expected}")):
            source.read()


@many
@given(name=st.sampled_from(sorted(TABLES)), ending=st.sampled_from(["\n", "\r\n"]), mark=st.booleans())
def test_line_ends_and_byte_order_marks_change_nothing(cat, here_all: Path, name: str, ending: str, mark: bool):
    source = getattr(cat, name)(**(ONE if name == "trials" else {}))
    plain = source.read()
    table = Table(here_all / TABLES[name])
    table.write(table.rows, ending, "utf-8-sig" if mark else "utf-8")
    try:
        pd.testing.assert_frame_equal(source.read(), plain)
    finally:
        table.write(table.rows)


# --- volumes


@many
@given(
    kind=st.sampled_from(["u1", "i1", "i2", "u2", "i4", "f4", "f8"]),
    order=st.sampled_from("<>"),
    scaling=st.sampled_from([None, (0.5, 0.0), (0.25, -3.0), (-2.0, 7.0)]),
)
def test_betas_of_every_number_type_are_what_nibabel_reads(
    cat, here: Path, kind: str, order: str, scaling: tuple | None
):
    path = here / BETAS.format("03", "01")
    shape = nibabel.load(path).shape
    stored = np.random.default_rng(1).integers(0, 100, shape).astype(order + kind)
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(stored.dtype)
    file = nibabel.Nifti1Image(stored, nibabel.load(path).affine, header)
    if scaling:
        file.header.set_slope_inter(*scaling)
    file.to_filename(path)
    betas = cat.betas(**ONE, roi="V1v").read()
    values = np.asarray(nibabel.load(path).dataobj)
    assert betas.dtype == np.float32
    np.testing.assert_array_equal(betas, values[betas.i, betas.j, betas.k].T.astype(np.float32))
    assert betas.values.std() > 0


def test_a_map_may_have_one_volume_in_four_dimensions(cat, here: Path):
    path = next(here.rglob("*desc-R2mean_statmap.nii.gz"))
    image = nibabel.load(path)
    before = cat.r2(subject="03").read()
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj)[..., np.newaxis], image.affine), path)
    assert nibabel.load(path).ndim == 4
    np.testing.assert_array_equal(cat.r2(subject="03").read(), before)


def test_a_session_of_one_volume_in_three_dimensions_has_one_trial(cat, here: Path):
    path, table = here / BETAS.format("03", "01"), Table(here / TRIALS.format("03", "01"))
    image = nibabel.load(path)
    first = np.asarray(image.dataobj)[..., 0]
    nibabel.save(nibabel.Nifti1Image(first, image.affine), path)
    with pytest.raises(DataFormatError, match=f"{len(table.rows)} rows for 1 volumes, row 1 has no volume"):
        cat.betas(**ONE).read()
    table.write(table.rows[:1])
    betas = cat.betas(**ONE, roi="V1v").read()
    assert betas.label.values.tolist() == table.column("label")[:1]
    np.testing.assert_array_equal(betas.values[0], first[betas.i, betas.j, betas.k])


# --- the metadata of the images


@many
@given(data=st.data())
def test_an_image_stands_in_the_metadata_once(cat, here_all: Path, data: st.DataObject):
    table = Table(here_all / METADATA)
    rows = data.draw(some_rows(len(table.rows)))
    table.write([table.rows[row] for row in rows])
    source = cat.stimulus_metadata
    try:
        if len(set(rows)) == len(rows):
            assert source.read()["image_name"].tolist() == [table.column("image_name")[row] for row in rows]
        else:
            again = next(place for place, row in enumerate(rows) if row in rows[:place])
            before = rows.index(rows[again])
            expected = f"{table.path}, column image_name, row {again}: .* stands in row {before} too"
            with pytest.raises(DataFormatError, match=expected):
                source.read()
    finally:
        table.write(table.rows)


@pytest.mark.parametrize(
    ("place", "cell", "message"),
    [
        ("stimulus_metadata.unique_or_shared", "Shared", "'Shared' is not one of shared, unique; did you"),
        ("stimulus_metadata.image_name", "7", "'7' is no name of an image"),
        ("captions.source", "gpt-5.1", "'gpt-5.1' is not one of human, ai"),
        ("captions.image_name", "cat.jpg", "'cat.jpg' is no name of an image"),
        ("captions.caption_idx", "1.0", "'1.0' is no int64"),
        ("segmentation_table.localized", "2", "'2' is not one of 0, 1"),
        ("segmentation_table.localized", "TRUE", "'TRUE' is no int64"),
        ("segmentation_table.image_name", "1.2E+3", "'1.2E+3' is no name of an image"),
    ],
)
def test_a_cell_that_the_catalog_does_not_know_is_refused(cat, here_all: Path, place: str, cell: str, message: str):
    artifact, _, column = place.partition(".")
    table = Table(here_all / TABLES[artifact])
    table.write(table.with_cell(3, column, cell))
    with pytest.raises(DataFormatError, match=re.escape(f"{table.path}, column {column}, row 3: {message}")) as error:
        getattr(cat, artifact).read()
    assert "ownload the file again" in str(error.value)


def test_a_participant_stands_in_the_table_once(cat, here: Path):
    table = Table(here / "participants.tsv")
    table.write([*table.rows, table.rows[0]])
    with pytest.raises(DataFormatError, match=r"column participant_id, row 2: 'sub-01' stands in row 0 too"):
        cat.participants.read()


# --- embeddings


def rewrite(path: Path, rows: Sequence[int]) -> None:
    """Write a file of embeddings anew with some of its rows."""
    with h5py.File(path) as file:
        arrays = {name: file[name][()][list(rows)] for name in file}
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, dtype=array.dtype)


@many
@given(data=st.data())
def test_every_image_has_its_own_embedding_wherever_its_row_is(here_all: Path, data: st.DataObject):
    path = here_all / EMBEDDINGS
    before = path.read_bytes()
    with h5py.File(path) as file:
        values = dict(zip(file["image_ids"].asstr()[()].tolist(), file["embedding"][()], strict=True))
    names = list(values)
    rows = data.draw(some_rows(len(names)).filter(bool))
    rewrite(path, rows)
    try:
        if len(set(rows)) < len(rows):
            with pytest.raises(DataFormatError, match=f"{path}, dataset image_ids names .* in rows [0-9]+ and [0-9]+"):
                load_embeddings("CLIP").get("CLIP", names[:1])
            return
        embeddings = load_embeddings("CLIP")
        here = [names[row] for row in rows]
        wanted = data.draw(st.lists(st.sampled_from(here), max_size=5))
        found = embeddings.get("CLIP", wanted)
        assert len(found) == len(wanted)
        for name, row in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(row, values[name])
        for name in sorted(set(names) - set(here))[:1]:
            with pytest.raises(UnknownNameError, match=re.escape(f"no image with embeddings {name}")):
                embeddings.get("CLIP", [*wanted, name])
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("form", ["utf-8", "ascii"])
@pytest.mark.parametrize("length", [None, 120])
def test_names_of_embeddings_are_text_in_every_form(cat, here_all: Path, form: str, length: int | None):
    before = cat.embeddings(model="CLIP").read()
    with h5py.File(here_all / EMBEDDINGS, "r+") as file:
        dtype = h5py.string_dtype(form, length)
        names = file["image_ids"][()].astype(dtype)
        del file["image_ids"]
        file.create_dataset("image_ids", data=names, dtype=dtype)
    after = cat.embeddings(model="CLIP").read()
    assert after.image.values.tolist() == before.image.values.tolist()
    np.testing.assert_array_equal(after, before)


def test_names_of_embeddings_that_were_cut_or_are_numbers_are_refused(cat, here_all: Path):
    path = here_all / EMBEDDINGS
    with h5py.File(path, "r+") as file:
        names = file["image_ids"].asstr()[()].tolist()
        del file["image_ids"]
        file["image_ids"] = np.array([f"{n}_{name}" for n, name in enumerate(names)], "S40")
    with pytest.raises(DataFormatError, match=rf"{path}, dataset image_ids, row 0: '0_.*' is no name of an image"):
        cat.embeddings(model="CLIP").read()
    with h5py.File(path, "r+") as file:
        del file["image_ids"]
        file["image_ids"] = np.arange(len(names))
    with pytest.raises(DataFormatError, match="dataset image_ids holds int64, not text"):
        load_embeddings("CLIP").get("CLIP", names[0])


def test_labels_of_trials_find_their_embeddings_and_those_without_are_refused(cat, here_all: Path):
    betas = cat.betas(**ONE, roi="V1v").read()
    labels = betas.label.values
    with h5py.File(here_all / EMBEDDINGS) as file:
        names = file["image_ids"].asstr()[()].tolist()
        values = file["embedding"][()]
    np.testing.assert_array_equal(
        load_embeddings("CLIP").get("CLIP", labels), values[[names.index(label) for label in labels]]
    )
    rewrite(here_all / EMBEDDINGS, [row for row, name in enumerate(names) if name != labels[5]])
    with pytest.raises(UnknownNameError, match=re.escape(f"no image with embeddings {labels[5]}; did you mean")):
        load_embeddings("CLIP").get("CLIP", labels)


# --- captions


@many
@given(data=st.data())
def test_a_caption_stands_in_the_table_once(here_all: Path, data: st.DataObject):
    table = Table(here_all / CAPTIONS)
    place, row = data.draw(st.tuples(*[st.integers(0, len(table.rows) - 1)] * 2))
    rows = [*table.rows[:place], table.rows[row], *table.rows[place:]]
    name, index = table.rows[row][:2]
    table.write(rows)
    try:
        expected = f"{table.path}, columns image_name, caption_idx, row {max(place, row + (place <= row))}: "
        with pytest.raises(DataFormatError, match=re.escape(f"{expected}{name!r}, {index} stands in row ")):
            Captions().human(name)
    finally:
        table.write(table.rows)


@many
@given(
    captions=st.lists(st.one_of(texts, st.sampled_from(["NA", "nan", "NULL", '"', "a,b", "1e3", "007"])), max_size=6)
)
def test_captions_come_back_letter_for_letter(here_all: Path, captions: list[str]):
    table = Table(here_all / CAPTIONS)
    name = table.column("image_name")[0]
    others = [row for row in table.rows if row[0] != name]
    mine = [[name, str(rank), "human", text, "main1", "w0001", ""] for rank, text in enumerate(captions, 1)]
    table.write([*mine[::-1], *others])
    try:
        if captions:
            assert Captions().human(name) == captions
        else:
            with pytest.raises(UnknownNameError, match=re.escape(name)):
                Captions().human(name)
    finally:
        table.write(table.rows)


# --- segmentations


@many
@given(data=st.data())
def test_every_mask_is_found_by_what_it_shows_wherever_its_row_is(cat, here_all: Path, data: st.DataObject):
    table = Table(here_all / MASK_TABLE)
    rows = data.draw(some_rows(len(table.rows)))
    with h5py.File(here_all / "stimuli/task-images_desc-segmentations.h5") as file:
        stack = file["masks"][()] != 0
    table.write([table.rows[row] for row in rows])
    try:
        if sorted(rows) != list(range(len(table.rows))):
            with pytest.raises(DataFormatError, match=str(table.path)):
                Segmentations().images()
            with pytest.raises(DataFormatError, match=str(table.path)):
                cat.segmentations.to_dask()
            return
        record = dict(zip(table.header, table.rows[data.draw(st.sampled_from(rows))], strict=True))
        found = Segmentations().get(record["image_name"], record["noun"], int(record["instance_id"]))
        np.testing.assert_array_equal(found, stack[int(record["mask_row"])])
    finally:
        table.write(table.rows)


@pytest.mark.parametrize("noun", ["NA", "nan", "", "007", "a, b"])
def test_the_noun_of_a_mask_stays_text(here_all: Path, noun: str):
    table = Table(here_all / MASK_TABLE)
    row = next(row for row in table.rows if row[table.header.index("instance_id")] == "2")
    changed = list(row)
    changed[table.header.index("noun")] = noun
    table.write([changed if one is row else one for one in table.rows])
    name = row[table.header.index("image_name")]
    assert noun in Segmentations().nouns(name, localized_only=False)


def test_an_instance_among_many_that_is_not_there_is_refused_naming_the_nearest(here_all: Path):
    table = Table(here_all / MASK_TABLE)
    columns = [table.header.index(name) for name in ("image_name", "noun", "instance_id")]
    name, noun = (table.rows[0][column] for column in columns[:2])
    for instance, row in enumerate(table.rows[:20]):
        for column, cell in zip(columns, (name, noun, str(2 * instance)), strict=True):
            row[column] = cell
    table.write(table.rows)
    with pytest.raises(UnknownNameError, match=r"instance 101; did you mean 10\?"):
        Segmentations().get(name, noun, 101)
