"""The part of an address behind ``@``: where a unit is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from featviz.addressing.ranges import expand, span
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.models.sites import Site

ClassToken = Literal["cls"]


@dataclass(frozen=True)
class Pair:
    """A query token and a key token; ``"cls"`` is the class token."""

    query: int | ClassToken
    key: int | ClassToken

    def __str__(self) -> str:
        return f"q{self.query}.k{self.key}"


@dataclass(frozen=True)
class Shift:
    """Every patch as a query, and as its key the patch so many rows down and columns right."""

    rows: int
    columns: int

    def __str__(self) -> str:
        return f"shift.{self.rows}.{self.columns}"


Token = int | Literal["cls", "same"] | Pair | Shift | None

_PAIR = re.compile(r"q(?P<query>[\w,-]+)\.k(?P<key>[\w,-]+)")
_SHIFT = re.compile(r"shift\.(?P<rows>[\w,-]+)\.(?P<columns>[\w,-]+)")
_LOGIT_FORM = "@same, @q20.k30 or @shift.1.-2"


def parse_place(text: str | None) -> Token:
    """Read a single place, without a model to check it against.

    Raises
    ------
    ValueError
        If the text stands for no place, or for several.
    """
    if text is None or text in ("cls", "same"):
        return text  # type: ignore[return-value]  # mypy does not narrow by `in`
    if pair := _PAIR.fullmatch(text):
        return Pair(_single(pair["query"]), _single(pair["key"]))
    if shift := _SHIFT.fullmatch(text):
        return Shift(_whole(shift["rows"]), _whole(shift["columns"]))
    return _natural(text)


def expand_places(site: Site, has_class_token: bool, text: str | None) -> list[Token]:
    """List the places at a site that the text behind ``@`` stands for.

    Raises
    ------
    FeatvizError
        If the text is malformed, or the site has no such place.
    """
    if site.kind != "layer":
        return _logit_places(site, has_class_token, text)
    if text is None:
        return [None]
    if not site.positions:
        raise FeatvizError(f"{site.path} has one value an image, so @{text} names no place in it")
    return [*_tokens(site, has_class_token, text)]


def token_pairs(site: Site, token: Token) -> tuple[list[int], list[int]]:
    """List the query tokens of a logit's place, and the key token of each.

    Of `same` (and None) each patch is its own key; of a shift, the patches whose key is still
    on the grid.
    """
    if isinstance(token, Pair):
        return [_number(token.query)], [_number(token.key)]
    if not isinstance(token, Shift):
        patches = list(range(site.prefix, site.positions))
        return patches, patches
    rows, columns = site.grid or (0, 0)
    queries = [
        (row, column)
        for row, column in product(range(rows), range(columns))
        if 0 <= row + token.rows < rows and 0 <= column + token.columns < columns
    ]
    step = token.rows * columns + token.columns
    numbers = [site.prefix + row * columns + column for row, column in queries]
    return numbers, [number + step for number in numbers]


def _logit_places(site: Site, has_class_token: bool, text: str | None) -> list[Token]:
    if text is None:
        if site.kind == "qk_mode":
            return [None]
        raise FeatvizError(f"a logit of {site.path} is read at {_LOGIT_FORM}")
    if text == "same":
        return ["same"]
    if pair := _PAIR.fullmatch(text):
        sides = [_tokens(site, has_class_token, pair[name]) for name in ("query", "key")]
        return [Pair(query, key) for query, key in product(*sides)]
    if shift := _SHIFT.fullmatch(text):
        if site.grid is None:
            raise FeatvizError(f"{site.path} has no grid of patches to shift on")
        ways = [
            expand(shift[name], range(1 - side, side), f"{site.path} can shift its {name} by")
            for name, side in zip(("rows", "columns"), site.grid, strict=True)
        ]
        return [Shift(rows, columns) for rows, columns in product(*ways)]
    raise FeatvizError(f"a logit of {site.path} is read at {_LOGIT_FORM}, not at @{text}")


def _tokens(site: Site, has_class_token: bool, text: str) -> Sequence[int | ClassToken]:
    if text == "cls":
        if not (has_class_token and site.prefix):
            raise FeatvizError(f"{site.path} has no class token; its places are numbers")
        return ["cls"]
    if text == "same" or _PAIR.fullmatch(text) or _SHIFT.fullmatch(text):
        tokens = span(range(site.positions))
        raise FeatvizError(f"{site.path} is read at one of its tokens {tokens}, not at @{text}")
    return expand(text, range(site.positions), f"{site.path} has tokens")


def _number(token: int | ClassToken) -> int:
    return 0 if token == "cls" else token


def _single(text: str) -> int | ClassToken:
    return "cls" if text == "cls" else _natural(text)


def _natural(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)


def _whole(text: str) -> int:
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)
