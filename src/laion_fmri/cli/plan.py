"""A plan, for people."""

from __future__ import annotations

import click

from laion_fmri.cli.tables import print_table
from laion_fmri.progress import size_text
from laion_fmri.storage.plan import OUTCOMES, Action, Plan, PlannedFile

_MOST_FILES = 10


def print_plan(plan: Plan) -> None:
    """Print what a download would do: by tree, in all, and the first files."""
    click.echo(f"From {plan.remote} to {plan.data_dir}\n")
    print_table(["tree", *OUTCOMES.values()], rows(plan))
    verdict = "it fits" if plan.fits else "it does not fit"
    click.echo(f"\n{size_text(plan.bytes_to_download)} to download, {size_text(plan.free)} free: {verdict}.")
    for action in (Action.DOWNLOAD, Action.REFUSE):
        _print_files(OUTCOMES[action].capitalize(), plan.of(action))


def rows(plan: Plan) -> list[list[str]]:
    """Return files and bytes by tree and action, and the totals."""
    trees = list(dict.fromkeys(file.tree for file in plan.files))
    parts = {tree: [file for file in plan.files if file.tree == tree] for tree in trees}
    return [
        [name, *(_amount([file for file in files if file.action is action]) for action in OUTCOMES)]
        for name, files in {**parts, "in all": plan.files}.items()
    ]


def _amount(files: list[PlannedFile]) -> str:
    if not files:
        return "-"
    return f"{len(files)} file{'s' if len(files) > 1 else ''}, {size_text(sum(file.size for file in files))}"


def _print_files(title: str, files: tuple[PlannedFile, ...]) -> None:
    if not files:
        return
    shown = sorted(files, key=lambda file: -file.size)[:_MOST_FILES]
    rest = len(files) - len(shown)
    click.echo(f"\n{title}{', the largest' if rest else ''}:")
    for file in shown:
        click.echo(f"  {size_text(file.size):>9}  {file.key} ({file.reason})")
    if rest:
        click.echo(f"  and {rest} more; --json names every one")
