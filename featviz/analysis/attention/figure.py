"""One labeled figure of a head: a picture for each pair of a query and a key token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Rgb = tuple[int, int, int]
Pictures = npt.NDArray[np.uint8]

# Blue and orange are told apart by the colour-blind. Source: Okabe and Ito, "Color Universal
# Design", 2008.
QUERY: Rgb = (0, 114, 178)
KEY: Rgb = (213, 94, 0)
INK: Rgb = (24, 24, 27)
QUIET: Rgb = (113, 113, 122)
CELL: Rgb = (228, 228, 231)
PAPER: Rgb = (255, 255, 255)
# Lengths beside pictures of 128 pixels.
LEAST_TILE = 128
MAP = 44
MARK = 6


@dataclass(frozen=True)
class Tokens:
    """Where the tokens of an attention stand.

    Attributes
    ----------
    grid : (int, int)
        Rows and columns of the patches.
    prefix : int
        How many tokens come before the first patch.
    has_class_token : bool
        Whether token 0 is the class token.
    """

    grid: tuple[int, int]
    prefix: int
    has_class_token: bool

    def name(self, side: str, token: int) -> str:
        """Write a token as in addresses: ``q10``, ``k20``, ``kcls``."""
        return f"{side}{'cls' if self.has_class_token and token == 0 else token}"


def draw_grid(
    title: str,
    tokens: Tokens,
    queries: Sequence[int],
    keys: Sequence[int],
    pictures: Pictures,
    values: npt.NDArray[np.floating],
) -> Pictures:
    """Draw the pictures of all pairs in one figure, rows for queries and columns for keys.

    Under each picture stand its value, the way from query to key as in ``@shift``, and a map of the
    tokens: the query's in blue, the key's in orange, one that is both in halves. A pair of equal
    tokens has a frame. Class and register tokens are above the patches of a map.

    Parameters
    ----------
    title : str
    tokens : Tokens
    queries, keys : sequence of int
        Q and K tokens.
    pictures : uint8 array, shape (Q, K, S, S, 3)
        Those smaller than 128 pixels are enlarged by a whole factor.
    values : array, shape (Q, K)

    Returns
    -------
    uint8 array, shape (H, W, 3)
    """
    return np.asarray(_Figure(tokens, [*queries], [*keys], pictures, values, title).draw())


class _Figure:
    def __init__(
        self,
        tokens: Tokens,
        queries: list[int],
        keys: list[int],
        pictures: Pictures,
        values: npt.NDArray[np.floating],
        title: str,
    ) -> None:
        self.tokens, self.queries, self.keys = tokens, queries, keys
        self.pictures, self.values = pictures, values
        side: int = pictures.shape[2]
        self.tile = side * -(-LEAST_TILE // side)
        self.unit = self.tile / LEAST_TILE
        self.has_prefix = min(queries + keys) < tokens.prefix
        self.rows, self.columns = tokens.grid
        self.pitch = self._px(MAP) / max(self.rows, self.columns)
        self.head_room = self._px(MARK + 2) if self.has_prefix else 0
        self.gap, self.margin = self._px(18), self._px(20)
        self.strip = self.head_room + round(self.rows * self.pitch) + self._px(8)
        self.left = self.margin + self._px(46)
        self.top = self.margin + self._px(78)
        right = self.left + len(keys) * (self.tile + self.gap) - self.gap
        written = self.left + self._font(18).getlength(title)
        self.width = self.margin + max(right, math.ceil(written), self._px(310))
        bottom = self.top + len(queries) * (self.tile + self.strip + self.gap)
        self.height = bottom - self.gap + self.margin
        self.title = title
        self.image = Image.new("RGB", (self.width, self.height), PAPER)
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

    def _tile(self, corner: tuple[int, int], pair: tuple[int, int], place: tuple[int, int]) -> None:
        x, y = corner
        size = (self.tile, self.tile)
        picture = Image.fromarray(self.pictures[place]).resize(size, Image.Resampling.NEAREST)
        self.image.paste(picture, corner)
        if pair[0] == pair[1]:
            self._frame(corner)
        below = y + self.tile + self._px(8)
        value = f"{float(self.values[place]):.4g}"
        self._text((x, below + self._px(12)), value, 16, INK, "ls")
        self._text((x, below + self._px(29)), self._way(*pair), 12, QUIET, "ls")
        self._map((x + self.tile - round(self.columns * self.pitch), below), *pair)

    def _way(self, query: int, key: int) -> str:
        if query == key:
            return "same"
        if min(query, key) < self.tokens.prefix:
            return ""
        (row, column), (end, right) = self._place(query), self._place(key)
        return f"shift {end - row}.{right - column}"

    def _frame(self, corner: tuple[int, int]) -> None:
        x, y = corner
        out, width = self._px(5), self._px(2)
        box = (x - out, y - out, x + self.tile + out - 1, y + self.tile + out - 1)
        self.pen.rectangle(box, outline=INK, width=width)

    def _legend(self, x: int, y: int) -> None:
        side = self._px(10)
        for color, text in ((QUERY, "query"), (KEY, "key")):
            self.pen.rectangle((x, y, x + side - 1, y + side - 1), fill=color)
            x = self._text((x + side + self._px(5), y + side / 2), text, 13, QUIET, "lm")
        if set(self.queries) & set(self.keys):
            box = (x, y, x + side - 1, y + side - 1)
            self.pen.rectangle(box, outline=INK, width=self._px(2))
            self._text((x + side + self._px(5), y + side / 2), "the same token", 13, QUIET, "lm")

    def _map(self, corner: tuple[int, int], query: int, key: int) -> None:
        x, y = corner
        top, pitch = y + self.head_room, self.pitch
        right, bottom = x + round(self.columns * pitch), top + round(self.rows * pitch)
        self.pen.rectangle((x, top, right - 1, bottom - 1), fill=CELL)
        if pitch >= 4:
            for row in range(1, self.rows):
                self.pen.line((x, top + row * pitch, right - 1, top + row * pitch), PAPER)
            for column in range(1, self.columns):
                self.pen.line((x + column * pitch, top, x + column * pitch, bottom - 1), PAPER)
        for token, color in ((query, QUERY), (key, KEY)):
            self.pen.rectangle(self._mark(corner, token), fill=color)
        if query == key:
            left, upper, end, lower = self._mark(corner, key)
            self.pen.polygon([(left, upper), (end, upper), (left, lower)], fill=QUERY)

    def _mark(self, corner: tuple[int, int], token: int) -> tuple[int, int, int, int]:
        """Box around the middle of a token's cell, large enough to be seen."""
        row, column = self._place(token)
        size = max(self._px(MARK), round(self.pitch))
        x = corner[0] + (column + 0.5) * self.pitch - size / 2
        y = corner[1] + self.head_room + (row + 0.5) * self.pitch - size / 2
        if token < self.tokens.prefix:
            x, y = corner[0] + token * (size + self._px(1)), corner[1]
        return round(x), round(y), round(x) + size - 1, round(y) + size - 1

    def _place(self, token: int) -> tuple[int, int]:
        return divmod(token - self.tokens.prefix, self.columns)

    def _text(
        self, place: tuple[float, float], text: str, size: int, color: Rgb, anchor: str
    ) -> int:
        """Write text; return where the next part of a line may begin."""
        font = self._font(size)
        self.pen.text(place, text, color, font, anchor)
        return math.ceil(place[0] + font.getlength(text)) + self._px(14)

    def _font(self, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(size=self._px(size))

    def _px(self, size: float) -> int:
        """Scale a length that is right beside pictures of 128 pixels."""
        return max(1, round(size * self.unit))
