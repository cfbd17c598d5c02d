"""The acknowledgement of a licence: shown once, answered once, remembered in the data directory."""

from __future__ import annotations

import sys
from pathlib import Path

from laion_fmri.access.ask import ask
from laion_fmri.catalog import read_text
from laion_fmri.catalog.policies import Acknowledge
from laion_fmri.errors import LicenseNotAcceptedError

ACCEPT = "laion-fmri accept-license"


def is_acknowledged(policy: Acknowledge, data_dir: Path) -> bool:
    """Tell whether the licence has been accepted for a data directory."""
    return (data_dir / policy.marker).exists()


def acknowledge(policy: Acknowledge, data_dir: Path, texts: Path, answer: str | None = None) -> None:
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
    answer : str, optional
        The answer, where it was given beforehand.

    Raises
    ------
    LicenseNotAcceptedError
        If the answer is another one, or if nobody is there to answer.
    """
    if is_acknowledged(policy, data_dir):
        return
    text = read_text(texts / policy.text)
    if answer is None:
        said = ask(text + policy.prompt)
    else:
        sys.stdout.write(f"{text}{policy.prompt}{answer}\n")
        said = answer
    if said != policy.answer:
        raise LicenseNotAcceptedError(_refusal(policy, said))
    marker = data_dir / policy.marker
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _refusal(policy: Acknowledge, said: str | None) -> str:
    why = "there was no answer to read" if said is None else f"the answer was {said!r}, not {policy.answer!r}"
    return (
        f"The license {policy.license} was not accepted: {why}. Nothing was downloaded. Accept it once for this data "
        f"directory: {ACCEPT} (where nobody can type: {ACCEPT} --yes)"
    )
