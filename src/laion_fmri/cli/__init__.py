"""Floor 5: the command line.

`main` runs a command and turns whatever goes wrong into one message on standard error and an exit code.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from laion_fmri.cli.app import PROGRAM, Settings, program
from laion_fmri.cli.signals import EndedError, ending_signals
from laion_fmri.errors import LaionFMRIError

__all__ = ["main"]

_INTERRUPTED = 130
_AGAIN = "interrupted; run the same again to continue"


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command of ``laion-fmri``.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the name of the program; those of the process where left out.

    Returns
    -------
    int
        Exit code: 0 all there, 1 something missing or failed or nothing matched, 2 usage, 3 consent needed,
        4 offline and not here, 5 no space, 130 interrupted, 143 terminated.
    """
    _open_missing_streams()
    settings = Settings()
    with _plain_warnings(), ending_signals():
        try:
            code = program.main(argv, prog_name=PROGRAM, standalone_mode=False, obj=settings)
            sys.stdout.flush()
        except EndedError as error:
            return _tell(_AGAIN, error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            return _tell(_AGAIN, _INTERRUPTED)
        except click.UsageError as error:
            place = error.ctx.command_path if error.ctx else PROGRAM
            return _tell(f"{error.format_message()} (see: {place} --help)", error.exit_code)
        except BrokenPipeError:
            return _leave_quietly()
        except (LaionFMRIError, OSError) as error:
            if settings.debug:
                traceback.print_exc()
            return _tell(str(error), getattr(error, "exit_code", 1))
    return int(code or 0)


def _tell(message: str, exit_code: int) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return exit_code


def _open_missing_streams() -> None:
    """Stand in for standard streams that the caller has closed: a question gets no answer, not a crash."""
    for name, mode in {"stdin": "r", "stdout": "w", "stderr": "w"}.items():
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _leave_quietly() -> int:
    """Let nothing more be written to a pipe that nobody reads, not even when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show each warning for the user as one line, whatever the filters of the process are."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        _tell(f"warning: {message}", 0)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield
