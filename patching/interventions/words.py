"""A word on a label in an image: the typographic attack."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from featviz.errors import FeatvizError

LARGEST, SMALLEST = 1 / 7, 1 / 14
"""Heights of the font, relative to the side of the image."""

WIDTH = 0.92
"""Largest width of the label, relative to the side of the image."""

CENTER = 0.72
"""Height of the center of the label, relative to the side of the image."""


def draw_word(images: Tensor, word: str) -> Tensor:
    """Draw a word in black on a white label, at the same place in every image.

    The label is centered in the lower half. The font shrinks until the word fits.

    Parameters
    ----------
    images : Tensor, shape (N, 3, size, size)
        RGB in [0, 1].
    word : str
        One line.

    Returns
    -------
    Tensor, shape (N, 3, size, size)

    Raises
    ------
    FeatvizError
        If the word does not fit, or the font lacks a character.

    Source: Goh et al., "Multimodal Neurons in Artificial Neural Networks", Distill, 2021.
    """
    size = images.shape[-1]
    label = _label(word, size).to(images)
    height, width = label.shape
    top, left = round(CENTER * size - height / 2), (size - width) // 2
    drawn = images.clone()
    drawn[:, :, top : top + height, left : left + width] = label
    return drawn


@lru_cache(maxsize=8)
def _label(word: str, size: int) -> Tensor:
    """Draw the label alone, in shades of gray in [0, 1], (height, width)."""
    if not word.strip() or not word.isprintable():
        raise FeatvizError(f"expected word:TEXT with a line of text, got {word!r}")
    font = ImageFont.load_default(round(LARGEST * size))
    absent = bytes(font.getmask("\U0010ffff"))
    if lacking := [each for each in word if bytes(font.getmask(each)) == absent]:
        raise FeatvizError(f"the font has no character {lacking[0]!r}; use another word")
    for height in range(round(LARGEST * size), round(SMALLEST * size) - 1, -1):
        font = ImageFont.load_default(height)
        margin = round(height / 3)
        width = round(font.getlength(word)) + 2 * margin
        if width <= WIDTH * size:
            break
    else:
        share = WIDTH * size / width
        raise FeatvizError(
            f"the word {word!r} does not fit into images of {size} pixels; use at most about "
            f"{int(share * len(word))} characters"
        )
    image = Image.new("L", (width, round(1.5 * height)), 255)
    middle = (image.width / 2, image.height / 2)
    ImageDraw.Draw(image).text(middle, word, fill=0, font=font, anchor="mm")
    return torch.from_numpy(np.array(image)) / 255
