"""Where the scenes of made-up images are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from laion_fmri.sandbox.shapes import Colour, Part, block

_HORIZON = 0.62
_BRIGHTER, _DARKER = 1.06, 0.85  # ground at the horizon, and at the lower edge


@dataclass(frozen=True)
class Place:
    """A place.

    Attributes
    ----------
    sky : two colours
        At the upper edge and at the horizon, or a wall.
    ground : tuple of int
        Below the horizon.
    parts : tuple of Part
        What stands there, from behind to front.
    """

    sky: tuple[Colour, Colour]
    ground: Colour
    parts: tuple[Part, ...]


def _each(
    colour: Colour, width: float, height: float, xs: tuple[float, ...], ys: tuple[float, ...]
) -> tuple[Part, ...]:
    return tuple(block(colour, x, y, x + width, y + height) for x in xs for y in ys)


PLACES = {
    "on a beach": Place(
        ((112, 176, 228), (222, 238, 244)),
        (230, 208, 160),
        (
            Part((255, 240, 190), (0.74, 0.08, 0.9, 0.24)),
            block((58, 128, 168), 0, 0.48, 1, _HORIZON),
            block((244, 244, 236), 0, 0.61, 1, 0.63),
        ),
    ),
    "in a quiet street": Place(
        ((150, 188, 220), (230, 232, 226)),
        (122, 122, 126),
        (
            block((196, 160, 132), 0, 0.18, 0.3, _HORIZON),
            block((168, 120, 104), 0.3, 0.26, 0.64, _HORIZON),
            block((206, 190, 156), 0.64, 0.14, 1, _HORIZON),
            *_each((92, 104, 120), 0.07, 0.1, (0.06, 0.18, 0.38, 0.5, 0.72, 0.86), (0.3, 0.46)),
        ),
    ),
    "in front of a window": Place(
        ((222, 204, 178), (204, 182, 154)),
        (140, 100, 70),
        (
            block((250, 248, 240), 0.16, 0.06, 0.84, 0.56),
            *_each((176, 214, 236), 0.3, 0.21, (0.19, 0.51), (0.09, 0.32)),
        ),
    ),
    "under a bridge": Place(
        ((74, 82, 98), (128, 140, 152)),
        (96, 92, 84),
        (
            Part((176, 198, 212), (0.14, 0.2, 0.86, 1.04)),
            block((110, 104, 94), 0, _HORIZON, 1, 1),
            *(block((60, 62, 70), *box) for box in ((0, 0, 1, 0.14), (0, 0, 0.12, 0.74), (0.88, 0, 1, 0.74))),
        ),
    ),
    "in a field, at dusk": Place(
        ((64, 54, 116), (246, 158, 96)),
        (82, 116, 62),
        (Part((255, 224, 140), (0.4, 0.48, 0.6, 0.68)), block((64, 92, 58), 0, 0.6, 1, 1)),
    ),
}


def backdrop(place: str, edge: int) -> Image.Image:
    """Return an empty place, RGB and square."""
    where = PLACES[place]
    above, below = (np.array(colour) for colour in where.sky)
    depth = np.linspace(0, 1, edge)[:, None]
    sky = above + np.minimum(depth / _HORIZON, 1) * (below - above)
    ground = np.array(where.ground) * (_BRIGHTER + (_DARKER - _BRIGHTER) * depth)
    rows = np.where(depth < _HORIZON, sky, ground).clip(0, 255).astype(np.uint8)
    canvas = Image.fromarray(np.repeat(rows[:, None], edge, axis=1))
    draw = ImageDraw.Draw(canvas)
    for part in where.parts:
        part.draw(draw, (0, 0, edge, edge))
    return canvas
