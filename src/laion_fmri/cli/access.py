"""``laion-fmri accept-license`` and ``request-access``: consent, asked for."""

from __future__ import annotations

import click

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.policies import Acknowledge


@click.command
@click.option("--yes", is_flag=True, help="Accept without being asked, for where nobody can type.")
def accept_license(yes: bool) -> None:
    """Show the licence of the public data and accept it, once for a data directory.

    With --yes it is shown and accepted at once. The data-use agreement has no such way: its form asks who you are.
    """
    from laion_fmri.access.acknowledge import acknowledge, is_acknowledged
    from laion_fmri.catalog import catalog_path
    from laion_fmri.config import data_root

    root = data_root()
    for policy in load_catalog().definitions.access.values():
        if isinstance(policy, Acknowledge):
            known = is_acknowledged(policy, root)
            acknowledge(policy, root, catalog_path().parent, policy.answer if yes else None)
            click.echo(f"{policy.license} {'was accepted before' if known else 'is accepted'} for {root}")


@click.command
def request_access() -> None:
    """Fill in the form of the data-use agreement.

    The terms, the privacy notice and the take-down page are shown first. Nothing is sent before all answers are good.
    An agreement that was there before is replaced.
    """
    from laion_fmri.agreements import request_stimulus_access

    request_stimulus_access()
    for command in dict.fromkeys(artifact.tree.command for artifact, _ in load_catalog().gated):
        click.echo(f"To download its files: laion-fmri {command}")
