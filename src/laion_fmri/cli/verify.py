"""``laion-fmri verify``: what the files that are here are like."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from laion_fmri.catalog import load_catalog
from laion_fmri.cli.artifacts import ArtifactArgument

if TYPE_CHECKING:
    from laion_fmri.verification import Finding, Verification

_MOST_SHOWN = 100
_SECONDS_BETWEEN_LINES = 10.0
_HELP = """Check the files in the data directory, all of them or those of some ARTIFACTS. Uses no network.

A quick check compares size and time of each file with the receipt of its download. A full one reads every file and
compares its checksum; a file that came from elsewhere has its format checked, and is known from then on. Exit code 1
unless every file is whole. See docs/integrity.md.
"""


def verify_command(names: Iterable[str]) -> click.Command:
    """Return the command for the artifacts of a catalog."""

    def run(artifacts: tuple[str, ...], full: bool, forget: bool, as_json: bool) -> int:
        found = verification(artifacts, full)
        found = _forgotten(found) if forget else found
        click.echo(_json(found)) if as_json else show(found)
        return 0 if found.complete else 1

    params: list[click.Parameter] = [
        ArtifactArgument([*names], several=True),
        click.Option(["--full/--quick"], help="Read every file, or only compare sizes and times. Default: quick."),
        click.Option(["--forget"], is_flag=True, help="What is missing was removed on purpose: miss it no longer."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
    ]
    return click.Command("verify", callback=run, params=params, help=_HELP)


def verification(artifacts: tuple[str, ...], full: bool) -> Verification:
    """Return what the files are like; a full check says on standard error how far it is, from time to time."""
    from laion_fmri.config import data_root
    from laion_fmri.inventory import inventory
    from laion_fmri.verification import Verification, examine

    catalog, root = load_catalog(), data_root()
    items = inventory(catalog, root, artifacts)
    return Verification(str(root), full, tuple(_followed(examine(catalog, root, items, full), len(items))))


def _followed(findings: Iterable[Finding], count: int) -> Iterator[Finding]:
    last = time.monotonic()
    for done, finding in enumerate(findings, 1):
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            sys.stderr.write(f"[laion-fmri] checked {done}/{count} files\n")
        yield finding


def _forgotten(found: Verification) -> Verification:
    """Note that what is missing was removed on purpose, and return the rest."""
    from laion_fmri.storage.receipts import forget
    from laion_fmri.storage.verify import State

    forget(Path(found.data_dir), [one.path for one in found.missing])
    return replace(found, findings=tuple(one for one in found.findings if one.state is not State.MISSING))


def show(found: Verification) -> None:
    """Print what is not whole, and how many files are of which state."""
    from laion_fmri.cli.tables import print_table
    from laion_fmri.storage.verify import State

    others = [finding for finding in found.findings if finding.state is not State.WHOLE]
    if others:
        print_table(
            ["file", "is", "because", "next"],
            ([one.path, one.state, one.reason, _next(one, found.full)] for one in others[:_MOST_SHOWN]),
        )
        rest = len(others) - _MOST_SHOWN
        click.echo(f"and {rest} more; --json names every one\n" if rest > 0 else "")
    click.echo(f"{found.summary()}, in {found.data_dir}")


def _next(finding: Finding, full: bool) -> str:
    """Return the command that helps."""
    from laion_fmri.storage.verify import State

    of_artifact = f" {finding.artifact}" if finding.artifact else ""
    if finding.state in (State.WRONG, State.MISSING):
        return f"laion-fmri repair{' --full' if full and finding.state is State.WRONG else ''}{of_artifact}"
    return f"laion-fmri verify --full{of_artifact}"


def _json(found: Verification) -> str:
    from laion_fmri.storage.verify import State

    return json.dumps(
        {
            "data_dir": found.data_dir,
            "full": found.full,
            "complete": found.complete,
            "counts": {str(state): len(found.of(state)) for state in State},
            "files": [
                {"path": one.path, "artifact": one.artifact, "state": one.state, "reason": one.reason}
                for one in found.findings
                if one.state is not State.WHOLE
            ],
        },
        indent=2,
    )


verify = verify_command(load_catalog().sources)
