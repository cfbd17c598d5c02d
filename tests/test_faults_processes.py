"""Processes that are killed, interrupted or many: nothing wrong at a final path, and the next run finishes the work."""

import itertools
import json
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from fault_bucket import LARGE, OBJECTS, PIECE, PIECES, SMALL, data_files, has, holds, is_right, place, unfinished
from fault_kinds import Fault
from warm import TORN, warm_process

DOWNLOAD = ["download", "--subject", "03", "--ses", "01", "--n-jobs", "2"]
AT_ONCE = 4
LOCKS = [{}, {"lock_lies": []}, {"lock_is_missing": [], "patience": {"window": 2}}]


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    with warm_process(tmp_path_factory.mktemp("warm")) as process:
        yield process


@dataclass(frozen=True)
class Room:
    """A data directory of its own, and a way to download into it."""

    warm: object
    root: Path
    environment: dict[str, str]

    def start(self, *words, patience=None, **sabotage):
        usual = {"pieces": [PIECE], "patience": [{"pause": 0, "tries": 3, "progress": 1} | (patience or {})]}
        return self.warm.start(*(words or DOWNLOAD), environment=self.environment, **usual | sabotage)

    def finish(self):
        """Download what is not here, and expect that all is right afterwards."""
        again = self.start()
        assert (again.wait(), again.said) == (0, [])
        assert has(self.root, OBJECTS)


@pytest.fixture
def rooms(warm, faulty, tmp_path):
    """A function that makes a new data directory in which the licence is accepted."""
    numbers = itertools.count()

    def room():
        home = tmp_path / f"room{next(numbers)}"
        root, config = home / "data", home / "config" / "laion_fmri"
        (root / ".laion_fmri").mkdir(parents=True)
        (root / ".laion_fmri" / "license_accepted").touch()
        config.mkdir(parents=True)
        (config / "config.json").write_text(json.dumps({"data_dir": str(root)}))
        return Room(warm, root, {**os.environ, "XDG_CONFIG_HOME": str(config.parent)})

    return room


@pytest.fixture
def room(rooms):
    return rooms()


# ---------------------------------------------------------------- F3: kill -9


@pytest.mark.parametrize("torn", [False, True])
def test_a_process_that_is_killed_at_any_step_leaves_nothing_wrong_and_the_next_run_finishes(rooms, tmp_path, torn):
    def steps_of(room, stop=0):
        log = tmp_path / f"{room.root.parent.name}.log"
        return log, room.start(steps=[str(log), stop, torn], pieces=[2 * PIECE])

    log, child = steps_of(rooms())
    assert child.wait() == 0
    steps = log.read_text().splitlines()
    assert len(steps) > 5 * len(OBJECTS)  # each file is created, written, flushed, published and noted down
    stops = [number for number, step in enumerate(steps, 1) if not torn or step in TORN]
    for some in batched(stops, AT_ONCE):
        killed = {stop: rooms() for stop in some}
        children = {stop: steps_of(room, stop)[1] for stop, room in killed.items()}
        assert {stop: child.wait() for stop, child in children.items()} == dict.fromkeys(killed, -signal.SIGKILL)
        assert [stop for stop, room in killed.items() if not is_right(room.root)] == []
        again = {stop: room.start() for stop, room in killed.items()}
        assert {stop: (child.wait(), child.said) for stop, child in again.items()} == dict.fromkeys(killed, (0, []))
        assert [stop for stop, room in killed.items() if not has(room.root, OBJECTS)] == []


def batched(numbers, size):
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def test_what_a_killed_process_had_of_a_large_file_is_not_asked_for_again(room, faulty):
    faulty.faults[LARGE] = [fault := Fault.stall_at(4 * PIECE)]
    child = room.start()
    assert fault.reached.wait(30)
    until_written(room, 4 * PIECE)
    child.kill(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    faulty.asked.clear()
    room.finish()
    assert faulty.ranges(LARGE) == [(4 * PIECE, len(OBJECTS[LARGE]))]


def test_what_a_killed_process_left_of_a_small_file_is_swept_by_age(room, faulty):
    faulty.faults[SMALL] = [fault := Fault.stall_at(100)]
    child = room.start()
    assert fault.reached.wait(30)
    child.kill(signal.SIGKILL)
    child.wait()
    (part,) = (path for path in data_files(room.root) if path.name.startswith(f".{place(room.root, SMALL).name}"))
    os.utime(part, (0, 0))
    room.finish()
    assert not part.exists()


def until_written(room, most):
    """Wait until the first bytes of the large file are on disk and noted down."""
    folder = place(room.root, LARGE).parent
    for _ in range(3000):
        journals = [path.read_text() for path in folder.glob(".*.part.log")]
        if any(journal.count("\n") >= most // PIECE for journal in journals):
            return
        os.sched_yield()
        signal.sigtimedwait([], 0.01)
    raise AssertionError(f"{most} bytes were never noted down in {sorted(folder.iterdir())}: {journals}")


# ---------------------------------------------------------------- F4: interrupted


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGINT, signal.SIGINT], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGTERM, signal.SIGTERM], 143),
        ([signal.SIGINT, signal.SIGTERM], None),
    ],
)
def test_an_interrupted_download_ends_with_one_line_and_can_be_continued(room, faulty, signals, code):
    faulty.faults[LARGE] = [fault := Fault.stall_at(4 * PIECE)]
    faulty.faults[SMALL] = [Fault.stall_at(100)]
    child = room.start()
    assert fault.reached.wait(30)
    until_written(room, 4 * PIECE)
    for one in signals:
        child.kill(one)
    assert child.wait() in ([code] if code else [130, 143])
    (line,) = child.said
    assert "run the same again" in line
    assert is_right(room.root)
    assert not any("trials" in name for name in unfinished(room.root))
    faulty.faults.clear()
    faulty.asked.clear()
    room.finish()
    assert faulty.ranges(LARGE) == [(4 * PIECE, len(OBJECTS[LARGE]))]


def test_a_download_that_waits_for_its_next_try_can_be_interrupted(room, faulty):
    faulty.faults[SMALL] = [fault := Fault.status(503, "SlowDown", Retry_After="100")]
    child = room.start(*DOWNLOAD, "--suffix", "trials")
    assert fault.reached.wait(30)
    child.kill(signal.SIGINT)
    assert child.wait() == 130
    assert is_right(room.root)
    room.finish()


def test_a_download_that_waits_for_its_listing_can_be_interrupted(room, faulty):
    faulty.listings = [Fault(lambda exchange: exchange.until_gone()) for _ in range(9)]
    first = faulty.listings[0]
    child = room.start(patience={"silence": 600})
    assert first.reached.wait(30)
    child.kill(signal.SIGINT)
    assert child.wait(patience=20) == 130
    assert "Traceback" not in child.err
    faulty.listings = []
    room.finish()


# ---------------------------------------------------------------- F5: several at once


def all_at_once(faulty, count):
    """Let nobody have the listing before so many processes have asked for it."""
    barrier = threading.Barrier(count)

    def hold(exchange):
        barrier.wait(60)
        exchange.send()

    for _ in range(count):
        fault = Fault(hold)
        fault.meets = lambda asked, size: "glmsingle" in asked.target
        faulty.listings.append(fault)


@pytest.mark.parametrize("locks", LOCKS)
def test_eight_processes_with_the_same_targets_end_with_one_good_file_each(room, faulty, locks):
    all_at_once(faulty, 8)
    children = [room.start(**locks) for _ in range(8)]
    assert [(child.wait(), child.said) for child in children] == [(0, [])] * 8
    assert has(room.root, OBJECTS)


def test_with_locks_that_work_a_large_file_comes_over_the_wire_once(room, faulty):
    all_at_once(faulty, 4)
    children = [room.start() for _ in range(4)]
    assert [(child.wait(), child.said) for child in children] == [(0, [])] * 4
    assert holds(room.root, OBJECTS)
    assert len(faulty.gets(LARGE)) == PIECES


def test_a_process_that_is_slow_is_waited_for(room, faulty):
    faulty.faults[LARGE] = [fault := Fault.stall_at(4 * PIECE)]
    first = room.start()
    assert fault.reached.wait(30)
    others = [room.start() for _ in range(2)]
    until_asked(faulty, 3)
    fault.go_on.set()
    assert [child.wait() for child in (first, *others)] == [0, 0, 0]
    assert holds(room.root, OBJECTS)
    assert len(faulty.gets(LARGE)) == PIECES


def until_asked(faulty, times):
    """Wait until the dataset was listed some times."""
    for _ in range(3000):
        listed = [asked for asked in faulty.asked if asked.key is None and "glmsingle" in asked.target]
        if len(listed) >= times:
            return
        signal.sigtimedwait([], 0.01)
    raise AssertionError("nobody asks for a listing")


def test_two_processes_with_overlapping_files_end_with_all_of_them(room):
    some, others = (room.start(*DOWNLOAD, "--suffix", *suffixes) for suffixes in (["trials"], ["trials", "statmap"]))
    assert (some.wait(), others.wait()) == (0, 0)
    assert holds(room.root, OBJECTS)


@pytest.mark.parametrize("locks", LOCKS)
def test_the_files_of_a_process_that_was_killed_are_nobodys(room, faulty, locks):
    faulty.faults[LARGE] = [fault := Fault.stall_at(4 * PIECE)]
    first = room.start(**locks)
    assert fault.reached.wait(30)
    second = room.start(**locks)
    until_asked(faulty, 2)
    first.kill(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert (second.wait(), second.said) == (0, [])
    assert has(room.root, OBJECTS)


# ---------------------------------------------------------------- F6: a writer that is still alive


@pytest.mark.parametrize("locks", LOCKS[1:])
def test_a_writer_that_was_taken_for_dead_cannot_change_what_was_published(room, faulty, locks):
    faulty.faults[LARGE] = [fault := Fault.stall_at(4 * PIECE)]
    fault.then = bytes(len(OBJECTS[LARGE]))  # the tail of the slow one is rubbish
    slow = room.start(**locks)
    assert fault.reached.wait(30)
    until_written(room, 4 * PIECE)
    an_hour_ago = time.time() - 3600
    for path in place(room.root, LARGE).parent.glob(".*.part*"):
        os.utime(path, (an_hour_ago, an_hour_ago))
    faulty.asked.clear()
    quick = room.start(**locks)
    assert (quick.wait(), quick.said) == (0, [])
    assert place(room.root, LARGE).read_bytes() == OBJECTS[LARGE]
    assert faulty.ranges(LARGE) == [(4 * PIECE, len(OBJECTS[LARGE]))]  # the rest was taken from the slow one
    fault.go_on.set()
    slow.wait()
    assert place(room.root, LARGE).read_bytes() == OBJECTS[LARGE]
    room.finish()


# ---------------------------------------------------------------- F10: limits of the system


def test_too_many_open_files_are_named(room):
    child = room.start(*DOWNLOAD[:-1], "32", open_files=[1])
    assert child.wait() == 1
    assert all("too many files are open" in line for line in child.said)
    assert is_right(room.root)
    room.finish()


# ---------------------------------------------------------------- O1, O2: without a network


@pytest.mark.parametrize(
    "words", [["--help"], ["download", "--help"], ["ls"], ["ls", "betas"], ["cite"], ["catalog", "validate"]]
)
def test_what_needs_no_network_uses_none(room, tmp_path, words):
    child = room.start(*words, no_network=[str(tmp_path / "used")])
    assert child.wait() == 0
    assert not (tmp_path / "used").exists()


def test_the_status_is_shown_without_a_network(room, tmp_path):
    assert room.start("status", no_network=[str(tmp_path / "used")]).wait() == 0


def test_offline_a_missing_file_is_exit_code_4_and_nothing_is_asked(rooms, faulty):
    room = rooms()
    room.environment["LAION_FMRI_OFFLINE"] = "1"
    child = room.start(no_network=[str(room.root / "used")])
    assert child.wait() == 4
    assert "LAION_FMRI_OFFLINE" in child.err
    assert data_files(room.root) == []
