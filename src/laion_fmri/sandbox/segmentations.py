"""Segmentation masks of made-up images: ellipses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from laion_fmri.sandbox.captions import Row, things
from laion_fmri.sandbox.chance import generator

_SHOWN = (((0, 0),), ((0, 0), (0, 2)), ((0, 0), (0, 2), (1, 1)))  # thing and instance of each mask, image by image
_WHOLE_EVERY = 5  # of so many images, one has a mask that covers it whole


@dataclass(frozen=True)
class Ellipse:
    """An ellipse on an image, in fractions of its edge.

    Attributes
    ----------
    x, y : float
        Centre, from the upper left.
    rx, ry : float
        Half axes.
    """

    x: float
    y: float
    rx: float
    ry: float

    def mask(self, pixels: int) -> NDArray[np.uint8]:
        """Return 1 inside and 0 outside, (y, x)."""
        centres = (np.arange(pixels) + 0.5) / pixels
        away = ((centres - self.x) / self.rx) ** 2 + ((centres[:, None] - self.y) / self.ry) ** 2
        return (away <= 1).astype(np.uint8)

    def box(self, pixels: int) -> tuple[float, ...]:
        """Return left, upper, right and lower edge on the image, pixels."""
        edges = np.array([self.x - self.rx, self.y - self.ry, self.x + self.rx, self.y + self.ry])
        return tuple((edges.clip(0, 1) * pixels).round(2).tolist())


_WHOLE = Ellipse(0.5, 0.5, 1.0, 1.0)


@dataclass(frozen=True)
class Mask:
    """What one mask shows, and where.

    Attributes
    ----------
    image, noun : str
        Name of the image and of the thing.
    instance : int
        Number of the instance of the noun.
    score : float
        Confidence of the detector, 0 to 1.
    outline : Ellipse
        Where it is.
    """

    image: str
    noun: str
    instance: int
    score: float
    outline: Ellipse

    def row(self, number: int, pixels: int) -> Row:
        """Return the row of the table for the mask that has this number in the stack."""
        return {
            "mask_row": number,
            "image_name": self.image,
            "noun": self.noun,
            "instance_id": self.instance,
            "score": self.score,
            **dict(zip(("box_x0", "box_y0", "box_x1", "box_y1"), self.outline.box(pixels), strict=True)),
            "localized": int(self.outline != _WHOLE),
            "mask_file": f"mask_{number:05d}.png",
        }


def make_masks(names: Sequence[str], seed: int) -> list[Mask]:
    """Return one to three masks for each image, in the order of the images."""
    return [mask for n, name in enumerate(names) for mask in _masks_of(name, n, seed)]


def _masks_of(name: str, n: int, seed: int) -> list[Mask]:
    chance = generator(seed, "masks", name)
    nouns = things(name, seed)
    masks = []
    for thing, instance in _SHOWN[n % len(_SHOWN)]:
        outline = Ellipse(*chance.uniform(0.3, 0.7, 2).round(3).tolist(), *chance.uniform(0.1, 0.4, 2).tolist())
        covers = thing == instance == 0 and n % _WHOLE_EVERY == 0
        score = round(float(chance.uniform(0.3, 1)), 4)
        masks.append(Mask(name, nouns[thing], instance, score, _WHOLE if covers else outline))
    return masks
