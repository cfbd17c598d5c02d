"""Markdown that looks right on GitHub: text, code, lists of code, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"([\\`*_<>\[\]~$])")


def escape(text: str) -> str:
    r"""Return plain text as Markdown that shows the same.

    Examples
    --------
    >>> print(escape("R2 < 1, *_statmap"))
    R2 \< 1, \*\_statmap
    """
    return _SPECIAL.sub(r"\\\1", text)


def code(text: str) -> str:
    """Return text as inline code, whatever backticks it holds.

    Examples
    --------
    >>> code("ses-01"), code("a`b")
    ('`ses-01`', '`` a`b ``')
    """
    if "`" not in text:
        return f"`{text}`"
    fence = "`" * (max(map(len, re.findall("`+", text))) + 1)
    return f"{fence} {text} {fence}"


def codes(words: Iterable[str], last: str = ",") -> str:
    """Return words as a list of inline code, `last` standing before the last one.

    Examples
    --------
    >>> codes(["a", "b", "c"], " and")
    '`a`, `b` and `c`'
    """
    *most, end = [*map(code, words)] or [""]
    return f"{', '.join(most)}{last} {end}" if most else end


def link(text: str, target: str) -> str:
    """Return a link with plain text."""
    return f"[{escape(text)}]({target})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Return a table of Markdown cells.

    Examples
    --------
    >>> print(table(["Value", "Meaning"], [["`a|b`", "either"]]))
    | Value | Meaning |
    | --- | --- |
    | `a\|b` | either |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())
