"""``laion-fmri download``: its flags are the filters and the trees of the catalog.

A tree with filters of its own has such a command too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

import click

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.rules import Tree
from laion_fmri.cli.flags import (
    ValuesCommand,
    ValuesOption,
    flag_of,
    is_given,
    jobs_option,
    subject_option,
    values_help,
)
from laion_fmri.errors import AccessServiceError

if TYPE_CHECKING:
    from laion_fmri.fetch import Report
    from laion_fmri.selection import DownloadRequest
    from laion_fmri.storage.plan import Plan

_HELP = """{what}

{example} A file that is here with its listed size is skipped, so the same command run again fetches what is missing.
The licence is asked for once; the answer may be piped in.
"""
_LOCKED = "locked"
_BESIDE_LOCKED = ("n_jobs", "dry_run", "as_json", _LOCKED)
_OF_A_SUBJECT = "Download the files of a subject, narrowed by the filters below."
_OF_A_TREE = """Download, for a subject: {tree}

Narrowed by the filters below; the files of the whole dataset come along.
"""


def download_command(catalog: CatalogFile) -> click.Command:
    """Return the command for a catalog."""
    subject = catalog.definitions.discovery.subjects.entity

    def run(locked: str | None, n_jobs: int, dry_run: bool, as_json: bool, **given: Any) -> int:
        from laion_fmri.download import download as fetch
        from laion_fmri.selection import resolve_request

        if locked:
            return _download_locked(locked, n_jobs, dry_run, as_json)
        filters = {name: list(given[name]) or None for name in catalog.filters}
        flags = {name: _wanted(given[name]) for name in catalog.flags}
        if dry_run:
            return _show(_plan(catalog, resolve_request(catalog, given[subject], filters, flags)), as_json)
        arguments = {subject: given[subject], **filters, **flags, "n_jobs": n_jobs}
        return _download(lambda: fetch(**arguments), as_json)

    flags = [_tree_option(catalog, name, tree) for name, tree in catalog.flags.items()]
    one, *others = _params(catalog, catalog.filters, flags, _LOCKED)
    params = [one, _locked_option(), *others]
    command = _SubjectCommand("download", callback=run, params=params, help=_help(_OF_A_SUBJECT, catalog.filters))
    command.catalog = catalog
    return command


class _SubjectCommand(ValuesCommand):
    """A command that knows which other commands have an option that it lacks."""

    catalog: CatalogFile

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words of the command line."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = error.option_name.lstrip("-").replace("-", "_")
            commands = [f"laion-fmri {tree.command}" for tree in self.catalog.trees_with_filter(name)]
            if not commands:
                raise
            message = f"{error.option_name} is no option here, but of {' and '.join(commands)}"
            raise click.UsageError(message, ctx) from None


def _locked_option() -> click.Option:
    return click.Option(
        ["--locked"],
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        is_eager=True,
        help="Download exactly the files that a lock file names (see laion-fmri lock), in place of those of a subject.",
    )


def _download_locked(path: str, n_jobs: int, dry_run: bool, as_json: bool) -> int:
    from laion_fmri.config import data_root
    from laion_fmri.download import download_locked
    from laion_fmri.locked import Locked
    from laion_fmri.lockfile import read_lock

    context = click.get_current_context()
    others = [flag_of(name) for name in context.params if is_given(context, name) and name not in _BESIDE_LOCKED]
    if others:
        raise click.UsageError(f"the lock file says what is downloaded; leave out {', '.join(others)}", context)
    if dry_run:
        return _show(Locked(read_lock(path), load_catalog(), data_root()).plan, as_json)
    return _download(lambda: download_locked(path, n_jobs), as_json)


def tree_download_command(catalog: CatalogFile, name: str) -> click.Command:
    """Return the command that fetches one tree, narrowed by its filters."""
    subject = catalog.definitions.discovery.subjects.entity
    tree = catalog.definitions.trees[name]
    known = catalog.filters_of(tree)

    def run(n_jobs: int, dry_run: bool, as_json: bool, **given: Any) -> int:
        from laion_fmri.download import download_tree
        from laion_fmri.selection import resolve_tree_request

        filters = {one: list(given[one]) or None for one in known}
        if dry_run:
            return _show(_plan(catalog, resolve_tree_request(catalog, tree, given[subject], filters)), as_json)
        arguments = {subject: given[subject], **filters, "n_jobs": n_jobs}
        return _download(lambda: download_tree(name, **arguments), as_json)

    text = _help(_OF_A_TREE.format(tree=tree.description), known)
    return ValuesCommand(tree.command, callback=run, params=_params(catalog, known), help=text)


def __getattr__(name: str) -> click.Command:
    catalog = load_catalog()
    tree = catalog.definitions.trees.get(name)
    if tree and tree.by_filters:
        return tree_download_command(catalog, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _help(what: str, filters: Mapping[str, Entity]) -> str:
    keyed = [(name, entity) for name, entity in filters.items() if entity.kind == "key" and entity.known]
    return _HELP.format(what=what, example=_example(*keyed[0]) if keyed else "")


def _example(name: str, entity: Entity) -> str:
    tokens = [f"{entity.key_of(name)}-{value}" for value in entity.known[:2]]
    several = f"one flag takes several: {flag_of(name)} {' '.join(tokens)}"
    return f"A value is bare ({entity.known[0]}) or a full token ({tokens[0]}); {several}."


def _params(
    catalog: CatalogFile, filters: Mapping[str, Entity], flags: Iterable[click.Option] = (), unless: str | None = None
) -> list[click.Parameter]:
    subject = catalog.definitions.discovery.subjects.entity
    return [
        subject_option(subject, catalog.entities[subject], unless),
        *(ValuesOption(name, [entity]) for name, entity in filters.items()),
        *flags,
        jobs_option(),
        click.Option(["--dry-run"], is_flag=True, help="Show what would be done; asks for no licence."),
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            help="Print the plan or the report as JSON. All else goes to standard error: the licence and progress, one "
            "JSON object a line.",
        ),
    ]


def _tree_option(catalog: CatalogFile, name: str, tree: Tree) -> click.Option:
    if tree.choice is None:
        return click.Option([flag_of(name), name], is_flag=True, help=tree.description)
    entity = catalog.entities[tree.choice]
    text = f"{tree.description} {values_help(entity)} Without a value: all."
    return ValuesOption(name, [entity], [ALL], alone=ALL, help=text)


def _wanted(given: bool | tuple[str, ...]) -> bool | list[str]:
    if isinstance(given, bool):
        return given
    return True if ALL in given else list(given)


def _plan(catalog: CatalogFile, request: DownloadRequest) -> Plan:
    from laion_fmri.config import data_root
    from laion_fmri.fetch import survey
    from laion_fmri.gated import gated_parts, with_gated
    from laion_fmri.storage.bucket import Bucket

    root = data_root()
    request, gated = gated_parts(catalog, request, root)
    return with_gated(survey(catalog, request, Bucket(catalog.remote), root), gated)


def _show(plan: Plan, as_json: bool) -> int:
    from laion_fmri.cli.plan import print_plan

    if as_json:
        click.echo(plan.to_json())
    else:
        print_plan(plan)
    return 0


def _download(fetch: Callable[[], Report], as_json: bool) -> int:
    from laion_fmri.progress import as_json_lines

    try:
        with as_json_lines(as_json), redirect_stdout(sys.stderr) if as_json else nullcontext():
            report = fetch()
    except AccessServiceError as error:
        if error.report is not None:
            tell(cast("Report", error.report), as_json)
        raise
    return tell(report, as_json)


def tell(report: Report, as_json: bool = False) -> int:
    """Print what a download did, and return the exit code that it ends with."""
    click.echo(_json(report) if as_json else _line(report))
    if not report:
        click.echo("laion-fmri: nothing matched", err=True)
    return 0 if report and report.complete else 1


def _json(report: Report) -> str:
    return json.dumps({**asdict(report), "complete": report.complete}, indent=2)


def _line(report: Report) -> str:
    from laion_fmri.progress import summary

    counts = {name: len(getattr(report, name)) for name in ("downloaded", "skipped", "denied", "failed")}
    return summary(counts, report.bytes, report.seconds)


download = download_command(load_catalog())
