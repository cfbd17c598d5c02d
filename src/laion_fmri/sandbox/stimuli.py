"""The images of the dataset, and what it has about them: their table, embeddings, captions and segmentation masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laion_fmri.catalog import CatalogFile, templates
from laion_fmri.catalog.models import Artifact
from laion_fmri.sandbox import files, images
from laion_fmri.sandbox.captions import Row, caption_rows
from laion_fmri.sandbox.chance import generator
from laion_fmri.sandbox.paint import covered, picture_file
from laion_fmri.sandbox.responses import FEATURES, image_features
from laion_fmri.sandbox.segmentations import make_masks

_WIDE = {"SigLIP2"}
_NOT_NORMALISED = {"DINOv2"}


@dataclass(frozen=True)
class Stimuli:
    """The images of a miniature. Their table and they themselves have one order, each other kind of file its own.

    Attributes
    ----------
    names : tuple of str
        File names, sorted.
    subjects : tuple of str
        Who sees them.
    features : tuple of int
        Width of an embedding: of most models, and of the wide one.
    pixels : int
        Edge of an image and of a mask.
    seed : int
        Of all that is random.
    """

    names: tuple[str, ...]
    subjects: tuple[str, ...]
    features: tuple[int, int]
    pixels: int
    seed: int

    def ordered(self, purpose: str) -> list[str]:
        """Return the names in the order of one kind of file."""
        order: list[str] = generator(self.seed, "order of images", purpose).permutation(self.names).tolist()
        return order


def write_stimuli(folder: Path, catalog: CatalogFile, stimuli: Stimuli) -> None:
    """Write what the catalog has about the images."""
    artifacts = {name: source.args for name, source in catalog.sources.items()}
    if "stimulus_metadata" in artifacts:
        rows = [_about(name, stimuli.subjects) for name in stimuli.ordered("metadata")]
        files.write_rows(folder / artifacts["stimulus_metadata"].path[0], rows)
    if "stimuli" in artifacts:
        encoded = [picture_file(name, stimuli.pixels, stimuli.seed) for name in stimuli.ordered("metadata")]
        files.write_bytes(
            folder / artifacts["stimuli"].path[0], artifacts["stimuli"].layout.datasets["values"], encoded
        )
    if "embeddings" in artifacts:
        _write_embeddings(folder, artifacts["embeddings"], stimuli)
    if "captions" in artifacts:
        names = stimuli.ordered("captions")
        rows = [row for name in names for row in caption_rows(name, stimuli.seed)]
        files.write_rows(folder / artifacts["captions"].path[0], rows)
    if "segmentations" in artifacts:
        _write_segmentations(folder, artifacts["segmentations"], artifacts["segmentation_table"], stimuli)


def _about(name: str, subjects: Sequence[str]) -> Row:
    shared = images.is_shared(name)
    return {
        "image_name": name,
        "dataset": images.pool(name),
        "participant": images.owner(name) or ";".join(f"sub-{subject}" for subject in subjects),
        "unique_or_shared": "shared" if shared else "unique",
        "n_reps": f"{images.planned_repetitions(name)}rep",
    }


def _write_embeddings(folder: Path, artifact: Artifact, stimuli: Stimuli) -> None:
    datasets = artifact.layout.datasets
    names = stimuli.ordered("embeddings")
    for model in artifact.entities["model"].known:
        arrays = {
            datasets["values"]: _embedding(model, names, stimuli),
            datasets["image"]: np.array(names, object),
            datasets["valid"]: np.ones(len(names), bool),
        }
        files.write_arrays(folder / templates.fill(artifact.path[0], {"model": model}), arrays)


def _embedding(model: str, names: Sequence[str], stimuli: Stimuli) -> NDArray[Any]:
    """Return what a model sees of the images, (image, feature): a view of what drives responses, and some noise."""
    width = stimuli.features[model in _WIDE]
    view = generator(stimuli.seed, "embedding", model).normal(0, FEATURES**-0.5, (FEATURES, width))
    noise = np.stack([generator(stimuli.seed, "embedding", model, name).normal(0, 0.2, width) for name in names])
    values = image_features(names, stimuli.seed) @ view + noise
    if model not in _NOT_NORMALISED:
        values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values.astype(np.float16)


def _write_segmentations(folder: Path, stack: Artifact, table: Artifact, stimuli: Stimuli) -> None:
    """Write masks and their table, whose order is not that of the masks."""
    masks = make_masks([name for name in stimuli.names if images.is_shared(name)], stimuli.seed)
    order = generator(stimuli.seed, "order of masks").permutation(len(masks)).tolist()
    rows = [masks[n].row(number, stimuli.pixels) for number, n in enumerate(order)]
    files.write_rows(folder / table.path[0], sorted(rows, key=lambda row: (str(row["image_name"]), str(row["noun"]))))
    shape = (len(masks), stimuli.pixels, stimuli.pixels)
    layers = (covered(masks[n].thing, stimuli.pixels) for n in order)
    files.write_stack(folder / stack.path[0], stack.layout.datasets["values"], shape, layers)
