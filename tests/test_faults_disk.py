"""Faults of the disk: full, read-only, odd, or stale; what is left behind, and what is said."""

import _thread
import errno
import itertools
import os
import shutil
import signal
import subprocess
import threading
import time
from itertools import product
from pathlib import Path

import pytest

from fault_bucket import (
    FOLDER,
    LARGE,
    OBJECTS,
    OTHER,
    PIECE,
    PIECES,
    SMALL,
    START,
    fetched,
    has,
    holds,
    is_right,
    place,
    unfinished,
)
from fault_kinds import Fault
from laion_fmri.cli import main
from laion_fmri.config import dataset_initialize
from laion_fmri.errors import DataDirError, NoSpaceError
from laion_fmri.storage import system
from laion_fmri.storage.receipts import records

STEPS_OF_A_FILE = ["make_folder", "create", "write", "flush", "publish"]
STEPS = [*STEPS_OF_A_FILE, "flush_folder", "append"]
DOWNLOAD = ["download", "--subject", "03", "--ses", "01"]


@pytest.fixture
def breaks(monkeypatch):
    """A function that lets a step fail with an error, at its first call or at a later one, for one file or all."""

    def set_fault(step, number, after=0, key=""):
        do = getattr(system, step)
        calls = []

        def broken(*arguments):
            if key.rpartition("/")[2] in name_of(arguments[0]):
                calls.append(arguments)
                if len(calls) > after:
                    raise OSError(number, os.strerror(number), name_of(arguments[0]))
            return do(*arguments)

        monkeypatch.setattr(system, step, broken)
        return lambda: monkeypatch.setattr(system, step, do)

    return set_fault


def name_of(file):
    """Return the path of an open file or of a path."""
    return str(Path(f"/proc/self/fd/{file}").readlink() if isinstance(file, int) else file)


# ---------------------------------------------------------------- F1: a full disk


@pytest.mark.parametrize("fault", [*product(STEPS, [errno.ENOSPC, errno.EDQUOT])])
def test_a_full_disk_stops_the_queue_and_leaves_nothing_half_written(faulty, data_dir, breaks, capsys, fault):
    objects = OBJECTS | {f"{START}desc-GLMsingle_figure{n}.png": b"png" for n in range(40)}
    faulty.objects = objects
    mend = breaks(*fault)
    assert main(DOWNLOAD) == 5
    said = capsys.readouterr().err
    assert "make room" in said
    assert f"{sum(map(len, objects.values())):,} bytes" in said
    assert is_right(data_dir, objects)
    assert unfinished(data_dir) == []
    if fault[0] != "flush_folder":  # the last of all
        assert len({asked.key for asked in faulty.asked if asked.key}) < len(objects) / 2
    mend()
    assert main(DOWNLOAD) == 0
    assert holds(data_dir, objects)


@pytest.mark.parametrize("after", [1, 3])
def test_a_disk_that_fills_up_in_the_middle_of_a_file_leaves_nothing_of_it(faulty, data_dir, breaks, after):
    breaks("write", errno.ENOSPC, after, LARGE)
    with pytest.raises(NoSpaceError, match="make room"):
        fetched(n_jobs=2)
    assert is_right(data_dir)
    assert unfinished(data_dir) == []


@pytest.mark.parametrize("failing", [1, 2, 7, 12])
def test_a_write_that_failed_never_counts_as_done(faulty, data_dir, monkeypatch, failing):
    faulty.versions[LARGE] = '"0123456789abcdef0123456789abcdef-5"'  # no checksum, which would tell
    write, remove, numbers = system.write, system.remove, itertools.count(1)

    def once_broken(fd, *given):
        if LARGE.rpartition("/")[2] in name_of(fd) and next(numbers) == failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        write(fd, *given)

    with monkeypatch.context() as patch:
        patch.setattr(system, "write", once_broken)
        patch.setattr(system, "remove", lambda path: None if ".part" in str(path) else remove(path))  # as if killed
        assert fetched()[0].failed == (LARGE,)
    assert fetched()[0].complete
    assert place(data_dir, LARGE).read_bytes() == OBJECTS[LARGE]


@pytest.mark.parametrize("at", range(1, 18))
def test_what_is_not_written_when_a_run_is_interrupted_never_counts_as_done(faulty, data_dir, monkeypatch, at):
    faulty.versions[LARGE] = '"0123456789abcdef0123456789abcdef-5"'  # no checksum, which would tell
    write, numbers = system.write, itertools.count(1)

    def interrupting(fd, *given):
        if LARGE.rpartition("/")[2] in name_of(fd) and next(numbers) == at:
            time.sleep(0.02)  # until everybody waits for this
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        write(fd, *given)

    with monkeypatch.context() as patch:
        patch.setattr(system, "write", interrupting)
        with pytest.raises(KeyboardInterrupt):
            fetched()
    assert fetched()[0].complete
    assert place(data_dir, LARGE).read_bytes() == OBJECTS[LARGE]


def test_a_large_file_that_came_to_its_place_while_the_run_was_interrupted_has_its_receipt(
    faulty, data_dir, monkeypatch
):
    publish, target = system.publish, place(data_dir, LARGE)

    def interrupted(part, path):
        publish(part, path)
        if Path(path) == target:
            _thread.interrupt_main()

    with monkeypatch.context() as patch:
        patch.setattr(system, "publish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetched()
    assert target.read_bytes() == OBJECTS[LARGE]
    assert not [name for name in unfinished(data_dir) if target.name in name]
    assert LARGE in {record["key"] for record in records(Path(data_dir)).values()}


@pytest.fixture
def tiny_disk(tmp_path, no_config):
    """A function that makes a data directory on a file system with limits."""
    mounted = []

    def mount(limits):
        folder = tmp_path / "tiny"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", limits, "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("tmpfs cannot be mounted here")
        mounted.append(folder)
        dataset_initialize(str(folder))
        (folder / ".laion_fmri" / "license_accepted").touch()
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_real_disk_that_fills_up_leaves_room_and_says_what_is_needed(faulty, tiny_disk, monkeypatch, capsys):
    folder = tiny_disk("size=200k")
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**12))  # another user writes meanwhile
    assert main([*DOWNLOAD, "--n-jobs", "2"]) == 5
    assert f"{sum(map(len, OBJECTS.values())):,} bytes" in capsys.readouterr().err
    assert is_right(folder)
    assert unfinished(folder) == []


def test_a_disk_that_is_too_small_for_the_plan_is_told_before_the_first_byte(faulty, tiny_disk):
    folder = tiny_disk("size=200k")
    with pytest.raises(NoSpaceError, match=f"{sum(map(len, OBJECTS.values())):,} bytes"):
        fetched()
    assert [asked for asked in faulty.asked if asked.key] == []
    assert holds(folder, {})


# ---------------------------------------------------------------- F10: no inodes


def test_a_disk_without_room_for_names_is_a_full_disk(faulty, tiny_disk, capsys):
    folder = tiny_disk("size=9m,nr_inodes=9")
    assert main(DOWNLOAD) == 5
    assert "make room" in capsys.readouterr().err
    assert is_right(folder)
    assert unfinished(folder) == []


# ---------------------------------------------------------------- F2: places that cannot be written


@pytest.mark.parametrize("step", ["make_folder", "create"])
def test_a_read_only_file_system_ends_the_run(faulty, data_dir, breaks, step):
    breaks(step, errno.EROFS)
    with pytest.raises(DataDirError, match=f"{data_dir} cannot be written: its file system is read-only"):
        fetched()
    assert holds(data_dir, {})


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
@pytest.mark.parametrize("step", ["make_folder", "create"])
def test_a_folder_that_cannot_be_written_is_named(faulty, data_dir, breaks, step, number):
    breaks(step, number)
    report, said = fetched()
    assert set(report.failed) == set(OBJECTS)
    assert os.strerror(number) in said
    assert str(data_dir) in said
    assert holds(data_dir, {})


def test_a_folder_where_a_file_should_be_is_told_and_left_alone(faulty, data_dir):
    inside = place(data_dir, SMALL) / "mine.txt"
    inside.parent.mkdir(parents=True)
    inside.write_text("mine")
    report, said = fetched()
    assert report.failed == (SMALL,)
    assert str(inside.parent) in said
    assert "folder" in said or "directory" in said
    assert inside.read_text() == "mine"
    assert unfinished(data_dir) == []


def test_a_file_where_a_folder_should_be_is_told_and_left_alone(faulty, data_dir):
    blocker = place(data_dir, SMALL).parent
    blocker.parent.mkdir(parents=True)
    blocker.write_text("mine")
    report, said = fetched()
    assert set(report.failed) == {key for key in OBJECTS if key.startswith(FOLDER)}
    assert str(blocker) in said
    assert blocker.read_text() == "mine"


def test_a_dangling_link_where_a_file_should_be_is_not_followed(faulty, data_dir, tmp_path):
    outside = tmp_path / "outside.tsv"
    target = place(data_dir, SMALL)
    target.parent.mkdir(parents=True)
    target.symlink_to(outside)
    report, said = fetched()
    assert report.failed == (SMALL,)
    assert str(target) in said
    assert "link" in said
    assert target.is_symlink()
    assert not outside.exists()


def test_a_link_out_of_the_data_directory_is_not_followed(faulty, data_dir, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = place(data_dir, SMALL).parent
    folder.parent.mkdir(parents=True)
    folder.symlink_to(outside)
    report, said = fetched()
    assert set(report.failed) == {key for key in OBJECTS if key.startswith(FOLDER)}
    assert str(folder) in said
    assert "link" in said
    assert list(outside.iterdir()) == []


def test_a_link_further_up_is_not_followed_either(faulty, data_dir, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (data_dir / "derivatives").symlink_to(outside)
    report, _ = fetched()
    assert set(report.failed) == {key for key in OBJECTS if key.startswith(FOLDER)}
    assert list(outside.iterdir()) == []


def test_a_link_to_another_place_of_the_data_directory_is_fine(faulty, data_dir):
    there = data_dir / "there"
    there.mkdir()
    folder = place(data_dir, SMALL).parent
    folder.parent.mkdir(parents=True)
    folder.symlink_to(there)
    assert fetched()[0].complete
    assert (there / place(data_dir, SMALL).name).read_bytes() == OBJECTS[SMALL]


def test_the_data_directory_itself_may_be_a_link(faulty, data_dir, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(data_dir)
    dataset_initialize(str(link))
    assert fetched()[0].complete
    assert holds(data_dir, OBJECTS)


def test_links_planted_at_the_names_of_unfinished_files_are_not_followed(faulty, data_dir, tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    create = system.create
    planted = []

    def plant(path):
        if len(planted) < 20:
            Path(path).symlink_to(outside)
            planted.append(path)
        return create(path)

    monkeypatch.setattr(system, "create", plant)
    fetched()
    assert planted
    assert not outside.exists()
    assert is_right(data_dir)


# ---------------------------------------------------------------- F8: file systems that lack something


def test_a_file_system_that_cannot_flush_folders_is_fine(faulty, data_dir, monkeypatch):
    sync = os.fsync

    def fsync(fd):
        if os.path.isdir(f"/proc/self/fd/{fd}"):  # noqa: PTH112, of an open file
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    report, said = fetched()
    assert (report.complete, said) == (True, "")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, None])
def test_a_system_that_cannot_copy_within_the_disk_copies_by_hand(faulty, data_dir, monkeypatch, number):
    def copy_file_range(*_):
        raise OSError(number, os.strerror(number))

    interrupt(faulty)
    if number:
        monkeypatch.setattr(os, "copy_file_range", copy_file_range)
    else:
        monkeypatch.delattr(os, "copy_file_range")
    finishes_without_asking_again(faulty, data_dir)


def interrupt(faulty):
    """Leave all of the large file but its last piece for the next run."""
    last = (PIECES - 1) * PIECE
    faulty.faults[LARGE] = [Fault.close_at(last) for _ in range(9)]
    assert fetched()[0].failed == (LARGE,)
    faulty.faults.clear()
    faulty.asked.clear()


def finishes_without_asking_again(faulty, data_dir):
    assert fetched()[0].complete
    assert holds(data_dir, OBJECTS)
    assert faulty.ranges(LARGE) == [((PIECES - 1) * PIECE, len(OBJECTS[LARGE]))]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_without_locks_is_fine(faulty, data_dir, monkeypatch, number):
    import fcntl

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    report, said = fetched(n_jobs=2)
    assert (report.complete, said) == (True, "")
    assert holds(data_dir, OBJECTS)


# ---------------------------------------------------------------- F9: stale handles, broken disks


@pytest.mark.parametrize("fault", [*product(STEPS_OF_A_FILE[1:], [errno.ESTALE, errno.EIO])])
@pytest.mark.parametrize("key", [SMALL, LARGE])
def test_a_file_that_the_disk_does_not_take_fails_alone(faulty, data_dir, breaks, key, fault):
    mend = breaks(*fault, key=key)
    report, said = fetched(n_jobs=2)
    assert report.failed == (key,)
    assert os.strerror(fault[1]) in said
    assert set(report.downloaded) == set(OBJECTS) - {key}
    assert not place(data_dir, key).exists()
    mend()
    assert fetched()[0].complete
    assert holds(data_dir, OBJECTS)


def test_what_is_left_of_a_file_and_cannot_be_read_is_fetched_anew(faulty, data_dir, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    interrupt(faulty)
    monkeypatch.setattr(system, "copy", broken)
    report, _ = fetched()
    if report.failed:  # told, and right the next time
        monkeypatch.undo()
        assert is_right(data_dir)
    else:
        assert holds(data_dir, OBJECTS)


# ---------------------------------------------------------------- what is left of earlier runs


@pytest.mark.parametrize(
    "damage",
    [
        lambda part, log: part.write_bytes(b""),
        lambda part, log: part.write_bytes(part.read_bytes()[: PIECE + 10]),
        lambda part, log: part.unlink(),
        lambda part, log: log.unlink(),
        lambda part, log: log.write_bytes(b""),
        lambda part, log: log.write_bytes(log.read_bytes()[:-3]),
        lambda part, log: log.write_bytes(b"\xff\x00garbage\n" * 9),
        lambda part, log: log.write_bytes(log.read_bytes() * 3),
        lambda part, log: log.write_bytes(b"[" * 99_999),
    ],
)
def test_damage_to_what_an_earlier_run_left_costs_bytes_and_never_a_wrong_file(faulty, data_dir, damage):
    interrupt(faulty)
    folder = place(data_dir, LARGE).parent
    (part,), (log,) = folder.glob(".*.part"), folder.glob(".*.part.log")
    damage(part, log)
    report, said = fetched()
    assert (report.complete, said) == (True, "")
    assert has(data_dir, OBJECTS)


def test_what_an_earlier_run_left_of_a_flipped_bit_never_becomes_a_file(faulty, data_dir):
    interrupt(faulty)
    (part,) = place(data_dir, LARGE).parent.glob(".*.part")
    content = bytearray(part.read_bytes())
    content[PIECE] ^= 1
    part.write_bytes(content)
    fetched()
    assert is_right(data_dir)
    report, _ = fetched()
    assert report.complete
    assert holds(data_dir, OBJECTS)


def test_what_was_left_of_another_version_is_not_used(faulty, data_dir):
    interrupt(faulty)
    another = b"\x1f\x8b\x08" + OBJECTS[LARGE][:2:-1]
    faulty.objects[LARGE] = another
    assert fetched()[0].complete
    assert has(data_dir, OBJECTS | {LARGE: another})
    assert len(faulty.gets(LARGE)) == PIECES


def test_receipts_that_are_damaged_are_no_obstacle(faulty, data_dir):
    assert fetched()[0].complete
    for path in (data_dir / ".laion_fmri" / "receipts").glob("*"):
        path.write_bytes(path.read_bytes()[:-20] + b"\xff\x00[[[{")
    place(data_dir, OTHER).unlink()
    report, said = fetched()
    assert (report.downloaded, said) == ((OTHER,), "")
    assert holds(data_dir, OBJECTS)
