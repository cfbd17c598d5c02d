"""Processes of the program that start at once: a warm one, which has imported everything, forks them.

`Warm.start` runs a command in a process of its own. What is to go wrong in it is said by name: the functions at the end
of this file, with their arguments.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60  # seconds after which a process that does not end is given up
STEPS = ["create", "write", "flush", "publish", "flush_folder", "remove", "make_folder", "append", "copy"]
TORN = {"write", "append"}  # steps that may be done by half


class Child:
    """A command that runs."""

    def __init__(self, warm, pid, folder):
        self._warm = warm
        self.pid = pid
        self._folder = folder

    def kill(self, signal_):
        os.kill(self.pid, signal_)

    def wait(self, patience=PATIENCE):
        """Return the exit code when it has ended; the negative number of the signal where one ended it."""
        give_up = time.monotonic() + patience
        while (code := self._warm.ask(wait=self.pid)) is None:
            assert time.monotonic() < give_up, f"the command does not end; it said:\n{self.err}"
            time.sleep(0.01)
        return code

    @property
    def err(self):
        return Path(self._folder, "err").read_text()

    @property
    def said(self):
        """Lines of standard error, without those that announce what is done."""
        return [line for line in self.err.splitlines() if not line.startswith("[laion-fmri]")]

    @property
    def out(self):
        return Path(self._folder, "out").read_text()


class Warm:
    """The process that forks others."""

    def __init__(self, process, folder):
        self._process = process
        self._folder = folder
        self._numbers = itertools.count()

    def ask(self, **question):
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, *words, environment=None, **sabotage):
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        pid = self.ask(words=words, environment=environment or dict(os.environ), folder=str(folder), sabotage=sabotage)
        return Child(self, pid, folder)


@contextmanager
def warm_process(folder):
    """Give the process that forks others; it ends, and they with it, at the end of the block."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Warm(process, folder)
        finally:
            process.stdin.close()
            process.wait(PATIENCE)


# ---------------------------------------------------------------- in the warm process


def serve():
    """Fork a process for each question, or tell how one has ended, until the input does."""
    import urllib3  # noqa: F401

    import laion_fmri.cli.download
    import laion_fmri.download
    import laion_fmri.gated  # noqa: F401
    from laion_fmri.catalog import load_catalog

    load_catalog()
    running = set()
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            pid, status = os.waitpid(question["wait"], os.WNOHANG)
            running.discard(pid)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if not answer:
                run(**question)
            running.add(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def run(words, environment, folder, sabotage):
    """Be the program, in a process that was just forked."""
    code = 70
    try:
        for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
            os.dup2(os.open(Path(folder, name), flags | os.O_CREAT), number)
        os.environ.clear()
        os.environ.update(environment)
        for name, arguments in sabotage.items():
            globals()[name](*arguments)
        from laion_fmri.cli import main

        code = main(words)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


# ---------------------------------------------------------------- sabotage


def pieces(size):
    from laion_fmri.storage import pieces

    pieces.PIECE, pieces.AT_ONCE, pieces.SMALL = size, size // 8, size


def patience(limits):
    from dataclasses import replace

    from laion_fmri.storage import retry

    retry.PATIENCE = replace(retry.PATIENCE, **limits)


def steps(log, stop=0, torn=False):
    """Note every step in a file, and end the process as by ``kill -9`` before a step, or in the middle of it."""
    from laion_fmri.storage import system

    numbers = itertools.count(1)
    lock = threading.Lock()

    def stepped(name, step):
        def call(*arguments):
            with lock:
                number = next(numbers)
                with Path(log).open("a") as notes:
                    notes.write(f"{name}\n")
                if number == stop:
                    if torn and name in TORN:
                        fd, data, *place = arguments
                        step(fd, data[: len(data) // 2], *place)
                    os.kill(os.getpid(), signal.SIGKILL)
            return step(*arguments)

        return call

    for name in STEPS:
        setattr(system, name, stepped(name, getattr(system, name)))


def lock_lies():
    """Let every lock succeed, as on file systems that only pretend."""
    import fcntl

    fcntl.flock = lambda *_: None


def lock_is_missing():
    import fcntl

    def flock(*_):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    fcntl.flock = flock


def open_files(spare):
    """Let no more than so many files be open beside those that are now."""
    import resource

    used = {int(file.name) for file in Path("/proc/self/fd").iterdir()}
    used.discard(max(used))  # what the folder itself was read through
    free = (number for number in itertools.count() if number not in used)
    most = next(itertools.islice(free, spare, None))
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def no_network(log):
    """Let every connection and every question for an address fail, and note it in a file."""
    import socket

    def refused(*_, **__):
        Path(log).touch()
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refused


if __name__ == "__main__":
    serve()
