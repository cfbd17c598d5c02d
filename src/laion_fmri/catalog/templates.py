"""Path templates: ``sub-{subject}/ses-{ses}/..._trials.tsv`` filled, matched and compared."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.words import did_you_mean

_FIELD = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_OUTSIDE = r"(?![a-z0-9_]*\})"  # of a field
_SEPARATOR = re.compile(rf"(_){_OUTSIDE}")
_PARTS = re.compile(rf"[/_.]{_OUTSIDE}")


@lru_cache(maxsize=1024)
def pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """Split a template into (literal, field) pairs; the last field is None where it ends in a literal.

    Examples
    --------
    >>> pieces("sub-{subject}_bold.nii.gz")
    (('sub-', 'subject'), ('_bold.nii.gz', None))
    """
    parts = _FIELD.split(template)
    pairs = tuple(zip(parts[0::2], [*parts[1::2], None], strict=True))
    return pairs if pairs[-1] != ("", None) else pairs[:-1]


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


def sidecar_of(template: str) -> str:
    """Return the path of the JSON file beside a file.

    Examples
    --------
    >>> sidecar_of("func/sub-{subject}_bold.nii.gz")
    'func/sub-{subject}_bold.json'
    """
    folder, slash, name = template.rpartition("/")
    return f"{folder}{slash}{name.partition('.')[0]}.json"


def listing_prefix(template: str, selection: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the longest prefixes that together hold every key of a selection.

    Fields are filled up to the first one that is open.

    Examples
    --------
    >>> list(listing_prefix("a/{x}/{y}/f", {"x": ["1", "2"], "y": ["all"]}))
    ['a/1/', 'a/2/']
    """
    known = {field: values for field, values in selection.items() if tuple(values) != (ALL,)}
    head = ""
    for literal, field in pieces(template):
        head += literal
        if field not in known:
            break
        head += f"{{{field}}}"
    names = fields(head)
    for values in itertools.product(*(known[name] for name in names)):
        yield fill(head, dict(zip(names, values, strict=True)))


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


def _patterns(template: str, entities: Mapping[str, Entity]) -> tuple[tuple[str, str], ...]:
    return tuple((field, entities[field].regex) for field in fields(template))


def parse(template: str, entities: Mapping[str, Entity], path: str) -> dict[str, str] | None:
    """Return the entity values of a path, or None where the path is not of this template.

    Values come without the characters that local names leave out, so the key of the remote and the
    local path of one file give the same answer.
    """
    match = _regex(template, _patterns(template, entities)).fullmatch(path)
    if match is None:
        return None
    return {name: stripped(value, entities[name].strip) for name, value in match.groupdict().items()}


def stripped(text: str, characters: str) -> str:
    """Return `text` without some characters."""
    return text.translate(str.maketrans("", "", characters))


def local_path(key: str, entities: Mapping[str, Entity]) -> str:
    """Return where a key of the remote lies below the data directory.

    The key itself, but for characters that an entity strips from its values.

    Examples
    --------
    >>> label = Entity(description="ROI.", pattern="[A-Za-z0-9-]+", strip="-")
    >>> local_path("face/sub-03_label-FFA-1_mask.nii.gz", {"label": label})
    'face/sub-03_label-FFA1_mask.nii.gz'
    """
    return local_paths(entities)(key)


def local_paths(entities: Mapping[str, Entity]) -> Callable[[str], str]:
    """Return `local_path` for many keys of the same entities."""
    cuts = [_cut(entity.key_of(name), entity.regex, entity.strip) for name, entity in entities.items() if entity.strip]

    def path(key: str) -> str:
        for cut in cuts:
            key = cut(key)
        return key

    return path


@lru_cache(maxsize=256)
def _cut(key_name: str, value: str, characters: str) -> Callable[[str], str]:
    start = f"{key_name}-"
    literal = re.escape(start)
    some = re.escape(characters)
    # plain text first, and no further unless there is something to strip: searched faster
    token = re.compile(rf"{literal}(?<![^/_]{literal})(?=[^{some}]*[{some}])({value})(?=[_./]|\Z)")
    gone = str.maketrans("", "", characters)

    def shortened(match: re.Match[str]) -> str:
        return start + match[1].translate(gone)

    return lambda key: token.sub(shortened, key) if start in key else key


def mistakes(template: str, known: Collection[str], paths: Collection[str] = ()) -> Iterator[str]:
    """Yield what is wrong with a template whose fields are the entities `known`, of which some are `paths`.

    Examples
    --------
    >>> list(mistakes("sub-{subjct}/bold.nii.gz", ["subject", "ses"]))
    ['a field {subjct} that is no entity; did you mean `subject`?']
    """
    if any(part in ("", ".", "..") for part in template.split("/")):
        yield "a key is relative, with no empty part and no . or .. between its slashes"
    if set("{}") & set(_FIELD.sub("", template)):
        yield "a brace that belongs to no field; a field is an entity in braces, such as {subject}"
    for part in _PARTS.split(template):
        if len(_FIELD.findall(part)) > 1:
            yield f"{part} has two fields; put /, _ or . between them"
    for field in fields(template):
        if field not in known:
            yield f"a field {{{field}}} that is no entity{did_you_mean(field, known)}"
        elif field in paths and not _ends_in(template, f"{{{field}}}"):
            yield f"{{{field}}} is the rest of a path; it stands once, as the whole last part"


def _ends_in(template: str, part: str) -> bool:
    return template.count(part) == 1 and template.rpartition("/")[2] == part


def misfits(
    entities: Collection[str], paths: Collection[str], path: str | Sequence[str], options: Collection[str] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield place and text of every mistake in how entities, path templates and options go together.

    `paths` are the entities that stand for the rest of a path.
    """
    one = isinstance(path, str)
    used = set[str]()
    for i, template in enumerate([path] if isinstance(path, str) else path):
        used.update(fields(template))
        for message in mistakes(template, entities, paths):
            yield ("path",) if one else ("path", i), message
    for name in entities:
        if name not in used:
            yield ("entities", name), f"no path uses {name}"
    for name in options:
        if name in entities:
            yield ("options", name), f"{name} is an entity too"


def overlap(one: str, mine: Mapping[str, Entity], other: str, theirs: Mapping[str, Entity]) -> bool:
    """Tell whether two templates can name the same key.

    Compared part by part between ``/``, which only a path contains, and between ``_``, which only names contain; a
    template that ends in a path names every key below its folder. Where the remote alone knows the values on both
    sides, only the text around them counts.
    """
    left, right = one.split("/"), other.split("/")
    below = [len(parts) - 1 for parts, entities in ((left, mine), (right, theirs)) if _is_rest(parts[-1], entities)]
    shorter = min(len(left), len(right))
    count = min([shorter, *below])
    if len(left) != len(right) and count == shorter:
        return False
    return all(_alike(a, mine, b, theirs) for a, b in zip(left[:count], right[:count], strict=True))


def _is_rest(part: str, entities: Mapping[str, Entity]) -> bool:
    return any(entities[name].kind == "path" for name in fields(part))


def _alike(a: str, mine: Mapping[str, Entity], b: str, theirs: Mapping[str, Entity]) -> bool:
    if any(entities[name].kind == "name" for part, entities in ((a, mine), (b, theirs)) for name in fields(part)):
        return _meet(a, mine, b, theirs)
    left, right = _SEPARATOR.split(a), _SEPARATOR.split(b)
    return len(left) == len(right) and all(_meet(x, mine, y, theirs) for x, y in zip(left, right, strict=True))


def _meet(a: str, mine: Mapping[str, Entity], b: str, theirs: Mapping[str, Entity]) -> bool:
    if a == b and mine == theirs:
        return True
    for part, entities, other, others in ((a, mine, b, theirs), (b, theirs, a, mine)):
        names = fields(part)
        if not any(entities[name].is_open for name in names):
            pattern = _regex(other, _patterns(other, others))
            choices = itertools.product(*(entities[name].known for name in names))
            return any(pattern.fullmatch(fill(part, dict(zip(names, c, strict=True)))) for c in choices)
    (head, *_, tail), (other_head, *_, other_tail) = _FIELD.split(a), _FIELD.split(b)
    return _one_continues(head, other_head) and _one_continues(tail[::-1], other_tail[::-1])


def _one_continues(a: str, b: str) -> bool:
    return a.startswith(b) or b.startswith(a)
