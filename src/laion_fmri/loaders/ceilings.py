"""Noise ceilings of voxels: thresholds and coordinates.

The option ``nc`` says which variants there are, and which join holds each: one with the entities of the files
themselves has a map for each file, any other a map that is called like the variant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from laion_fmri.catalog.models import Artifact
from laion_fmri.loaders import Request
from laion_fmri.loaders.voxels import Axis, Owner, owner_of


def joins_of_ceilings(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the joins that threshold and coordinates take."""
    wanted = [*_variants(artifact, options)]
    if options.get("nc_threshold") is not None:
        wanted.append(options["nc"])
    return tuple(dict.fromkeys(artifact.options["nc"].choices[variant] for variant in wanted))


def reaching(request: Request, axes: Mapping[Owner, Axis]) -> dict[Owner, Axis]:
    """Return the axes with the voxels whose noise ceilings all reach the threshold."""
    kept, threshold = dict(axes), request.options.get("nc_threshold")
    if threshold is not None:
        variant = request.options["nc"]
        for owner, _, path in _maps(request, variant):
            kept[owner] = kept[owner].keep(kept[owner].read_map(path, _dtype(request, variant)) >= threshold)
    return kept


def with_ceilings(request: Request, axes: Mapping[Owner, Axis]) -> dict[Owner, Axis]:
    """Return the axes with the noise ceilings of their voxels, where the options ask for them."""
    known = dict(axes)
    for variant in _variants(request.artifact, request.options):
        for owner, name, path in _maps(request, variant):
            known[owner] = known[owner].knowing(name, known[owner].read_map(path, _dtype(request, variant)))
    return known


def _variants(artifact: Artifact, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the variants that become coordinates; that of one file is none of a mean over files."""
    if options.get("noise_ceilings"):
        for variant, join in artifact.options["nc"].choices.items():
            of_a_file = artifact.joins[join].entities.keys() <= artifact.entities.keys()
            if not (of_a_file and options.get("average")):
                yield variant


def _maps(request: Request, variant: str) -> Iterator[tuple[Owner, str, Path]]:
    """Yield whose each map of a variant is, what its coordinate is called and where it is."""
    name = request.artifact.options["nc"].choices[variant]
    entities = request.artifact.joins[name].entities
    seen = set()
    for file in request.files:
        values = {entity: file.entities.get(entity, variant) for entity in entities}
        owner = owner_of(request, file)
        key = "".join(f"{entities[one].key_of(one)}{values[one]}" for one in values if one not in dict(owner))
        if (owner, key) not in seen:
            seen.add((owner, key))
            (found,) = request.find(name, values)
            yield owner, variant if variant in values.values() else f"noise_ceiling_{key}", found.path


def _dtype(request: Request, variant: str) -> np.dtype[Any]:
    join = request.artifact.joins[request.artifact.options["nc"].choices[variant]]
    return np.dtype(join.layout.dtype)
