"""The acknowledgement of a licence: shown once, answered once, remembered in the data directory."""

from __future__ import annotations

import sys
from pathlib import Path

from laion_fmri.catalog import read_text
from laion_fmri.catalog.policies import Acknowledge
from laion_fmri.errors import LicenseNotAcceptedError


def is_acknowledged(policy: Acknowledge, data_dir: Path) -> bool:
    """Tell whether the licence has been accepted for a data directory."""
    return (data_dir / policy.marker).exists()


def acknowledge(policy: Acknowledge, data_dir: Path, texts: Path) -> None:
    """Ask for the acceptance of a licence, unless it was given before.

    The text and the question go to standard output, the answer comes from standard input, so it may be piped in.

    Parameters
    ----------
    policy : Acknowledge
        The text, the question, the answer that accepts and the marker that remembers it.
    data_dir : Path
        Where the marker is written.
    texts : Path
        Folder of the catalog, beside which the text lies.

    Raises
    ------
    LicenseNotAcceptedError
        If the answer is another one, or if nobody is there to answer.
    """
    if is_acknowledged(policy, data_dir):
        return
    sys.stdout.write(read_text(texts / policy.text) + policy.prompt)
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not (sys.stdin.isatty() and answer.endswith("\n")):
        sys.stdout.write("\n")
    if answer.strip() != policy.answer:
        raise LicenseNotAcceptedError(_refusal(policy, answer))
    marker = data_dir / policy.marker
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _refusal(policy: Acknowledge, answer: str) -> str:
    said = f"the answer was {answer.strip()!r}" if answer else "there was no answer to read"
    return (
        f"The license {policy.license} was not accepted: {said}. Nothing was downloaded. "
        f'Run the same again and type {policy.answer}, or pipe it in: echo "{policy.answer}" | laion-fmri download ...'
    )
