"""Encoded pictures, such as JPEG and PNG: decoded, and shown on a background."""

from __future__ import annotations

import io
import struct

from PIL import Image

from laion_fmri.errors import DataFormatError

Colour = tuple[int, int, int]

_DAMAGE = (  # what Pillow raises for bad bytes
    *(OSError, SyntaxError, ValueError, EOFError, IndexError),
    *(struct.error, Image.DecompressionBombError),
)


def decode(data: bytes, what: str) -> Image.Image:
    """Return a picture as it is stored.

    Parameters
    ----------
    data : bytes
        Of a file in any format that Pillow knows.
    what : str
        Which picture it is, for messages.

    Raises
    ------
    DataFormatError
        If the bytes are damaged.
    """
    try:
        picture = Image.open(io.BytesIO(data))
        picture.load()
    except _DAMAGE as error:
        raise DataFormatError(f"{what} cannot be decoded: {error}; download the file again") from error
    return picture


def displayed(picture: Image.Image, background: Colour | None, what: str) -> Image.Image:
    """Return a picture in RGB as it is shown; a transparent one is laid on the background.

    Raises
    ------
    DataFormatError
        If it is transparent and the catalog names no background.

    Examples
    --------
    >>> veil = Image.new("RGBA", (1, 1), (255, 0, 0, 128))
    >>> displayed(veil, (128, 128, 128), "a veil").getpixel((0, 0))
    (192, 64, 64)
    """
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    if background is None:
        raise DataFormatError(f"{what} is transparent; add the background on which it is shown to the catalog's layout")
    behind = Image.new("RGBA", picture.size, (*background, 255))
    return Image.alpha_composite(behind, picture.convert("RGBA")).convert("RGB")
