"""The arguments of downloads, made from the catalog."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from laion_fmri.catalog.models import CatalogFile
from laion_fmri.fetch import Report


def download_signature(catalog: CatalogFile) -> inspect.Signature:
    """Return the arguments of a subject's download: the subject, the filters, the flags, and ``n_jobs``."""
    return _signature(catalog, catalog.filters, catalog.flags)


def tree_signature(catalog: CatalogFile, name: str) -> inspect.Signature:
    """Return the arguments of the download of one tree: the subject, the filters of the tree, and ``n_jobs``."""
    return _signature(catalog, catalog.definitions.trees[name].filters)


def _signature(catalog: CatalogFile, filters: Iterable[str], flags: Iterable[str] = ()) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter(catalog.definitions.discovery.subjects.entity, kind),
        *(inspect.Parameter(name, kind, default=None) for name in filters),
        *(inspect.Parameter(name, kind, default=False) for name in flags),
        inspect.Parameter("n_jobs", kind, default=1),
    ]
    return inspect.Signature(parameters, return_annotation=Report)


def given(
    catalog: CatalogFile, signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return every argument of a call by name.

    Raises
    ------
    TypeError
        If the call does not fit; of a filter that only the download of single trees has, it names these.
    """
    for name in kwargs:
        trees = catalog.trees_with_filter(name)
        if trees and name not in signature.parameters:
            ways = " or ".join(f'download_tree("{tree.name}", ...)' for tree in trees)
            raise TypeError(f"{name} is no filter here, only of single trees: use {ways}")
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments
