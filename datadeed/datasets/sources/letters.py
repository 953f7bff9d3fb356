"""Letters in DejaVu's fonts, as matplotlib ships them, turned, moved and of several sizes.

Auxiliary images for models of digits: letters that look like a digit are left out. DejaVu's licence
(Bitstream Vera's, and public domain) allows this. The same bytes come from the same versions of
Pillow, its FreeType and the fonts.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from datadeed.datasets.formats.blocks import Blocks
from datadeed.datasets.formats.images import array_blocks
from datadeed.datasets.places import Request, Splits
from datadeed.errors import FetchError, ParameterError
from datadeed.randomness import generator

OPTIONS = frozenset({"size", "copies"})
LETTERS = "CEFHKMNPRUVWXacdefhkmnprtuvwx"  # without those that look like a digit
FONTS = {
    "train": ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono-Oblique"),
    "test": ("DejaVuSans-Oblique", "DejaVuSerif-Bold"),
}
TURNED, SMALLEST, LARGEST = 15.0, 0.65, 0.95  # degrees; of a picture's side
CANVAS = 64  # pixels: drawn at this size, then made smaller


def open_source(request: Request) -> Splits:
    """Both splits, of other fonts; each letter ``copies`` times a font (10), ``size`` pixels (28).

    Raises:
        ParameterError: ``copies`` is no positive whole number.
        FetchError: matplotlib ships no such fonts.
    """
    copies = request.options.get("copies", 10)
    if type(copies) is not int or copies < 1:
        raise ParameterError(f"option 'copies' is {copies!r}: give a positive whole number")
    return {name: _split(name, copies, request.size or 28) for name in FONTS}


def _split(name: str, copies: int, size: int) -> Blocks:
    draw = generator(0, "letters", name)
    drawn = [
        (_picture(letter, font, draw, size), label)
        for font in map(_font_file, FONTS[name])
        for label, letter in enumerate(LETTERS)
        for _ in range(copies)
    ]
    pixels = np.stack([picture for picture, _ in drawn])[..., None]
    labels = np.array([label for _, label in drawn])
    columns = (labels, np.arange(len(labels)), tuple(f"letter {letter}" for letter in LETTERS))
    return Blocks(len(labels), array_blocks(pixels, *columns, size=None))


def _font_file(name: str) -> Path:
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    if not path.is_file():
        raise FetchError(f"{path} is missing: install matplotlib with its fonts")
    return path


def _picture(letter: str, font: Path, draw: torch.Generator, size: int) -> np.ndarray:
    """One white letter on black, (size, size) uint8."""
    turn, height, across, down = torch.rand(4, generator=draw).tolist()
    tall = SMALLEST + (LARGEST - SMALLEST) * height
    canvas: Any = Image.new("L", (CANVAS, CANVAS))
    # Basic layout: the other one depends on what else is installed.
    face = ImageFont.truetype(str(font), int(tall * CANVAS), layout_engine=ImageFont.Layout.BASIC)
    centre = [CANVAS * (0.5 + 0.1 * (move - 0.5)) for move in (across, down)]
    ImageDraw.Draw(canvas).text(tuple(centre), letter, fill=255, font=face, anchor="mm")
    canvas = canvas.rotate(TURNED * (2 * turn - 1), Image.Resampling.BILINEAR)
    return np.asarray(canvas.resize((size, size), Image.Resampling.BOX))
