"""Queries of regions: names, ``+``, ``-`` and parentheses, as in ``"cortex - (hand + foot)"``; pure over text.

Signs are taken from left to right. A hyphen between the letters of a name belongs to the name, so that a minus has
blanks or parentheses around it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Annotated, NamedTuple, TypeAlias

from pydantic import AfterValidator

from laion_fmri.catalog.entities import ALL
from laion_fmri.errors import SelectionError

Query: TypeAlias = "tuple[tuple[bool, str | Query], ...]"  # (whether it is added, what), in order

_TOKEN = re.compile(r"\s*(?:(?P<name>\w+(?:-+\w+)*)|\+|(?<=[\s)])-(?=[\s(])|[()])")


class _Token(NamedTuple):
    text: str
    place: int
    is_name: bool


def parse(text: str) -> Query:
    """Return what a text means.

    Raises
    ------
    SelectionError
        If it is no query, naming the place where it stops being one.

    Examples
    --------
    >>> parse("cortex - (hand + foot)")
    ((True, 'cortex'), (False, ((True, 'hand'), (True, 'foot'))))
    >>> parse("cortex -hand")
    Traceback (most recent call last):
    laion_fmri.errors.SelectionError: 'cortex -hand', character 8: a minus has blanks around it, a hyphen in a name none
    """
    tokens = deque(_tokens(text))
    query = _sum(text, tokens)
    if tokens[0].text:
        raise _wrong(text, tokens[0].place, "expected + or -, or the end")
    return query


def _tokens(text: str) -> Iterator[_Token]:
    text, place = text.rstrip(), 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if not found:
            place += len(text[place:]) - len(text[place:].lstrip())
            hyphen = text[place] == "-"
            what = "a minus has blanks around it, a hyphen in a name none" if hyphen else f"{text[place]!r} is no part"
            raise _wrong(text, place, what)
        word = found[0].strip()
        yield _Token(word, found.end() - len(word), found["name"] is not None)
        place = found.end()
    yield _Token("", len(text), is_name=False)


def _sum(text: str, tokens: deque[_Token]) -> Query:
    terms = [(True, _term(text, tokens))]
    while tokens[0].text in ("+", "-"):
        terms.append((tokens.popleft().text == "+", _term(text, tokens)))
    return tuple(terms)


def _term(text: str, tokens: deque[_Token]) -> str | Query:
    token = tokens.popleft()
    if token.is_name:
        return token.text
    if token.text != "(":
        raise _wrong(text, token.place, "expected a name or (")
    inside = _sum(text, tokens)
    if tokens[0].text != ")":
        raise _wrong(text, tokens[0].place, "expected + or -, or )")
    tokens.popleft()
    return inside


def _wrong(text: str, place: int, what: str) -> SelectionError:
    return SelectionError(f"{text!r}, character {place + 1}: {what}")


def names_in(query: Query) -> Iterator[str]:
    """Yield the names of a query from left to right.

    Examples
    --------
    >>> list(names_in(parse("cortex - (hand + foot)")))
    ['cortex', 'hand', 'foot']
    """
    for _, term in query:
        if isinstance(term, str):
            yield term
        else:
            yield from names_in(term)


def _are_queries(regions: dict[str, str]) -> dict[str, str]:
    for name, text in regions.items():
        if not re.fullmatch(r"\w+", name) or name == ALL:
            raise ValueError(f"{name!r} is no name of a region; use letters and digits, and not {ALL!r}")
        nested = [word for word in names_in(parse(text)) if word in regions]
        if nested:
            raise ValueError(f"{name} is made of {nested[0]}, which is a named region too; write what that is made of")
    return regions


def named_regions(regions: Mapping[str, str]) -> dict[str, Query]:
    """Return what the names of regions stand for."""
    return {name: parse(text) for name, text in regions.items()}


Regions = Annotated[dict[str, str], AfterValidator(_are_queries)]
