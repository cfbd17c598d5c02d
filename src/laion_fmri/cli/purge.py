"""``laion-fmri purge-...``: the end of an agreement, one command for each tree that is given under one."""

from __future__ import annotations

import os

import click

from laion_fmri.catalog import CatalogFile, load_catalog

_ANSWER = "yes"
_DECLINED = 3
_HELP = """Remove what was downloaded under an agreement, and what is kept of the agreement.

At the end of a project, or when files are taken down. Copies that you made elsewhere are yours to remove.
"""


def purge_command(catalog: CatalogFile, name: str) -> click.Command:
    """Return the command that removes the files of a tree that are given under an agreement."""
    artifacts = [artifact for artifact, _ in catalog.gated if artifact.tree.name == name]

    def run(yes: bool) -> int:
        from laion_fmri.access import credentials
        from laion_fmri.config import data_root
        from laion_fmri.gated import gated_files
        from laion_fmri.storage.receipts import forget

        root, kept = data_root(), credentials.auth_path()
        doomed = [path for artifact in artifacts for path in gated_files(artifact, root)]
        doomed += [kept] if os.path.lexists(kept) else []
        click.echo("".join(f"{path}\n" for path in doomed) or "There is nothing to remove\n", nl=False)
        if doomed and not yes and not _confirmed():
            click.echo("laion-fmri: nothing was removed", err=True)
            return _DECLINED
        for path in doomed:
            path.unlink(missing_ok=True)
        forget(root, [path.relative_to(root).as_posix() for path in doomed if path.is_relative_to(root)])
        if credentials.VARIABLE in os.environ:
            click.echo(f"{credentials.VARIABLE} still holds an identifier; unset it")
        return 0

    confirmed = click.Option(["--yes"], is_flag=True, help="Remove without being asked.")
    return click.Command(f"purge-{name}", callback=run, params=[confirmed], help=_HELP)


def _confirmed() -> bool:
    from laion_fmri.access.ask import ask

    return ask(f'Type "{_ANSWER}" to remove these files: ') == _ANSWER


def __getattr__(name: str) -> click.Command:
    catalog = load_catalog()
    if name in {artifact.tree.name for artifact, _ in catalog.gated}:
        return purge_command(catalog, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
