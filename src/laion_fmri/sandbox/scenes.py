"""What made-up images show: captions tell of it, masks outline it, pictures paint it."""

from __future__ import annotations

from dataclasses import dataclass

from laion_fmri.sandbox import images
from laion_fmri.sandbox.chance import generator
from laion_fmri.sandbox.places import PLACES
from laion_fmri.sandbox.shapes import SHAPES

Box = tuple[float, float, float, float]

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

_NOUNS = (
    *("red, rusty bicycle", "wooden table", "street lamp", "dog", "small, striped cup"),
    *("woman in a raincoat", "stack of books", "palm tree", "umbrella", "brick wall"),
)
_LAYOUTS = {  # left and right edge of the room for each thing
    1: ((0.04, 0.54), (0.6, 0.96)),
    2: ((0.03, 0.42), (0.68, 0.97), (0.45, 0.66)),
}
_GROUND = (0.78, 0.92)  # where things stand, from the upper edge
_HIGHEST = 0.66
_WHOLE = 0.12  # of the images, the main thing of which fills the picture


@dataclass(frozen=True)
class Thing:
    """Something that an image shows.

    Attributes
    ----------
    noun : str
        What it is.
    instance : int
        Its number among the things that the image shows.
    box : tuple of float
        Left, upper, right and lower edge, in fractions of the image; `WHOLE` where it fills the image.
    """

    noun: str
    instance: int
    box: Box


@dataclass(frozen=True)
class Scene:
    """What one image shows.

    Attributes
    ----------
    place : str
        Where it is, one of `PLACES`.
    things : tuple of Thing
        The main one, another one and, in some scenes, the main one again; its instances are 0 and 2.
    """

    place: str
    things: tuple[Thing, ...]


def scene(name: str, seed: int) -> Scene:
    """Return what an image shows."""
    chance = generator(seed, "scene", name)
    one, other = chance.choice(_NOUNS, 2, replace=False).tolist()
    one = images.concept(name) or one
    place = str(chance.choice([*PLACES]))
    mirrored = bool(chance.integers(2))
    shown = ((one, 0), (other, 1), (one, 2))[: int(chance.integers(2, 4))]
    rooms = _LAYOUTS[len(shown) - 1]
    boxes = [_standing(noun, rooms[n], float(chance.uniform(*_GROUND)), mirrored) for n, (noun, _) in enumerate(shown)]
    if chance.uniform() < _WHOLE:
        boxes[0] = WHOLE
    return Scene(place, tuple(Thing(*what, box) for what, box in zip(shown, boxes, strict=True)))


def _standing(noun: str, room: tuple[float, float], ground: float, mirrored: bool) -> Box:
    """Return the largest box of a thing's shape that stands on the ground, in the middle of its room."""
    left, right = (1 - room[1], 1 - room[0]) if mirrored else room
    aspect = SHAPES[noun].aspect
    height = min(_HIGHEST, (right - left) / aspect)
    middle, half = (left + right) / 2, height * aspect / 2
    return (middle - half, ground - height, middle + half, ground)
