"""A command on a terminal of its own, and somebody who types."""

import os
import pty
import select
import subprocess
import sys
import time
from contextlib import contextmanager

PROGRAM = [sys.executable, "-m", "laion_fmri.cli"]
PATIENCE = 60  # seconds after which a test gives a hanging command up


class Terminal:
    """What a command shows, and a keyboard."""

    def __init__(self, process, end):
        self.process = process
        self.end = end
        self.shown = ""
        self.seen = 0

    def until(self, text):
        """Read until the command shows a text after what was waited for before."""
        give_up = time.monotonic() + PATIENCE
        while text not in self.shown[self.seen :]:
            assert time.monotonic() < give_up, f"{text!r} never came; shown so far:\n{self.shown}"
            if not self.read():
                raise AssertionError(f"{text!r} never came before the end; shown:\n{self.shown}")
        self.seen = self.shown.index(text, self.seen) + len(text)

    def read(self):
        if not select.select([self.end], [], [], 0.2)[0]:
            return True
        try:
            piece = os.read(self.end, 1 << 16)
        except OSError:  # the other end is closed
            return False
        self.shown += piece.decode()
        return bool(piece)

    def types(self, text):
        os.write(self.end, text.encode())

    def answers(self, **answers):
        for prompt, line in answers.items():
            self.until(prompt.replace("_", " "))
            self.types(f"{line}\n")

    def ends(self):
        """Read to the end and return the exit code."""
        give_up = time.monotonic() + PATIENCE
        while self.read():
            assert time.monotonic() < give_up, f"the command does not end; shown:\n{self.shown}"
        return self.process.wait(PATIENCE)


@contextmanager
def terminal(*words):
    """Run a command of the program on a terminal of its own."""
    mine, its = pty.openpty()
    process = subprocess.Popen([*PROGRAM, *words], stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    try:
        yield Terminal(process, mine)
    finally:
        process.kill()
        process.wait()
        os.close(mine)
