"""What the arguments of a download mean: checked against the catalog before anything is asked of the network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.entities import ALL, Entity
from laion_fmri.catalog.filters import Selection, filter_values
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.rules import Tree
from laion_fmri.catalog.words import listed, nearest
from laion_fmri.errors import SubjectNotFoundError


@dataclass(frozen=True)
class DownloadRequest:
    """A checked request.

    Attributes
    ----------
    subject : str
        A bare value, or ``"all"`` for everybody whom the remote shows.
    filters : mapping
        Bare values by filter; None where it is off.
    trees : tuple of Tree
        What is listed, in the order of the catalog.
    required : tuple of Tree
        It is an error when these together match nothing.
    choices : mapping of str to tuple of str
        Values chosen by the flag of a tree, by the entity that they belong to.
    """

    subject: str
    filters: Selection
    trees: tuple[Tree, ...]
    required: tuple[Tree, ...]
    choices: Mapping[str, tuple[str, ...]]


def resolve_subject_id(subject: str) -> str:
    """Return the BIDS identifier of a subject.

    Parameters
    ----------
    subject : str
        ``"03"`` or ``"sub-03"``.

    Raises
    ------
    TypeError
        If it is not text.
    SubjectNotFoundError
        If it is empty or not in the catalog.

    Examples
    --------
    >>> resolve_subject_id("03")
    'sub-03'
    """
    catalog = load_catalog()
    name = catalog.definitions.discovery.subjects.entity
    return f"{catalog.entities[name].key_of(name)}-{bare_subject(catalog, subject)}"


def bare_subject(catalog: CatalogFile, subject: str) -> str:
    """Return the bare value of a subject; see `resolve_subject_id`."""
    name = catalog.definitions.discovery.subjects.entity
    entity = catalog.entities[name]
    if not isinstance(subject, str):
        kind = type(subject).__name__
        raise TypeError(f'{name}={subject!r} is of type {kind}; give text such as "{entity.known[0]}"')
    bare = entity.bare(name, subject)
    if not entity.is_open and bare not in entity.known:
        near = nearest(bare, entity.known)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise SubjectNotFoundError(f"{name}={subject!r} is not one of {listed(entity.known)}, {ALL}{hint}")
    return bare


def known_values(catalog: CatalogFile, name: str) -> tuple[str, ...]:
    """Return every value that a filter accepts: those of the entity and those that are held out."""
    rule = catalog.remote.held_out
    held_out = rule.values if rule and rule.entity == name else ()
    return (*catalog.entities[name].known, *held_out)


def resolve_request(
    catalog: CatalogFile, subject: str, filters: Mapping[str, object], flags: Mapping[str, object]
) -> DownloadRequest:
    """Check the arguments of a download.

    Parameters
    ----------
    catalog : CatalogFile
        What the arguments are checked against.
    subject : str
        One subject, or ``"all"``.
    filters : mapping
        Text, list of text or None by filter.
    flags : mapping
        Truth by flag; for a tree with a choice also a value or a list of values.

    Raises
    ------
    SubjectNotFoundError, SelectionError, TypeError
        For what the catalog does not know, naming the nearest right value.
    """
    trees = tuple(tree for tree in catalog.trees if tree.flag is None or flags.get(tree.flag))
    asked_for_more = any(tree.flag and tree.scope for tree in trees)
    choices = {
        tree.choice: _flag_values(catalog.entities[tree.choice], tree.choice, flags[tree.flag])
        for tree in trees
        if tree.choice and tree.flag
    }
    return DownloadRequest(
        subject=_bare_or_all(catalog, subject),
        filters=_values(catalog, filters),
        trees=trees,
        required=() if asked_for_more else tuple(tree for tree in trees if tree.required),
        choices=choices,
    )


def resolve_tree_request(
    catalog: CatalogFile, tree: Tree, subject: str, filters: Mapping[str, object]
) -> DownloadRequest:
    """Check the arguments of the download of one tree, with which the files of no subject come along.

    Parameters and errors as for `resolve_request`.
    """
    common = tuple(one for one in catalog.trees if not one.flag and not one.scope)
    return DownloadRequest(
        _bare_or_all(catalog, subject), _values(catalog, filters), (*common, tree), required=(tree,), choices={}
    )


def _bare_or_all(catalog: CatalogFile, subject: str) -> str:
    return ALL if subject == ALL else bare_subject(catalog, subject)


def _values(catalog: CatalogFile, filters: Mapping[str, object]) -> Selection:
    return {
        name: filter_values(name, catalog.entities[name], wanted, known_values(catalog, name))
        for name, wanted in filters.items()
    }


def _flag_values(entity: Entity, name: str, wanted: object) -> tuple[str, ...]:
    chosen = None if wanted in (True, ALL) else filter_values(name, entity, wanted, entity.known)
    return entity.known if chosen is None else chosen


def usable_jobs(n_jobs: object) -> int:
    """Return a number of workers that works; warn where it is not the one asked for.

    Warns
    -----
    UserWarning
        If `n_jobs` is no positive int (1 is used), or higher than max(32, 2 x CPUs) (which is used).
    """
    most = max(32, 2 * (os.cpu_count() or 4))
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs < 1:
        warnings.warn(f"n_jobs={n_jobs!r} is not a positive int; using 1", UserWarning, stacklevel=3)
        return 1
    if n_jobs > most:
        warnings.warn(f"n_jobs={n_jobs} is higher than {most}; using {most}", UserWarning, stacklevel=3)
        return most
    return n_jobs
