"""Silhouettes of the things that made-up images show, in a box from (0, 0), the upper left, to (1, 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageDraw

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Part:
    """A coloured piece of a silhouette.

    Attributes
    ----------
    colour : tuple of int
        Red, green and blue.
    corners : tuple of float
        x and y of each corner of a polygon; of an ellipse, the upper left and the lower right of its box.
    """

    colour: Colour
    corners: tuple[float, ...]

    def draw(self, canvas: ImageDraw.ImageDraw, box: Sequence[float], colour: int | None = None) -> None:
        """Draw the part into a box (left, upper, right, lower) of a canvas, in its own colour or in a grey."""
        left, upper, right, lower = box
        points = [
            (left + x * (right - left), upper + y * (lower - upper))
            for x, y in zip(self.corners[::2], self.corners[1::2], strict=True)
        ]
        fill = self.colour if colour is None else colour
        (canvas.ellipse if len(points) == 2 else canvas.polygon)(points, fill)  # noqa: PLR2004


@dataclass(frozen=True)
class Shape:
    """What a thing looks like; its parts reach all four edges of the box.

    Attributes
    ----------
    aspect : float
        Width by height.
    parts : tuple of Part
        From behind to front.
    """

    aspect: float
    parts: tuple[Part, ...]


_BLACK, _WHITE, _GREY = (32, 30, 34), (244, 243, 238), (150, 150, 156)
_RED, _RUST, _YELLOW, _GOLD = (200, 44, 40), (158, 74, 44), (244, 208, 76), (212, 164, 60)
_BROWN, _DARK, _TAN, _CREAM = (140, 92, 54), (88, 56, 36), (208, 170, 120), (250, 232, 200)
_GREEN, _BLUE, _PINK, _SKY = (52, 132, 64), (44, 84, 160), (240, 160, 184), (180, 214, 232)


def block(colour: Colour, x0: float, y0: float, x1: float, y1: float) -> Part:
    """Return an upright rectangle."""
    return Part(colour, (x0, y0, x1, y0, x1, y1, x0, y1))


def _legs(colour: Colour, top: float, *lefts: float) -> tuple[Part, ...]:
    return tuple(block(colour, left, top, left + 0.08, 1) for left in lefts)


def _bricks() -> tuple[Part, ...]:
    rows = [(row / 6, 0.04 if row % 2 else 0.13) for row in range(6)]
    return tuple(
        block(_RUST, x, y + 0.02, x + 0.16, y + 0.15) for y, start in rows for x in (start, start + 0.28, start + 0.56)
    )


SHAPES = {
    "red, rusty bicycle": Shape(
        1.6,
        (
            *(Part(_BLACK, (x, 0.4, x + 0.38, 1)) for x in (0, 0.62)),
            *(Part(_GREY, (x + 0.04, 0.46, x + 0.34, 0.94)) for x in (0, 0.62)),
            Part(_RED, (0.17, 0.72, 0.34, 0.22, 0.4, 0.22, 0.23, 0.72)),
            Part(_RED, (0.34, 0.3, 0.74, 0.22, 0.75, 0.3, 0.36, 0.38)),
            Part(_RUST, (0.36, 0.3, 0.54, 0.72, 0.5, 0.76, 0.31, 0.32)),
            Part(_RED, (0.7, 0.06, 0.84, 0.7, 0.79, 0.72, 0.65, 0.06)),
            block(_BLACK, 0.24, 0.14, 0.44, 0.22),
            block(_BLACK, 0.62, 0, 0.8, 0.08),
        ),
    ),
    "wooden table": Shape(
        1.4, (block(_TAN, 0, 0, 1, 0.18), block(_BROWN, 0.04, 0.18, 0.96, 0.3), *_legs(_DARK, 0.3, 0.06, 0.86))
    ),
    "street lamp": Shape(
        0.36,
        (
            block(_BLACK, 0.42, 0.26, 0.58, 1),
            block(_BLACK, 0.2, 0.92, 0.8, 1),
            Part(_YELLOW, (0.1, 0.08, 0.9, 0.08, 0.74, 0.3, 0.26, 0.3)),
            Part(_BLACK, (0, 0.1, 0.5, 0, 1, 0.1)),
        ),
    ),
    "dog": Shape(
        1.25,
        (
            Part(_BROWN, (0.8, 0.5, 0.94, 0.1, 1, 0.14, 0.9, 0.62)),
            *_legs(_DARK, 0.6, 0.34, 0.72),
            *_legs(_BROWN, 0.6, 0.24, 0.8),
            Part(_BROWN, (0.18, 0.34, 0.92, 0.8)),
            Part(_BROWN, (0.04, 0, 0.42, 0.5)),
            Part(_TAN, (0, 0.2, 0.22, 0.44)),
            Part(_DARK, (0.28, 0.04, 0.46, 0.42)),
            Part(_BLACK, (0, 0.22, 0.08, 0.32)),
            Part(_BLACK, (0.14, 0.12, 0.2, 0.2)),
        ),
    ),
    "small, striped cup": Shape(
        1.1,
        (
            Part(_BLUE, (0.6, 0.2, 1, 0.74)),
            Part(_WHITE, (0.68, 0.32, 0.9, 0.62)),
            Part(_WHITE, (0, 0.06, 0.8, 0.06, 0.68, 1, 0.12, 1)),
            *(block(_BLUE, x, 0.14, x + 0.1, 0.98) for x in (0.16, 0.36, 0.56)),
            Part(_DARK, (0, 0, 0.8, 0.14)),
        ),
    ),
    "woman in a raincoat": Shape(
        0.5,
        (
            block(_BLACK, 0.28, 0.8, 0.44, 1),
            block(_BLACK, 0.56, 0.8, 0.72, 1),
            Part(_YELLOW, (0.3, 0.22, 0.7, 0.22, 1, 0.86, 0, 0.86)),
            Part(_GOLD, (0.47, 0.24, 0.53, 0.24, 0.53, 0.86, 0.47, 0.86)),
            Part(_YELLOW, (0.22, 0, 0.78, 0.3)),
            Part(_TAN, (0.34, 0.07, 0.66, 0.26)),
        ),
    ),
    "stack of books": Shape(
        1.2,
        (
            block(_BLUE, 0, 0.75, 0.94, 1),
            block(_RED, 0.08, 0.5, 1, 0.75),
            block(_GREEN, 0.02, 0.25, 0.86, 0.5),
            block(_GOLD, 0.14, 0, 0.92, 0.25),
            *(block(_CREAM, 0.7, y, 0.84, y + 0.13) for y in (0.06, 0.31, 0.56, 0.81)),
        ),
    ),
    "palm tree": Shape(
        0.8,
        (
            Part(_BROWN, (0.46, 0.3, 0.56, 0.3, 0.66, 1, 0.48, 1)),
            Part(_GREEN, (0, 0.42, 0.24, 0.14, 0.54, 0.3, 0.26, 0.28)),
            Part(_GREEN, (1, 0.42, 0.78, 0.14, 0.48, 0.3, 0.76, 0.28)),
            Part(_GREEN, (0.1, 0.06, 0.36, 0, 0.56, 0.32, 0.34, 0.16)),
            Part(_GREEN, (0.92, 0.06, 0.66, 0, 0.46, 0.32, 0.68, 0.16)),
            Part(_DARK, (0.42, 0.27, 0.6, 0.41)),
        ),
    ),
    "umbrella": Shape(
        0.95,
        (
            block(_DARK, 0.48, 0.1, 0.53, 0.98),
            block(_DARK, 0.36, 0.92, 0.53, 1),
            Part(_RED, (0, 0.46, 0.06, 0.26, 0.24, 0.08, 0.5, 0, 0.76, 0.08, 0.94, 0.26, 1, 0.46)),
            Part(_WHITE, (0.26, 0.46, 0.36, 0.16, 0.5, 0, 0.46, 0.46)),
            Part(_WHITE, (0.66, 0.46, 0.64, 0.16, 0.5, 0, 0.86, 0.46)),
        ),
    ),
    "brick wall": Shape(1.3, (block(_CREAM, 0, 0, 1, 1), *_bricks())),
    "anteater": Shape(
        1.7,
        (
            Part(_GREY, (0.7, 0.4, 1, 0, 0.96, 0.7, 0.8, 0.74)),
            *_legs(_BLACK, 0.55, 0.3, 0.4, 0.66, 0.76),
            Part(_GREY, (0.22, 0.14, 0.86, 0.78)),
            Part(_BLACK, (0.24, 0.5, 0.44, 0.2, 0.6, 0.24, 0.34, 0.66)),
            Part(_GREY, (0, 0.6, 0.24, 0.26, 0.36, 0.3, 0.32, 0.54)),
            Part(_BLACK, (0.2, 0.36, 0.24, 0.43)),
        ),
    ),
    "bow tie": Shape(
        1.8,
        (
            Part(_RED, (0, 0, 0.5, 0.36, 0.5, 0.64, 0, 1)),
            Part(_RED, (1, 0, 0.5, 0.36, 0.5, 0.64, 1, 1)),
            *(Part(_WHITE, (x, y, x + 0.07, y + 0.12)) for x in (0.08, 0.24, 0.68, 0.84) for y in (0.3, 0.56)),
            block(_RUST, 0.42, 0.3, 0.58, 0.7),
        ),
    ),
    "ice cream": Shape(
        0.55,
        (
            Part(_TAN, (0.12, 0.44, 0.88, 0.44, 0.5, 1)),
            Part(_CREAM, (0, 0.16, 0.64, 0.52)),
            Part(_PINK, (0.36, 0.16, 1, 0.52)),
            Part(_BROWN, (0.18, 0, 0.82, 0.36)),
        ),
    ),
    "lighthouse": Shape(
        0.42,
        (
            Part(_WHITE, (0.26, 0.24, 0.74, 0.24, 0.94, 0.94, 0.06, 0.94)),
            Part(_RED, (0.23, 0.36, 0.77, 0.36, 0.81, 0.52, 0.19, 0.52)),
            Part(_RED, (0.14, 0.66, 0.86, 0.66, 0.9, 0.82, 0.1, 0.82)),
            block(_GREY, 0, 0.93, 1, 1),
            block(_YELLOW, 0.32, 0.1, 0.68, 0.24),
            Part(_BLACK, (0.2, 0.12, 0.5, 0, 0.8, 0.12)),
        ),
    ),
    "t-shirt": Shape(
        1.1,
        (
            Part(_BLUE, (0.34, 0, 0.66, 0, 1, 0.22, 0.88, 0.44, 0.12, 0.44, 0, 0.22)),
            block(_BLUE, 0.24, 0.1, 0.76, 1),
            Part(_SKY, (0.38, 0, 0.62, 0, 0.5, 0.14)),
            Part(_YELLOW, (0.38, 0.42, 0.62, 0.66)),
        ),
    ),
    "pocket watch": Shape(
        0.8,
        (
            block(_GOLD, 0.42, 0, 0.58, 0.26),
            Part(_GOLD, (0, 0.2, 1, 1)),
            Part(_WHITE, (0.1, 0.28, 0.9, 0.92)),
            block(_BLACK, 0.47, 0.36, 0.52, 0.62),
            block(_BLACK, 0.47, 0.58, 0.74, 0.63),
        ),
    ),
    "zebra": Shape(
        1.3,
        (
            Part(_BLACK, (0.9, 0.36, 1, 0.7, 0.94, 0.74, 0.84, 0.44)),
            *_legs(_WHITE, 0.6, 0.28, 0.4, 0.7, 0.82),
            Part(_WHITE, (0.22, 0.3, 0.94, 0.74)),
            Part(_WHITE, (0.14, 0.06, 0.3, 0, 0.46, 0.4, 0.28, 0.6)),
            Part(_WHITE, (0, 0.1, 0.3, 0.32)),
            *(Part(_BLACK, (x, 0.34, x + 0.05, 0.34, x + 0.03, 0.7, x - 0.01, 0.7)) for x in (0.4, 0.52, 0.64, 0.76)),
            Part(_BLACK, (0.24, 0, 0.32, 0, 0.48, 0.34, 0.42, 0.36)),
            Part(_BLACK, (0, 0.18, 0.09, 0.29)),
        ),
    ),
}  # fmt: skip
