"""Reading volumes piece by piece: every decoder, every damage, several files at once, within a bound of memory."""

from __future__ import annotations

import gzip
import io
import itertools
import re
import subprocess
import sys
import textwrap
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import laion_fmri
from laion_fmri.errors import DataFormatError
from laion_fmri.loaders import parts, streams, workers
from laion_fmri.loaders.moments import Moments
from laion_fmri.loaders.nifti import each_volume, read_header, read_mask
from laion_fmri.loaders.sieve import Sieve, Whole

AFFINE = np.diag([2.0, 2, 2, 1])


def save(path: Path, data: np.ndarray) -> Path:
    nibabel.save(nibabel.Nifti1Image(data, AFFINE), path)
    return path


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def all_of(path: Path, offsets: np.ndarray) -> np.ndarray:
    header = read_header(path)
    return np.stack(
        [values.copy() for values in each_volume(header, np.arange(header.volumes), Sieve(offsets), header.dtype)]
    )


# --- voxels out of pieces


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_voxels_of_volumes_larger_than_a_piece_come_in_the_order_asked_for(tmp_path, suffix):
    data = numbers(110, 100, 60, 2)
    path = save(tmp_path / f"large{suffix}", data)
    flat = data.reshape(-1, 2, order="F").T
    chance = np.random.default_rng(1)
    few = np.array([659_999, 0, 262_143, 262_144, 5])
    for offsets in (few, chance.permutation(flat.shape[1])[:5000], np.arange(0), np.arange(flat.shape[1])):
        np.testing.assert_array_equal(all_of(path, offsets), flat[:, offsets])


def test_a_plain_file_is_read_only_where_the_voxels_are(tmp_path, monkeypatch):
    path = save(tmp_path / "large.nii", numbers(110, 100, 60, 2))
    taken = []

    class Counting(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            taken.append(size)
            return super().read(size)

    monkeypatch.setattr(Path, "open", lambda self, *_, **__: Counting(self))
    all_of(path, np.array([300_300, 300_400, 300_000]))
    assert taken == [540, *[401 * 4] * 2]  # the header, and what is between the voxels of each volume


@pytest.mark.parametrize("slope", [1, 0.5])
def test_a_volume_that_is_read_whole_is_what_nibabel_reads(tmp_path, slope):
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4, 1), AFFINE)
    image.header.set_slope_inter(slope, 0)
    nibabel.save(image, tmp_path / "a.nii.gz")
    header = read_header(tmp_path / "a.nii.gz")
    (values,) = each_volume(header, np.array([0]), Whole((2, 3, 4)), np.dtype(float))
    np.testing.assert_array_equal(values.reshape(2, 3, 4), nibabel.load(tmp_path / "a.nii.gz").get_fdata()[..., 0])


@pytest.mark.parametrize(("kind", "inter"), [("uint8", 0), (">i2", -3), ("float32", 0), ("float64", 1)])
def test_a_mask_marks_what_is_neither_zero_nor_nan_in_c_order(tmp_path, kind, inter):
    data = np.random.default_rng(0).integers(0, 5, (110, 100, 60)).astype(kind)
    if data.dtype.kind == "f":
        data[::7] = np.nan
    image = nibabel.Nifti1Image(data, AFFINE, nibabel.Nifti1Header(endianness=">" if kind == ">i2" else "<"))
    image.header.set_slope_inter(1, inter)
    nibabel.save(image, tmp_path / "a.nii.gz")
    expected = np.nan_to_num(data.astype(float) + inter) != 0
    np.testing.assert_array_equal(read_mask(read_header(tmp_path / "a.nii.gz")), expected.ravel())


# --- damage


@pytest.mark.parametrize(
    ("change", "volume", "why"),
    [
        (lambda raw: raw[:-3], 3, lambda end: f"the file ends at byte {end - 3}, before its compressed data do"),
        (lambda raw: raw[:200_000], 1, lambda _: "the file ends at byte 200000, before its compressed data do"),
        (
            lambda raw: raw[:-8] + b"abcd" + raw[-4:],
            3,
            lambda end: f"incorrect data check at byte {end - 5} of the file",
        ),
        (lambda raw: raw[:-4] + b"abcd", 3, lambda end: f"incorrect length check at byte {end - 1} of the file"),
        (lambda raw: raw + b"garbage", 3, lambda end: f"what begins at byte {end} of the file is not compressed data"),
        (
            lambda raw: raw + bytes(9) + b"!",
            3,
            lambda end: f"what begins at byte {end + 9} of the file is not compressed",
        ),
        (lambda _: bytes(10) + b"garbage", 0, lambda _: "what begins at byte 10 of the file is not compressed data"),
    ],
)
def test_a_damaged_file_is_refused_with_the_byte_and_the_volume(tmp_path, change, volume, why):
    path = save(tmp_path / "betas.nii.gz", numbers(30, 30, 30, 4))
    header, raw = read_header(path), path.read_bytes()
    path.write_bytes(change(raw))
    message = f"{path} is damaged in volume {volume} of 0 to 3: {why(len(raw))}"
    for wanted in (np.arange(4), np.array([0])):
        with pytest.raises(DataFormatError, match=re.escape(message)):
            list(each_volume(header, wanted, Sieve(np.array([7])), header.dtype))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_that_goes_on_after_its_last_volume_is_refused(tmp_path, suffix):
    path = save(tmp_path / f"betas{suffix}", numbers(5, 5, 5, 4))
    end = 352 + 4 * 500
    path.write_bytes(path.read_bytes() + (gzip.compress(bytes(3)) if suffix == ".nii.gz" else bytes(3)))
    with pytest.raises(DataFormatError, match=f"goes on after its last volume, which ends at byte {end} .* {end + 3};"):
        all_of(path, np.array([7]))
    header = read_header(path)
    with pytest.raises(DataFormatError, match=f"goes on after its last volume, which ends at byte {end}"):
        list(each_volume(header, np.array([1]), Sieve(np.array([7])), header.dtype))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("wanted", [[0, 1, 2, 3], [0]])
def test_a_file_that_ends_before_its_last_volume_is_refused_with_the_volume(tmp_path, suffix, wanted):
    path = save(tmp_path / f"betas{suffix}", numbers(5, 5, 5, 4))
    header, raw, end = read_header(path), path.read_bytes(), 352 + 2 * 500 + 10
    path.write_bytes(gzip.compress(gzip.decompress(raw)[:end]) if suffix == ".nii.gz" else raw[:end])
    with pytest.raises(DataFormatError, match=f"damaged in volume 2 of 0 to 3: .* at byte {end}"):
        list(each_volume(header, np.array(wanted), Sieve(np.array([7, 100])), header.dtype))


def test_zeros_after_the_compressed_data_and_several_members_are_no_damage(tmp_path):
    data = numbers(5, 5, 5, 4)
    path = save(tmp_path / "betas.nii.gz", data)
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[:700]) + gzip.compress(raw[700:]) + bytes(1000))
    np.testing.assert_array_equal(all_of(path, np.arange(125)), data.reshape(-1, 4, order="F").T)


# --- decoders


def test_without_isal_the_same_is_read_and_the_same_is_refused(tmp_path):
    data = numbers(30, 30, 30, 4)
    whole = save(tmp_path / "whole.nii.gz", data)
    cut = tmp_path / "cut.nii.gz"
    cut.write_bytes(whole.read_bytes()[:-3])
    script = f"""
        import sys
        sys.modules["isal"] = None
        from pathlib import Path
        import numpy as np
        from laion_fmri.errors import DataFormatError
        from laion_fmri.loaders.nifti import each_volume, read_header
        from laion_fmri.loaders.sieve import Sieve
        for path in ({str(whole)!r}, {str(cut)!r}):
            header = read_header(Path(path))
            try:
                read = [one.copy() for one in each_volume(header, np.arange(4), Sieve(np.arange(27000)), header.dtype)]
                np.save({str(tmp_path / "read.npy")!r}, np.stack(read))
            except DataFormatError as error:
                print(error)
        assert "isal.igzip" not in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "read.npy"), all_of(whole, np.arange(27000)))
    with pytest.raises(DataFormatError) as error:
        all_of(cut, np.arange(27000))
    assert done.stdout.strip() == str(error.value)


def test_isal_decodes_where_it_is_there():
    pytest.importorskip("isal")
    assert streams.open_gzip.__module__ == "isal.igzip"


# --- several files at once


def test_files_are_read_in_several_threads_at_once(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 3)
    all_here = threading.Barrier(3, timeout=30)
    workers.each(lambda _: all_here.wait(), [1, 2, 3])


def test_the_error_of_a_file_ends_the_reading_of_the_others(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 2)
    done = []

    def work(item: int) -> None:
        if item == 0:
            raise DataFormatError("file 0")
        done.append(item)

    with pytest.raises(DataFormatError, match="file 0"):
        workers.each(work, range(1000))
    assert len(done) < 999


def test_a_pool_of_its_callers_reads_what_one_thread_reads(tmp_path):
    paths = [save(tmp_path / f"{n}.nii.gz", numbers(20, 20, 20, 5) + n) for n in range(6)]
    offsets = np.random.default_rng(0).permutation(8000)[:500]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda path: all_of(path, offsets), paths))
    for path, values in zip(paths, found, strict=True):
        np.testing.assert_array_equal(values, all_of(path, offsets))


# --- memory


@pytest.mark.parametrize(("last", "held"), [(4_000_000, 16_000_000), (500_000, 2_000_000)])
def test_of_volumes_only_one_is_held_and_only_from_its_first_voxel_to_its_last(tmp_path, last, held):
    path = save(tmp_path / "betas.nii.gz", numbers(200, 200, 100, 3))
    header, sieve = read_header(path), Sieve(np.arange(0, last, 1000))
    tracemalloc.start()
    for _ in each_volume(header, np.arange(3), sieve, header.dtype):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < held + 2_000_000


# --- moments and means


rows_of_floats = st.lists(
    st.lists(st.one_of(st.floats(-1e6, 1e6, width=32), st.just(np.nan)), min_size=3, max_size=3),
    min_size=1,
    max_size=12,
)


@given(rows_of_floats, st.lists(st.integers(0, 12), max_size=4), st.integers(0, 3))
def test_moments_are_the_same_to_the_bit_however_the_volumes_are_cut(rows, cuts, column):
    data = np.array(rows, np.float32)
    one, cut = Moments(3), Moments(3)
    one.add(slice(0, 3), data)
    ends = sorted({0, len(data), *(min(end, len(data)) for end in cuts)})
    for start, stop in itertools.pairwise(ends):
        for columns in (slice(0, column), slice(column, 3)):
            cut.add(columns, data[start:stop, columns])
    first, second = data.copy(), data.copy()
    one.standardise(slice(0, 3), first)
    cut.standardise(slice(0, 3), second)
    np.testing.assert_array_equal(first, second)


@given(rows_of_floats)
def test_zscores_have_no_mean_and_a_deviation_of_one_or_none(rows):
    data = np.array(rows, np.float64)
    missing = np.isnan(data)
    moments = Moments(3)
    moments.add(slice(0, 3), data)
    moments.standardise(slice(0, 3), data)
    np.testing.assert_array_equal(np.isnan(data), missing)
    for values in data.T:
        known = values[~np.isnan(values)]
        assert not known.size or known.mean() == pytest.approx(0, abs=1e-6)
        assert not known.size or known.std() == pytest.approx(round(known.std()), abs=1e-5)


@pytest.mark.parametrize("held", [0, 2**25])
def test_means_of_zscores_are_the_same_whether_the_trials_are_held_or_read_twice(here, monkeypatch, held):
    source = laion_fmri.open_catalog().betas(subject="03", ses=["01", "02"])
    expected = source.read(average="image", zscore="session")
    monkeypatch.setattr(parts, "_HELD_BYTES", held)
    np.testing.assert_array_equal(source.read(average="image", zscore="session"), expected)
    each = source.read(zscore="session").to_pandas().set_axis(source.read().label.values)
    reference = each.groupby(level=0, sort=False).mean()
    np.testing.assert_allclose(expected, reference.loc[expected.image.values], atol=1e-5)


def test_means_remember_nan_of_few_voxels_only():
    missing = parts._Missing((1000, 50_000))
    values = np.zeros(50_000, np.float32)
    values[[3, 40_000]] = np.nan
    tracemalloc.start()
    for row in range(1000):
        missing.zeroed(row, slice(0, 50_000), values)
    assert tracemalloc.get_traced_memory()[0] < 1_000_000
    tracemalloc.stop()
    assert missing.counts(5)[[2, 3, 40_000]].tolist() == [0, 1, 1]
