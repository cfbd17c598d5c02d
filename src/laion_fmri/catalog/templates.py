"""Path templates: ``sub-{subject}/ses-{ses}/..._trials.tsv`` filled, matched and compared."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from laion_fmri.catalog.entities import ALL, Entity

_SEPARATORS = re.compile(r"([/_.])")


@lru_cache(maxsize=1024)
def pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """Split a template into (literal, field) pairs; the last field is None where it ends in a literal."""
    parts = string.Formatter().parse(template)
    return tuple((literal, field) for literal, field, _, _ in parts)


def fields(template: str) -> tuple[str, ...]:
    """Return the fields of a template in order, each once.

    Examples
    --------
    >>> fields("sub-{subject}/sub-{subject}_ses-{ses}_bold.nii.gz")
    ('subject', 'ses')
    """
    return tuple(dict.fromkeys(field for _, field in pieces(template) if field is not None))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return a template with its fields replaced."""
    return "".join(literal + (values[field] if field else "") for literal, field in pieces(template))


def listing_prefix(template: str, selection: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the longest prefixes that together hold every key of a selection.

    Fields are filled up to the first one that is open.

    Examples
    --------
    >>> list(listing_prefix("a/{x}/{y}/f", {"x": ["1", "2"], "y": ["all"]}))
    ['a/1/', 'a/2/']
    """
    known = {field: values for field, values in selection.items() if tuple(values) != (ALL,)}
    prefixes: dict[tuple[tuple[str, str], ...], str] = {(): ""}
    for literal, field in pieces(template):
        prefixes = {bound: text + literal for bound, text in prefixes.items()}
        if field is None:
            break
        if field not in known:
            break
        prefixes = {
            bound if field in dict(bound) else (*bound, (field, value)): text + value
            for bound, text in prefixes.items()
            for value in ([dict(bound)[field]] if field in dict(bound) else known[field])
        }
    yield from prefixes.values()


@lru_cache(maxsize=1024)
def _regex(template: str, patterns: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    by_name = dict(patterns)
    text, seen = "", set[str]()
    for literal, field in pieces(template):
        text += re.escape(literal)
        if field is not None:
            text += f"(?P={field})" if field in seen else f"(?P<{field}>{by_name[field]})"
            seen.add(field)
    return re.compile(text)


def parse(template: str, entities: Mapping[str, Entity], path: str) -> dict[str, str] | None:
    """Return the entity values of a path, or None where the path is not of this template.

    Values come without the characters that local names leave out, so the key of the remote and the
    local path of one file give the same answer.
    """
    patterns = tuple((field, entities[field].regex) for field in fields(template))
    match = _regex(template, patterns).fullmatch(path)
    if match is None:
        return None
    return {name: stripped(value, entities[name].strip) for name, value in match.groupdict().items()}


def stripped(text: str, characters: str) -> str:
    """Return `text` without some characters."""
    return text.translate(dict.fromkeys(map(ord, characters)))


def local_path(key: str, entities: Mapping[str, Entity]) -> str:
    """Return where a key of the remote lies below the data directory.

    The key itself, but for characters that an entity strips from its values.

    Examples
    --------
    >>> label = Entity(description="ROI.", pattern="[A-Za-z0-9-]+", strip="-")
    >>> local_path("face/sub-03_label-FFA-1_mask.nii.gz", {"label": label})
    'face/sub-03_label-FFA1_mask.nii.gz'
    """
    for name, entity in entities.items():
        if entity.strip:
            token = rf"(?<![A-Za-z0-9])({re.escape(entity.key_of(name))}-)({entity.regex})(?=[_./]|$)"
            key = re.sub(token, lambda m, cut=entity.strip: m[1] + stripped(m[2], cut), key)  # type: ignore[misc]
    return key


def overlap(one: str, mine: Mapping[str, Entity], other: str, theirs: Mapping[str, Entity]) -> bool:
    """Tell whether two templates can name the same key.

    Compared part by part between ``/``, ``_`` and ``.``, which no value contains.
    """
    left, right = _parts(one, mine), _parts(other, theirs)
    return len(left) == len(right) and all(_meet(a, b) for a, b in zip(left, right, strict=True))


def _parts(template: str, entities: Mapping[str, Entity]) -> list[tuple[str, Entity | None]]:
    parts = []
    for part in _SEPARATORS.split(template):
        found = pieces(part)[-1] if part else ("", None)
        parts.append((found[0], entities[found[1]]) if found[1] else (part, None))
    return parts


def _meet(a: tuple[str, Entity | None], b: tuple[str, Entity | None]) -> bool:
    (literal_a, entity_a), (literal_b, entity_b) = a, b
    if entity_a is None and entity_b is None:
        return literal_a == literal_b
    if entity_a is not None and entity_b is not None:
        if literal_a != literal_b:
            return False
        return entity_a.is_open or entity_b.is_open or bool({*entity_a.known} & {*entity_b.known})
    (literal, entity), text = (a, literal_b) if entity_a is not None else (b, literal_a)
    assert entity is not None
    return re.fullmatch(re.escape(literal) + f"(?:{entity.regex})", text) is not None
