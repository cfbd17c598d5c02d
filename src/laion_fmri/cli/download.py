"""``laion-fmri download``: its flags are the filters and the trees of the catalog."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.rules import Tree
from laion_fmri.cli.flags import ValuesCommand, ValuesOption, flag_of, subject_option, values_help

if TYPE_CHECKING:
    from laion_fmri.fetch import Report
    from laion_fmri.storage.plan import Plan

_HELP = """Download the files of a subject, narrowed by the filters below.

{example} A file that is here with its listed size is skipped, so the same command run again fetches what is missing.
The licence is asked for once; the answer may be piped in.
"""


def download_command(catalog: CatalogFile) -> click.Command:
    """Return the command for a catalog."""
    subject = catalog.definitions.discovery.subjects.entity

    def run(n_jobs: int, dry_run: bool, as_json: bool, **given: Any) -> int:
        filters = {name: list(given[name]) or None for name in catalog.filters}
        flags = {name: _wanted(given[name]) for name in catalog.flags}
        if dry_run:
            return _show(_plan(catalog, given[subject], filters, flags), as_json)
        return _download({subject: given[subject], **filters, **flags, "n_jobs": n_jobs}, as_json)

    return ValuesCommand("download", callback=run, params=_params(catalog, subject), help=_help(catalog))


def _help(catalog: CatalogFile) -> str:
    keyed = [(name, entity) for name, entity in catalog.filters.items() if entity.kind == "key" and entity.known]
    return _HELP.format(example=_example(*keyed[0]) if keyed else "")


def _example(name: str, entity: Entity) -> str:
    tokens = [f"{entity.key_of(name)}-{value}" for value in entity.known[:2]]
    several = f"one flag takes several: {flag_of(name)} {' '.join(tokens)}"
    return f"A value is bare ({entity.known[0]}) or a full token ({tokens[0]}); {several}."


def _params(catalog: CatalogFile, subject: str) -> list[click.Parameter]:
    return [
        subject_option(subject, catalog.entities[subject]),
        *(ValuesOption(name, [entity]) for name, entity in catalog.filters.items()),
        *(_tree_option(catalog, name, tree) for name, tree in catalog.flags.items()),
        click.Option(["--n-jobs"], type=int, default=1, metavar="N", show_default=True, help="Files fetched at once."),
        click.Option(["--dry-run"], is_flag=True, help="Show what would be done; asks for no licence."),
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            help="Print the plan or the report as JSON; all else, the licence too, goes to standard error.",
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


def _plan(catalog: CatalogFile, subject: str, filters: Mapping[str, object], flags: Mapping[str, object]) -> Plan:
    from laion_fmri.config import data_root
    from laion_fmri.fetch import survey
    from laion_fmri.selection import resolve_request
    from laion_fmri.storage.bucket import Bucket

    root = data_root()
    return survey(catalog, resolve_request(catalog, subject, filters, flags), Bucket(catalog.remote), root)


def _show(plan: Plan, as_json: bool) -> int:
    from laion_fmri.cli.plan import print_plan

    if as_json:
        click.echo(plan.to_json())
    else:
        print_plan(plan)
    return 0


def _download(arguments: Mapping[str, Any], as_json: bool) -> int:
    from laion_fmri.download import download as fetch

    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        report = fetch(**arguments)
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
