"""The values that a catalog writes down for an entity, each kind with its own check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationInfo

from laion_fmri.catalog.words import did_you_mean

ALL = "all"

_NAME = r"(?:\.*[^/.\x00-\x1f\x7f][^/\x00-\x1f\x7f]*|\.{3,})"  # of a file or a folder, but for . and ..
ANY_PATH = f"{_NAME}(?:/{_NAME})*"

_SEPARATORS = {"key": "/_", "suffix": "/_.", "extension": "/", "name": "/", "path": ""}
MOST_DIGITS = 4
_NO_VALUES = ("", "/", "a/b", "_", "a_b", ".", "..")
_NO_PATHS = ("", "/", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/.", "a/..", "a/../b")


def numbers_or_values(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values that ``range`` counts or ``values`` lists; nothing for a pattern.

    Examples
    --------
    >>> numbers_or_values({"range": ("08", "11")})
    ('08', '09', '10', '11')
    """
    if fields.get("range"):
        first, last = fields["range"]
        return tuple(f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1))
    return fields.get("values") or ()


def _findable(values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    separators = _SEPARATORS[info.data.get("kind", "key")]
    for value in values:
        if not value.strip(".") or set(value) & set(separators):
            wrong = " ".join(separators)
            raise ValueError(f"{value!r} is no value: it is empty, dots, or has one of the separators {wrong}")
        if values.count(value) > 1:
            raise ValueError(f"{value} stands here twice")
    return values


def _countable(limits: tuple[str, str]) -> tuple[str, str]:
    first, last = limits
    numbers = all(limit.isascii() and limit.isdecimal() for limit in limits)
    if not numbers or len(first) != len(last) or len(first) > MOST_DIGITS or first > last:
        raise ValueError(
            'takes the first and the last of zero-padded numbers of one width, such as ["01", "30"], '
            f"of at most {MOST_DIGITS} digits"
        )
    return limits


def _matches_values(pattern: str, info: ValidationInfo) -> str:
    try:
        groups = re.compile(f"x({pattern})").groups
    except re.error as error:
        raise ValueError(f"{pattern} is no regular expression: {error}") from None
    if groups > 1:
        raise ValueError(f"{pattern} has a group; write (?:...)")
    is_path = info.data.get("kind") == "path"
    wrong = next((text for text in (_NO_PATHS if is_path else _NO_VALUES) if re.fullmatch(pattern, text)), None)
    if wrong is not None:
        rule = "a path has no empty part, . or .." if is_path else "a value is not empty or dots and has no / and no _"
        raise ValueError(f"{pattern} matches {wrong!r}; {rule}")
    return pattern


def _stand_for_values(aliases: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    known = numbers_or_values(info.data)
    for name, value in aliases.items():
        if known and value not in known:
            raise ValueError(f"{name} stands for {value}, which is not a value{did_you_mean(value, known)}")
    return aliases


def _is_a_value(default: str, info: ValidationInfo) -> str:
    known = numbers_or_values(info.data)
    if known and default not in (ALL, *known):
        raise ValueError(f"{default} is not a value{did_you_mean(default, known)}")
    return default


Values = Annotated[tuple[str, ...], AfterValidator(_findable)]
Range = Annotated[tuple[str, str], AfterValidator(_countable)]
Pattern = Annotated[str, AfterValidator(_matches_values)]
Aliases = Annotated[dict[str, str], AfterValidator(_stand_for_values)]
Default = Annotated[str, AfterValidator(_is_a_value)]
