"""The progress of a download, as a terminal and a pipe show it."""

import os
import pty
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

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
