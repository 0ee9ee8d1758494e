"""The token part of an address, after ``@``: the position or token pair at which a unit is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from featviz.addressing.ranges import expand, format_indices
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
    """All pairs of patches whose key is so many rows below and columns right of the query."""

    rows: int
    columns: int

    def __str__(self) -> str:
        return f"shift.{self.rows}.{self.columns}"


Token = int | Literal["cls", "same", "max"] | Pair | Shift | None

_PAIR = re.compile(r"q(?P<query>[\w,-]+)\.k(?P<key>[\w,-]+)")
_SHIFT = re.compile(r"shift\.(?P<rows>[\w,-]+)\.(?P<columns>[\w,-]+)")
_LOGIT_TOKENS = "@same, @max, @q20.k30 or @shift.1.-2"


def parse_token(text: str | None) -> Token:
    """Parse a single token, without a model to check it against.

    Parameters
    ----------
    text : str or None
        The text after ``@``; None if the address has none.

    Returns
    -------
    Token

    Raises
    ------
    ValueError
        If the text is malformed or names several tokens.
    """
    if text is None or text in ("cls", "same", "max"):
        return text  # type: ignore[return-value]  # mypy does not narrow by `in`
    if pair := _PAIR.fullmatch(text):
        return Pair(_side(pair["query"]), _side(pair["key"]))
    if shift := _SHIFT.fullmatch(text):
        return Shift(_integer(shift["rows"]), _integer(shift["columns"]))
    return _natural(text)


def expand_tokens(site: Site, has_class_token: bool, text: str | None) -> list[Token]:
    """Expand the token part of a selector at a site.

    Parameters
    ----------
    site : Site
        Determines which tokens exist.
    has_class_token : bool
        Whether token 0 of the model is a class token.
    text : str or None
        The text after ``@``; None if the selector has none.

    Returns
    -------
    list of Token
        In the order given; of pairs and shifts, the last index varies fastest.

    Raises
    ------
    FeatvizError
        If the text is malformed, or the site has no such token.
    """
    if site.is_logit:
        return _logit_tokens(site, has_class_token, text)
    if text is None:
        return [None]
    if not site.positions:
        raise FeatvizError(f"{site.path} has no token axis; remove @{text}")
    if text == "max":
        return ["max"]
    return [*_positions(site, has_class_token, text)]


def token_pairs(site: Site, token: Token) -> tuple[list[int], list[int]]:
    """List the token pairs that a logit is the mean, or the maximum, over.

    Parameters
    ----------
    site : Site
        An attention's logits.
    token : Token
        Pair: itself. Shift: the patches whose shifted patch is on the grid. ``"same"``, ``"max"``
        or None: each patch with itself.

    Returns
    -------
    queries, keys : list of int
        Positions of the query and the key of each pair, prefix tokens counted.
    """
    if isinstance(token, Pair):
        return [_position(token.query)], [_position(token.key)]
    if not isinstance(token, Shift):
        patches = list(range(site.prefix, site.positions))
        return patches, patches
    rows, columns = site.grid or (0, 0)
    queries = [
        site.prefix + row * columns + column
        for row, column in product(range(rows), range(columns))
        if 0 <= row + token.rows < rows and 0 <= column + token.columns < columns
    ]
    offset = token.rows * columns + token.columns
    return queries, [query + offset for query in queries]


def _logit_tokens(site: Site, has_class_token: bool, text: str | None) -> list[Token]:
    if text is None:
        if site.kind == "qk_mode":
            return [None]
        raise FeatvizError(f"a logit of {site.path} needs its tokens: {_LOGIT_TOKENS}")
    if text in ("same", "max"):
        return [text]  # type: ignore[list-item]  # mypy does not narrow by `in`
    if pair := _PAIR.fullmatch(text):
        sides = [_positions(site, has_class_token, pair[name]) for name in ("query", "key")]
        return [Pair(query, key) for query, key in product(*sides)]
    if shift := _SHIFT.fullmatch(text):
        if site.grid is None:
            raise FeatvizError(f"{site.path} has no patch grid, so @shift cannot be used")
        offsets = [
            expand(shift[name], range(1 - side, side), f"{site.path} can shift its {name} by")
            for name, side in zip(("rows", "columns"), site.grid, strict=True)
        ]
        return [Shift(rows, columns) for rows, columns in product(*offsets)]
    raise FeatvizError(f"a logit of {site.path} needs {_LOGIT_TOKENS}, not @{text}")


def _positions(site: Site, has_class_token: bool, text: str) -> Sequence[int | ClassToken]:
    if text == "cls":
        if not (has_class_token and site.prefix):
            positions = format_indices(range(site.positions))
            raise FeatvizError(f"{site.path} has no class token; its positions are {positions}")
        return ["cls"]
    if text == "same" or _PAIR.fullmatch(text) or _SHIFT.fullmatch(text):
        tokens = format_indices(range(site.positions))
        raise FeatvizError(f"{site.path} is read at one of its tokens {tokens}, not @{text}")
    return expand(text, range(site.positions), f"{site.path} has tokens")


def _position(token: int | ClassToken) -> int:
    return 0 if token == "cls" else token


def _side(text: str) -> int | ClassToken:
    return "cls" if text == "cls" else _natural(text)


def _natural(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)


def _integer(text: str) -> int:
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise ValueError(text)
    return int(text)
