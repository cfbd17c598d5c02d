"""``laion-fmri repair``: anew what is wrong or missing."""

from __future__ import annotations

from collections.abc import Iterable

import click

from laion_fmri.catalog import load_catalog
from laion_fmri.cli.artifacts import ArtifactArgument
from laion_fmri.cli.flags import jobs_option

_HELP = """Download anew what laion-fmri verify finds wrong or missing, of all files or of some ARTIFACTS.

Nothing else is touched, and an old file stays until the new one is whole. See docs/integrity.md.
"""


def repair_command(names: Iterable[str]) -> click.Command:
    """Return the command for the artifacts of a catalog."""

    def run(artifacts: tuple[str, ...], full: bool, dry_run: bool, n_jobs: int) -> int:
        from laion_fmri.cli.download import tell
        from laion_fmri.cli.plan import print_plan
        from laion_fmri.cli.verify import verification
        from laion_fmri.config import data_root
        from laion_fmri.selection import usable_jobs
        from laion_fmri.verification import remedy

        found = verification(artifacts, full)
        if not (found.wrong or found.missing):
            click.echo(f"There is nothing to repair: {found.summary()}")
            return 0
        supply = remedy(load_catalog(), data_root(), found, usable_jobs(n_jobs))
        if dry_run:
            print_plan(supply.plan)
            return 0
        return tell(supply.fetch())

    params: list[click.Parameter] = [
        ArtifactArgument([*names], several=True),
        click.Option(["--full"], is_flag=True, help="Read every file, to find what has only another content."),
        click.Option(["--dry-run"], is_flag=True, help="Show what would be done."),
        jobs_option(),
    ]
    return click.Command("repair", callback=run, params=params, help=_HELP)


repair = repair_command(load_catalog().sources)
