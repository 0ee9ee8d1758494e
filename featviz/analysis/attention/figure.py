"""Labeled figure of a grid: a picture for each pair of a query and a key token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Rgb = tuple[int, int, int]
Pictures = npt.NDArray[np.uint8]

# Blue and orange can be distinguished with any color vision. Source: Okabe and Ito, "Color
# Universal Design", 2008.
QUERY: Rgb = (0, 114, 178)
KEY: Rgb = (213, 94, 0)
INK: Rgb = (24, 24, 27)
SECONDARY: Rgb = (113, 113, 122)
CELL: Rgb = (228, 228, 231)
BACKGROUND: Rgb = (255, 255, 255)
# Lengths in pixels for pictures of 128 pixels; larger pictures scale them.
MIN_TILE = 128
MAP = 44
MARKER = 6


@dataclass(frozen=True)
class TokenLayout:
    """How the tokens of an attention are arranged.

    Attributes
    ----------
    grid : (int, int)
        Rows and columns of the patches.
    prefix : int
        Number of tokens before the first patch.
    has_class_token : bool
        Whether token 0 is the class token.
    """

    grid: tuple[int, int]
    prefix: int
    has_class_token: bool

    def name(self, side: str, token: int) -> str:
        """Write a token as in addresses: ``q10``, ``k20``, ``kcls``.

        Parameters
        ----------
        side : str
            ``"q"`` or ``"k"``.
        token : int
            Position.
        """
        return f"{side}{'cls' if self.has_class_token and token == 0 else token}"


def draw_grid(
    title: str,
    tokens: TokenLayout,
    queries: Sequence[int],
    keys: Sequence[int],
    pictures: Pictures,
    values: npt.NDArray[np.floating],
) -> Pictures:
    """Draw the pictures of all pairs in one figure: a row for each query, a column for each key.

    Below each picture are its value, the displacement from query to key as in ``@shift``, and a
    map of the tokens: the query in blue, the key in orange, both in one cell split diagonally.
    A pair of equal tokens has a frame. Class and register tokens are above the patches of the map.

    Parameters
    ----------
    title : str
    tokens : TokenLayout
    queries, keys : sequence of int
        Positions of Q query and K key tokens.
    pictures : uint8 array, shape (Q, K, S, S, 3)
        Pictures smaller than 128 pixels are enlarged by an integer factor.
    values : array, shape (Q, K)

    Returns
    -------
    uint8 array, shape (H, W, 3)
    """
    return np.asarray(_Figure(tokens, [*queries], [*keys], pictures, values, title).draw())


class _Figure:
    def __init__(
        self,
        tokens: TokenLayout,
        queries: list[int],
        keys: list[int],
        pictures: Pictures,
        values: npt.NDArray[np.floating],
        title: str,
    ) -> None:
        self.tokens, self.queries, self.keys = tokens, queries, keys
        self.pictures, self.values = pictures, values
        side: int = pictures.shape[2]
        self.tile = side * -(-MIN_TILE // side)
        self.unit = self.tile / MIN_TILE
        self.has_prefix = min(queries + keys) < tokens.prefix
        self.rows, self.columns = tokens.grid
        self.pitch = self._px(MAP) / max(self.rows, self.columns)
        self.head_room = self._px(MARKER + 2) if self.has_prefix else 0
        self.gap, self.margin = self._px(18), self._px(20)
        self.strip = self.head_room + round(self.rows * self.pitch) + self._px(8)
        self.left = self.margin + self._px(46)
        self.top = self.margin + self._px(78)
        right = self.left + len(keys) * (self.tile + self.gap) - self.gap
        title_end = self.left + self._font(18).getlength(title)
        self.width = self.margin + max(right, math.ceil(title_end), self._px(310))
        bottom = self.top + len(queries) * (self.tile + self.strip + self.gap)
        self.height = bottom - self.gap + self.margin
        self.title = title
        self.image = Image.new("RGB", (self.width, self.height), BACKGROUND)
        self.pen = ImageDraw.Draw(self.image)

    def draw(self) -> Image.Image:
        self._text((self.left, self.margin), self.title, 18, INK, "lt")
        self._legend(self.left, self.margin + self._px(28))
        for column, key in enumerate(self.keys):
            x = self.left + column * (self.tile + self.gap)
            middle = (x + self.tile / 2, self.top - self._px(8))
            self._text(middle, self.tokens.name("k", key), 16, KEY, "mb")
        for row, query in enumerate(self.queries):
            y = self.top + row * (self.tile + self.strip + self.gap)
            end = (self.left - self._px(10), y + self.tile / 2)
            self._text(end, self.tokens.name("q", query), 16, QUERY, "rm")
            for column, key in enumerate(self.keys):
                x = self.left + column * (self.tile + self.gap)
                self._tile((x, y), (query, key), (row, column))
        return self.image

    def _tile(self, corner: tuple[int, int], pair: tuple[int, int], cell: tuple[int, int]) -> None:
        x, y = corner
        size = (self.tile, self.tile)
        picture = Image.fromarray(self.pictures[cell]).resize(size, Image.Resampling.NEAREST)
        self.image.paste(picture, corner)
        if pair[0] == pair[1]:
            self._frame(corner)
        below = y + self.tile + self._px(8)
        value = f"{float(self.values[cell]):.4g}"
        self._text((x, below + self._px(12)), value, 16, INK, "ls")
        self._text((x, below + self._px(29)), self._displacement(*pair), 12, SECONDARY, "ls")
        self._map((x + self.tile - round(self.columns * self.pitch), below), *pair)

    def _displacement(self, query: int, key: int) -> str:
        if query == key:
            return "same"
        if min(query, key) < self.tokens.prefix:
            return ""
        (row, column), (key_row, key_column) = self._cell(query), self._cell(key)
        return f"shift {key_row - row}.{key_column - column}"

    def _frame(self, corner: tuple[int, int]) -> None:
        x, y = corner
        gap, width = self._px(5), self._px(2)
        box = (x - gap, y - gap, x + self.tile + gap - 1, y + self.tile + gap - 1)
        self.pen.rectangle(box, outline=INK, width=width)

    def _legend(self, x: int, y: int) -> None:
        side = self._px(10)
        for color, text in ((QUERY, "query"), (KEY, "key")):
            self.pen.rectangle((x, y, x + side - 1, y + side - 1), fill=color)
            x = self._text((x + side + self._px(5), y + side / 2), text, 13, SECONDARY, "lm")
        if set(self.queries) & set(self.keys):
            box = (x, y, x + side - 1, y + side - 1)
            self.pen.rectangle(box, outline=INK, width=self._px(2))
            self._text(
                (x + side + self._px(5), y + side / 2), "the same token", 13, SECONDARY, "lm"
            )

    def _map(self, corner: tuple[int, int], query: int, key: int) -> None:
        x, y = corner
        top, pitch = y + self.head_room, self.pitch
        right, bottom = x + round(self.columns * pitch), top + round(self.rows * pitch)
        self.pen.rectangle((x, top, right - 1, bottom - 1), fill=CELL)
        if pitch >= 4:
            for row in range(1, self.rows):
                self.pen.line((x, top + row * pitch, right - 1, top + row * pitch), BACKGROUND)
            for column in range(1, self.columns):
                self.pen.line((x + column * pitch, top, x + column * pitch, bottom - 1), BACKGROUND)
        for token, color in ((query, QUERY), (key, KEY)):
            self.pen.rectangle(self._marker(corner, token), fill=color)
        if query == key:
            left, upper, end, lower = self._marker(corner, key)
            self.pen.polygon([(left, upper), (end, upper), (left, lower)], fill=QUERY)

    def _marker(self, corner: tuple[int, int], token: int) -> tuple[int, int, int, int]:
        """Box around the center of a token's cell, large enough to be visible."""
        row, column = self._cell(token)
        size = max(self._px(MARKER), round(self.pitch))
        x = corner[0] + (column + 0.5) * self.pitch - size / 2
        y = corner[1] + self.head_room + (row + 0.5) * self.pitch - size / 2
        if token < self.tokens.prefix:
            x, y = corner[0] + token * (size + self._px(1)), corner[1]
        return round(x), round(y), round(x) + size - 1, round(y) + size - 1

    def _cell(self, token: int) -> tuple[int, int]:
        return divmod(token - self.tokens.prefix, self.columns)

    def _text(
        self, position: tuple[float, float], text: str, size: int, color: Rgb, anchor: str
    ) -> int:
        """Write text, and return where the next text of the line may begin."""
        font = self._font(size)
        self.pen.text(position, text, color, font, anchor)
        return math.ceil(position[0] + font.getlength(text)) + self._px(14)

    def _font(self, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size=self._px(size))

    def _px(self, size: float) -> int:
        """Scale a length that is given for pictures of 128 pixels."""
        return max(1, round(size * self.unit))
