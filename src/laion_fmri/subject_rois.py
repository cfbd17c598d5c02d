"""The ROIs of one subject in all their forms: voxels of the brain mask, and vertices of the two hemispheres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from laion_fmri.catalog.entities import ALL, one_or_many
from laion_fmri.catalog.regions import Query, named_regions, names_in
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import DataNotDownloadedError, LaionFMRIError, SelectionError
from laion_fmri.loaders.nifti import Array
from laion_fmri.loaders.roi import files_named, meaning, voxels_of
from laion_fmri.loaders.surface_map import HEMI
from laion_fmri.local import artifact_source
from laion_fmri.missing import missing_text
from laion_fmri.source import Source
from laion_fmri.voxel_space import roi_masks

_VOLUME, _IDS = "volume", "label"
_ON_SURFACE = {"func.gii": "rois_surface", _IDS: "rois_label"}  # artifact by form
_FORMATS = {
    ALL: (_VOLUME, *_ON_SURFACE),
    _VOLUME: (_VOLUME,),
    "nii.gz": (_VOLUME,),
    "gii": tuple(_ON_SURFACE),
    **{form: (form,) for form in _ON_SURFACE},
}

Pairs = Sequence[tuple[str, str]]  # category and label of files


def roi_data(
    subject: str, query: str | Iterable[str], wanted: str | None, hemi: str | None, mask_source: str
) -> dict[str, dict[str, Any]]:
    """Return ROIs one by one; see `Subject.get_roi_data`."""
    wanted = wanted or ALL
    if wanted not in _FORMATS:
        raise SelectionError(f"format={wanted!r} is not one of {listed(_FORMATS)}{did_you_mean(str(wanted), _FORMATS)}")
    forms = _FORMATS[wanted]
    volumes = [_pair(file.entities) for file in artifact_source("rois")(subject=subject).files()]
    sides = [side for form in forms if form in _ON_SURFACE for side in _sides(_surfaces(subject, form, hemi), form)]
    known = volumes if _VOLUME in forms else [pair for side in sides for pair in side.pairs]
    names = _labels(query, known)
    data: dict[str, dict[str, Any]] = {name: {} for name in names}
    if _VOLUME in forms:
        for name, mask in zip(names, roi_masks(subject, mask_source, names), strict=True):
            data[name][_VOLUME] = mask
    for side in sides:
        for name, vertices in side.vertices(names).items():
            data[name].setdefault("gii", {}).setdefault(side.name, {})[side.form] = vertices
    for name in names:
        if not data[name]:
            raise _absent(_surfaces(subject, forms[0], hemi), name, volumes, known)
    return data


def _pair(entities: Mapping[str, str]) -> tuple[str, str]:
    return entities["category"], entities["label"]


def _labels(query: str | Iterable[str], known: Pairs) -> list[str]:
    """Return a query with its sets of ROIs taken apart into their labels; what is no set stays."""
    sets: dict[str, set[str]] = {}
    for category, label in known:
        sets.setdefault(category, set()).add(label)
        sets.setdefault(ALL, set()).add(label)
    names = (sorted(sets[name]) if name in sets else [name] for name in one_or_many(query))
    return list(dict.fromkeys(chain.from_iterable(names)))


def _meaning(name: str) -> Query:
    artifact = artifact_source("betas").artifact
    left_out = "".join(entity.strip for entity in artifact.joins["rois"].entities.values())
    return meaning(name, named_regions(artifact.options["roi"].named), left_out)


@dataclass(frozen=True)
class _Side:
    """The ROIs of one form and one hemisphere that are here."""

    name: str
    form: str
    source: Source
    pairs: Pairs

    def vertices(self, names: Iterable[str]) -> dict[str, Array]:
        """Return the vertices of every query of which all ROIs are here; each file is read once."""
        here = set(chain.from_iterable(self.pairs))
        queries = {name: query for name in names if here.issuperset(names_in(query := _meaning(name)))}
        words = dict.fromkeys(word for query in queries.values() for word in names_in(query))
        chosen = {word: [self.pairs[index] for index in files_named(word, self.pairs, self.name)] for word in words}
        masks = self._masks(list(dict.fromkeys(label for pairs in chosen.values() for _, label in pairs)))
        by_word = {word: np.logical_or.reduce([masks[pair] for pair in pairs]) for word, pairs in chosen.items()}
        found = {name: voxels_of(query, by_word.__getitem__) for name, query in queries.items()}
        return {name: np.flatnonzero(mask) if self.form == _IDS else mask for name, mask in found.items()}

    def _masks(self, labels: Sequence[str]) -> dict[tuple[str, str], Array]:
        """Return which vertices ROIs have; of vertex lists, up to the last vertex that one of them has."""
        if not labels:
            return {}
        data = self.source(label=labels).read()
        if self.form != _IDS:
            owners = zip(data["category"].values.tolist(), data["label"].values.tolist(), strict=True)
            return dict(zip(owners, data.values, strict=True))
        every = np.arange(data["vertex"].max() + 1 if len(data) else 0)
        lists = {pair: rows["vertex"] for pair, rows in data.groupby(["category", "label"])}
        return {pair: np.isin(every, lists.get(pair, [])) for pair in self.pairs if pair[1] in labels}


def _surfaces(subject: str, form: str, hemi: str | None) -> Source:
    return artifact_source(_ON_SURFACE[form])(subject=subject, hemi=hemi or ALL)


def _sides(source: Source, form: str) -> list[_Side]:
    key = source.artifact.entities[HEMI].key_of(HEMI)
    halves = {f"{key}-{value}": source(hemi=value) for value in source.choice.entities[HEMI] or ()}
    return [_Side(name, form, half, [_pair(file.entities) for file in half.files()]) for name, half in halves.items()]


def _absent(source: Source, name: str, volumes: Pairs, surfaces: Pairs) -> LaionFMRIError:
    """Return the error for a query of which no surface is here; SelectionError where no ROI has such a name."""
    words = list(names_in(_meaning(name)))
    known = [*volumes, *surfaces]
    for word in words if known else ():
        files_named(word, known, source.given["subject"])
    missing = next((word for word in words if word not in chain.from_iterable(surfaces)), words[0])
    chosen = source(label=missing).choice.entities
    return DataNotDownloadedError(missing_text(source.name, source.artifact, chosen, [], lambda _: ()))
