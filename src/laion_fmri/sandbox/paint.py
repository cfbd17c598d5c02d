"""Pictures of scenes, and the pixels that each of their things covers."""

from __future__ import annotations

import io
from itertools import product
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from laion_fmri.sandbox.chance import generator
from laion_fmri.sandbox.places import backdrop
from laion_fmri.sandbox.scenes import WHOLE, Scene, Thing, scene
from laion_fmri.sandbox.shapes import SHAPES

_SMALL = 100  # pixels of a picture that is drawn four times as large and then reduced; others are drawn twice as large
_COPIES = 4  # along an edge, of a thing that fills the picture
_GRAIN = 5  # standard deviation of what a camera adds
_SHADOW = (0, 0, 0, 90)


def picture_file(name: str, pixels: int, seed: int) -> bytes:
    """Return an image as the bytes of its file: RGBA for a name that ends in ``.png``, else RGB as JPEG."""
    shown = scene(name, seed)
    file = io.BytesIO()
    if PurePath(name).suffix == ".png":
        cut_out(shown, pixels).save(file, "PNG")
    else:
        _grainy(photograph(shown, pixels), generator(seed, "grain", name)).save(file, "JPEG", quality=90, subsampling=0)
    return file.getvalue()


def photograph(shown: Scene, pixels: int) -> Image.Image:
    """Return a scene at its place, RGB."""
    canvas = backdrop(shown.place, _edge(pixels)).convert("RGBA")
    canvas.alpha_composite(cut_out(shown, canvas.width))
    return canvas.convert("RGB").resize((pixels, pixels), Image.Resampling.BOX)


def cut_out(shown: Scene, pixels: int) -> Image.Image:
    """Return the things of a scene and their shadows on nothing, RGBA."""
    edge = _edge(pixels)
    canvas = Image.new("RGBA", (edge, edge))
    draw = ImageDraw.Draw(canvas)
    for thing in shown.things:
        box = [edge * place for place in thing.box]
        if thing.box == WHOLE:
            _fill(draw, thing, edge)
            continue
        draw.ellipse((box[0], box[3] - 0.03 * edge, box[2], box[3] + 0.03 * edge), _SHADOW)
        for part in SHAPES[thing.noun].parts:
            part.draw(draw, box)
    return canvas.resize((pixels, pixels), Image.Resampling.BOX)


def covered(thing: Thing, pixels: int) -> NDArray[np.uint8]:
    """Return 1 where a thing covers most of a pixel and 0 elsewhere, (y, x)."""
    if thing.box == WHOLE:
        return np.ones((pixels, pixels), np.uint8)
    edge = _edge(pixels)
    canvas = Image.new("L", (edge, edge))
    draw = ImageDraw.Draw(canvas)
    for part in SHAPES[thing.noun].parts:
        part.draw(draw, [edge * place for place in thing.box], colour=255)
    reduced = np.asarray(canvas.resize((pixels, pixels), Image.Resampling.BOX))
    return (reduced >= 128).astype(np.uint8)  # noqa: PLR2004


def _edge(pixels: int) -> int:
    return pixels * (4 if pixels <= _SMALL else 2)


def _fill(draw: ImageDraw.ImageDraw, thing: Thing, edge: int) -> None:
    """Cover a canvas with a thing, many times over."""
    shape = SHAPES[thing.noun]
    draw.rectangle((0, 0, edge, edge), tuple((2 * 255 + tone) // 3 for tone in shape.parts[0].colour))
    step, half = edge / _COPIES, 0.42 * edge / _COPIES
    width, height = half * min(1, shape.aspect), half * min(1, 1 / shape.aspect)
    for row, column in product(range(_COPIES), range(_COPIES + 1)):
        x, y = (column + row % 2 / 2) * step, (row + 0.5) * step
        for part in shape.parts:
            part.draw(draw, (x - width, y - height, x + width, y + height))


def _grainy(picture: Image.Image, chance: np.random.Generator) -> Image.Image:
    pixels: NDArray[Any] = np.asarray(picture) + chance.normal(0, _GRAIN, (*picture.size, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
