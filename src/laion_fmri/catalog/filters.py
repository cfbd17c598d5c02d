"""Which keys of a tree a download wants: filters on entities, held-out data, forced files.

All of it is decided by what the catalog says of the entities; see `Entity.match`, `Entity.absent` and
`Entity.waived`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from laion_fmri.catalog.artifacts import Artifact
from laion_fmri.catalog.entities import Entity, one_or_many
from laion_fmri.catalog.remotes import HeldOut
from laion_fmri.catalog.templates import local_path, parse
from laion_fmri.catalog.words import did_you_mean
from laion_fmri.errors import SelectionError

Test = Callable[[str], bool]
Selection = Mapping[str, Sequence[str] | None]


def filter_values(name: str, entity: Entity, wanted: object, known: Iterable[str]) -> tuple[str, ...] | None:
    """Return the bare values that a filter argument names.

    Parameters
    ----------
    name : str
        Name of the filter.
    entity : Entity
        Its grammar. Text is taken as it is: no padding, no change of case.
    wanted : str, iterable of str or None
        A bare value (``"04"``), a full token (``"ses-04"``) or several of them; None switches the filter off.
    known : iterable of str
        The values that are accepted.

    Raises
    ------
    TypeError
        If a value is not text.
    SelectionError
        If a value is unknown, naming the nearest one.
    """
    if wanted is None:
        return None
    accepted = [*known, *([entity.absent] if entity.absent else [])]
    chosen = []
    for value in one_or_many(wanted):
        if not isinstance(value, str):
            example = f' such as "{accepted[0]}"' if accepted else ""
            raise TypeError(
                f"{name}={value!r} is of type {type(value).__name__}; give text{example} or a list of texts"
            )
        bare = entity.bare(name, value)
        entity.check(name, bare, accepted)
        chosen.append(bare)
    return tuple(dict.fromkeys(chosen))


def key_filter(entities: Mapping[str, Entity], selection: Selection) -> Test:
    """Return the test that a key passes if every active filter keeps it.

    Parameters
    ----------
    entities : mapping of str to Entity
        Grammar of each filter.
    selection : mapping of str to sequence of str or None
        Bare values of each filter; None is off, an empty sequence keeps nothing that has the entity.

    Examples
    --------
    >>> ses = Entity(description="Session.", range=("01", "30"), match="strict", absent="averages")
    >>> wanted = key_filter({"ses": ses}, {"ses": ["04"]})
    >>> wanted("sub-03/ses-04/sub-03_ses-04_x.tsv"), wanted("sub-03/sub-03_mean.nii.gz")
    (True, False)
    """
    for name in selection:
        if name not in entities:
            raise SelectionError(f"there is no filter {name}{did_you_mean(name, entities)}")
    active = {name: tuple(values) for name, values in selection.items() if values is not None}
    tests = [_test(name, entities[name], values, active) for name, values in active.items()]

    def keeps(key: str) -> bool:
        for test in tests:  # noqa: SIM110 - called for every key; all() takes twice as long
            if not test(key):
                return False
        return True

    return keeps


def _test(name: str, entity: Entity, values: tuple[str, ...], active: Mapping[str, object]) -> Test:
    if entity.kind == "suffix":
        return lambda key: name_parts(key)[0] in values
    if entity.kind == "extension":
        waived = entity.waived.value if entity.waived and entity.waived.when in active else None
        return lambda key: (extension := name_parts(key)[1]) in values or extension == waived
    return _token_test(entity.key_of(name), entity, values)


def _token_test(key_name: str, entity: Entity, values: tuple[str, ...]) -> Test:
    start = f"{key_name}-"
    requested = [re.escape(value) for value in values if value != entity.absent]
    has_requested = token(key_name, "|".join(requested)).search if requested else _never
    carries = token(key_name, "[A-Za-z0-9]+").search
    keep_without = entity.absent in values if entity.match == "strict" else True

    def test(key: str) -> bool:
        if start not in key:
            return keep_without
        return bool(has_requested(key)) or (keep_without and not carries(key))

    return test


def _never(_: str) -> None:
    return None


def token(key: str, value: str) -> re.Pattern[str]:
    """Return the pattern of a token ``key-value`` anywhere in a path; `value` is a regular expression.

    A token begins the path or follows ``/`` or ``_``, and ends before ``_``, ``/``, ``.`` or the end. The
    pattern looks back for the former: one that begins with plain text is searched several times faster.
    """
    start = re.escape(f"{key}-")
    return re.compile(rf"{start}(?<![^/_]{start})(?:{value})(?=[_/.]|\Z)")


def name_parts(key: str) -> tuple[str, str]:
    """Return suffix and extension of a key.

    Examples
    --------
    >>> name_parts("sub-03/func/sub-03_task-images_bold.nii.gz")
    ('bold', 'nii.gz')
    >>> name_parts("README")
    ('README', '')
    """
    stem, _, extension = key.rpartition("/")[2].partition(".")
    return stem.rpartition("_")[2], extension


def held_out_test(rule: HeldOut | None, entities: Mapping[str, Entity]) -> Test:
    """Return the test for keys that the remote lists and gives to nobody."""
    if rule is None:
        return lambda key: False
    key_name = entities[rule.entity].key_of(rule.entity) if rule.entity in entities else rule.entity
    folder = re.compile(rf"/{re.escape(key_name)}-(?:{'|'.join(map(re.escape, rule.values))})(?:/|\Z)").search

    def test(key: str) -> bool:
        return bool(folder(key)) and not any(
            key.startswith(exempt.prefix) and any(part in key for part in exempt.contains) for exempt in rule.exempt
        )

    return test


def gated_test(artifacts: Iterable[Artifact]) -> Test:
    """Return the test for keys that are given under an agreement only, and that the remote therefore denies."""
    gated = [(template, one.entities) for one in artifacts if one.access.policy == "agreement" for template in one.path]

    def test(key: str) -> bool:
        return any(parse(template, entities, local_path(key, entities)) is not None for template, entities in gated)

    return test
