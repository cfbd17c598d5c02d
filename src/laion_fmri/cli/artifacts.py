"""The argument that names artifacts of the catalog."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import click

from laion_fmri.cli.flags import open_option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class ArtifactArgument(click.Argument):
    """One artifact, or none, or any number of them; completes the names of the catalog."""

    def __init__(self, names: Collection[str], several: bool = False) -> None:
        self.names = names
        super().__init__(["artifacts" if several else "artifact"], required=False, nargs=-1 if several else 1)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Suggest artifacts, unless the last flag takes the word."""
        from click.shell_completion import CompletionItem

        option = open_option(ctx)
        if option:
            return option.shell_complete(ctx, incomplete)
        return [CompletionItem(name) for name in self.names if name.startswith(incomplete)]
