"""A question on standard output and its answer from standard input: a terminal, a notebook, or a pipe."""

from __future__ import annotations

import sys


def ask(prompt: str) -> str | None:
    """Return the line that is typed after a prompt, without blanks around it; None where nobody answers."""
    sys.stdout.write(prompt)
    sys.stdout.flush()
    try:
        line = input()
    except (EOFError, OSError, RuntimeError, ValueError):  # no standard input, or none that can be read
        line = None
    if line is None or not is_terminal():
        sys.stdout.write("\n")
    return None if line is None else line.strip()


def is_terminal() -> bool:
    """Tell whether a person types, so that a wrong answer may be asked for again."""
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
