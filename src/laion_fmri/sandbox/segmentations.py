"""Segmentation masks of made-up images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from laion_fmri.sandbox.captions import Row
from laion_fmri.sandbox.chance import generator
from laion_fmri.sandbox.scenes import WHOLE, Thing, scene

_SEEN = 0.5  # chance that a thing beside the main one has a mask


@dataclass(frozen=True)
class Mask:
    """What one mask shows, and where.

    Attributes
    ----------
    image : str
        Name of the image.
    thing : Thing
        What it shows.
    score : float
        Confidence of the detector, 0 to 1.
    """

    image: str
    thing: Thing
    score: float

    def row(self, number: int, pixels: int) -> Row:
        """Return the row of the table for the mask that has this number in the stack."""
        corners = (round(place * pixels, 2) for place in self.thing.box)
        return {
            "mask_row": number,
            "image_name": self.image,
            "noun": self.thing.noun,
            "instance_id": self.thing.instance,
            "score": self.score,
            **dict(zip(("box_x0", "box_y0", "box_x1", "box_y1"), corners, strict=True)),
            "localized": int(self.thing.box != WHOLE),
            "mask_file": f"mask_{number:05d}.png",
        }


def make_masks(names: Sequence[str], seed: int) -> list[Mask]:
    """Return one to three masks for each image, in the order of the images."""
    return [mask for name in names for mask in _masks_of(name, seed)]


def _masks_of(name: str, seed: int) -> Iterator[Mask]:
    chance = generator(seed, "masks", name)
    main, *_ = shown = scene(name, seed).things
    for thing in shown:
        score = round(float(chance.uniform(0.3, 1)), 4)
        if thing.noun == main.noun or chance.uniform() < _SEEN:
            yield Mask(name, thing, score)
