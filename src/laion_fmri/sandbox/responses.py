"""Responses of made-up voxels: what an image is, what a voxel answers to, and how noisily."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from laion_fmri.sandbox.brain import Brain
from laion_fmri.sandbox.chance import generator

FEATURES = 8
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Voxels:
    """The responsive voxels of a subject, in C order of its grid.

    Attributes
    ----------
    mean : ndarray
        Mean response, percent signal change, (voxel,).
    tuning : ndarray
        Response to each feature of an image, (voxel, feature); the noise of one trial is 1.
    """

    mean: Values
    tuning: Values

    @property
    def signal(self) -> Values:
        """Variance over images, relative to the noise variance, (voxel,)."""
        signal: Values = (self.tuning**2).sum(1)
        return signal

    def respond(self, labels: Sequence[str], seed: int, chance: np.random.Generator) -> Values:
        """Return one noisy response to each image, (trial, voxel)."""
        noise = chance.standard_normal((len(labels), len(self.mean)), dtype=np.float32)
        return self.mean + image_features(labels, seed) @ self.tuning.T + noise

    def noise_ceiling(self, repetitions: Iterable[int]) -> Values:
        """Return the explainable variance, percent, of responses averaged over so many repetitions."""
        noise = float(np.mean([1 / n for n in repetitions]))
        return 100 * self.signal / (self.signal + noise)

    def variance_explained(self, chance: np.random.Generator) -> Values:
        """Return the R2 of a session's model, percent, above 0."""
        r2 = 100 * self.signal / (self.signal + 1) + chance.uniform(0.5, 5, len(self.mean))
        return np.minimum(r2, 100).astype(np.float32)


def make_voxels(subject: str, brain: Brain, seed: int) -> Voxels:
    """Return voxels that are weakly tuned on their own and strongly as members of their ROIs."""
    chance = generator(seed, "tuning", subject)
    inside = brain.responsive
    tuning = chance.normal(0, 0.08, (inside.sum(), FEATURES))
    mean = chance.normal(0.3, 0.1, inside.sum())
    for category, rois in brain.rois.items():
        for label, mask in rois.items():
            shared = generator(seed, "roi", category, label)
            members = mask[inside]
            tuning[members] += shared.normal(0, 0.3, FEATURES)
            mean[members] += shared.uniform(-0.3, 1)
    return Voxels(mean.astype(np.float32), tuning.astype(np.float32))


def image_features(labels: Sequence[str], seed: int) -> Values:
    """Return what drives the responses to images, the same for every subject, (label, feature)."""
    known = {
        label: generator(seed, "image", label).standard_normal(FEATURES, dtype=np.float32)
        for label in dict.fromkeys(labels)
    }
    return np.stack([known[label] for label in labels])
