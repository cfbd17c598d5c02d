"""The progress of a download, as a terminal and a pipe show it."""

import json
import os
import pty
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from laion_fmri.progress import Tally, state_text
from laion_fmri.storage.events import Advanced, Denied, Done, Dropped, Failed, Resumed, Started
from laion_fmri.storage.plan import Action, Plan, PlannedFile

COMMAND = [sys.executable, "-m", "laion_fmri.cli", "download", "--subject", "03", "--ses", "averages"]


def everything(leader):
    """Read a terminal until nobody writes to it any more."""
    parts = []
    try:
        while part := os.read(leader, 4096):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts).decode()


def test_a_terminal_shows_a_bar_that_reaches_the_last_file(server, data_dir):
    leader, follower = pty.openpty()
    with ThreadPoolExecutor(1) as pool:
        shown = pool.submit(everything, leader)
        done = subprocess.run(COMMAND, stdout=subprocess.PIPE, stderr=follower, text=True, check=True, timeout=60)
        os.close(follower)
        text = shown.result(timeout=10)
    os.close(leader)
    count = int(done.stdout.split()[0])
    assert f"0/{count} files" in text
    assert f"{count}/{count} files" in text
    assert "━" in text


def test_a_pipe_shows_plain_lines(server, data_dir):
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=True, timeout=60)
    count = int(done.stdout.split()[0])
    assert done.stderr.startswith(f"[laion-fmri] downloading {count} files, ")
    assert "━" not in done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    again = subprocess.run(COMMAND, capture_output=True, text=True, check=True, timeout=60)
    assert again.stderr == ""
    assert again.stdout.startswith(f"0 downloaded, {count} skipped")


def test_json_tells_every_event_on_a_line_and_the_report_at_the_end(server, data_dir):
    done = subprocess.run([*COMMAND, "--json"], capture_output=True, text=True, check=True, timeout=60)
    report, events = json.loads(done.stdout), [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["key"] for event in events if event["event"] == "done"] == report["downloaded"]
    assert {event["key"] for event in events if event["event"] == "started"} == set(report["downloaded"])
    last = events[-1]
    assert last["files_ended"] == last["files"] == len(report["downloaded"])
    assert last["bytes_here"] == last["bytes_total"] == last["bytes_received"] == report["bytes"]


# ---------------------------------------------------------------- what is counted


def planned(name, size):
    return PlannedFile(name, name, size, "tree", Action.DOWNLOAD, "not here yet")


FIRST, SECOND = planned("a", 1000), planned("b", 3000)


@pytest.fixture
def tally():
    return Tally.of(Plan("s3://bucket", "/data", "1", 10**9, (FIRST, SECOND)))


def told(tally, *events):
    for second, event in enumerate(events):
        tally.add(event, second)
    return len(events) - 1


def test_what_an_earlier_run_left_makes_the_rest_no_faster(tally):
    now = told(tally, Started(SECOND), Resumed(SECOND, 2000), Advanced(SECOND, 100), Advanced(SECOND, 100))
    assert (tally.here, tally.received) == (2200, 200)
    assert tally.speed(now) == 100
    assert tally.seconds_left(now) == (4000 - 2200) / 100
    assert state_text(tally, now) == "0/2 files, 2.2 kB of 4.0 kB, 100 B/s, 18 s left"


def test_bytes_that_come_again_are_on_the_wire_twice_and_here_once(tally):
    told(tally, Started(FIRST), Advanced(FIRST, 600), Dropped(FIRST, 600), Advanced(FIRST, 1000), Done(FIRST, None))
    assert (tally.ended, tally.here, tally.received) == (1, 1000, 1600)


def test_a_file_that_does_not_come_is_not_waited_for(tally):
    now = told(tally, Advanced(FIRST, 400), Advanced(SECOND, 500), Failed(FIRST, OSError("full")))
    assert (tally.total, tally.here) == (3000, 500)
    tally.add(Denied(SECOND, "no"), now)
    assert (tally.total, tally.here, tally.ended) == (0, 0, 2)


def test_the_speed_is_that_of_lately(tally):
    for second in range(100):
        tally.add(Advanced(SECOND, 10 if second < 50 else 20), second)
    assert tally.speed(99) == 20


def test_without_bytes_nothing_is_said_of_speed(tally):
    assert tally.seconds_left(0) is None
    assert state_text(tally, 0) == "0/2 files, 0 B of 4.0 kB"
