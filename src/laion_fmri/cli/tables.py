"""Tables for people: as wide as a terminal is, and unbroken lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

_UNBROKEN = 100_000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else _UNBROKEN, highlight=False).print(table)
