"""The program: its commands by name, each imported when it is used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import NamedTuple

import click

PROGRAM = "laion-fmri"


class Place(NamedTuple):
    """Where a command is, and what it does, in one line."""

    module: str
    attribute: str
    summary: str


COMMANDS = {
    "config": Place("config", "config", "Choose the data directory."),
    "info": Place("info", "info", "Show the dataset, its subjects and its ROIs."),
    "download": Place("download", "download", "Download the files of a subject."),
    "optimize": Place("optimize", "optimize", "Write local stores, from which betas are read in a moment."),
    "accept-license": Place("access", "accept_license", "Show the licence of the public data and accept it."),
    "request-access": Place("access", "request_access", "Fill in the form of the data-use agreement."),
    "status": Place("status", "status", "Show what is agreed to, and how much of each artifact is here."),
    "verify": Place("verify", "verify", "Check the files that are here."),
    "repair": Place("repair", "repair", "Download anew what is wrong or missing."),
    "lock": Place("lock", "lock", "Write down which files are here, for a paper."),
    "ls": Place("ls", "ls", "List the artifacts of the catalog, or the files of one."),
    "cite": Place("cite", "cite", "Show how to cite the dataset, its release and its licence."),
    "catalog": Place("catalog", "catalog", "Check a catalog file."),
    "reference": Place("reference", "reference", "Write the reference pages and schemas from the catalog."),
    "demo": Place("demo", "demo", "Run the main job on an offline miniature of the dataset."),
}


def commands() -> dict[str, Place]:
    """Return the commands by name, with those for trees of the catalog that have their own, or are gated."""
    from laion_fmri.catalog import load_catalog

    catalog = load_catalog()
    own = {
        tree.command: Place("download" if tree.by_filters else "alone", tree.name, f"Download: {tree.description}")
        for tree in catalog.definitions.trees.values()
        if tree.command
    }
    gated = dict.fromkeys(artifact.tree.name for artifact, _ in catalog.gated)
    purges = {f"purge-{tree}": Place("purge", tree, "Remove what was downloaded under an agreement.") for tree in gated}
    return {**COMMANDS, **own, **purges}


_EPILOG = """\b
Completion of commands, flags and values, for this shell (put the line into its start file to keep it):
  bash  eval "$(_LAION_FMRI_COMPLETE=bash_source laion-fmri)"
  zsh   eval "$(_LAION_FMRI_COMPLETE=zsh_source laion-fmri)"
  fish  _LAION_FMRI_COMPLETE=fish_source laion-fmri | source

\b
Exit codes: 0 all there, 1 missing, failed or nothing matched, 2 usage, 3 consent needed,
4 offline and not here, 5 no space, 130 interrupted, 143 terminated.
"""


@dataclass
class Settings:
    """What holds for every command."""

    debug: bool = False


class LazyGroup(click.Group):
    """A group that imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order of the work."""
        return list(commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        place = COMMANDS.get(cmd_name) or commands().get(cmd_name)
        if place is None:
            return None
        command: click.Command = getattr(import_module(f"laion_fmri.cli.{place.module}"), place.attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first word names; name the nearest for a wrong one."""
        if args[0] not in COMMANDS and args[0] not in (known := commands()) and not ctx.resilient_parsing:
            from laion_fmri.catalog.words import did_you_mean

            raise click.UsageError(f"there is no command {args[0]}{did_you_mean(args[0], known)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in commands().items()])


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from laion_fmri import __version__

        click.echo(f"{PROGRAM} {__version__}")
        ctx.exit()


def _keep_debug(ctx: click.Context, _: click.Parameter, debug: bool) -> None:
    ctx.ensure_object(Settings).debug = debug


@click.group(cls=LazyGroup, invoke_without_command=True, epilog=_EPILOG)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
@click.option("--debug", is_flag=True, expose_value=False, callback=_keep_debug, help="Show the traceback of an error.")
@click.pass_context
def program(ctx: click.Context) -> None:
    """Browse, plan, download and read a public dataset that a catalog describes."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
