"""The address grammar: text <-> Unit, selectors -> lists of units.

    SITE:INDEX          mean over the patch tokens, or over all places of a feature map
    SITE:INDEX@TOKEN    at one token or place
    SITE:INDEX@cls      at the class token

A selector may put a range ``0-15``, a list ``1,4,9`` or ``all`` in every numeric place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.models import VisionModel
    from featviz.sites import Site

Token = int | Literal["cls"] | None

_NUMBER = re.compile(r"[0-9]{1,9}")
_NUMBERS = re.compile(r"[0-9]{1,9}(-[0-9]{1,9})?(,[0-9]{1,9}(-[0-9]{1,9})?)*")
# No character that a shell or a terminal would read as anything but itself.
_SELECTOR = re.compile(r"(?P<site>[\w.,-]+):(?P<index>[\w,-]+)(@(?P<token>[\w,-]+))?")
_FORM = "an address looks like blocks.3.mlp.fc1:42, blocks.3.mlp.fc1:42@7 or patch_embed:0-15"


@dataclass(frozen=True)
class Unit:
    """One scalar function of an image; `str` gives its address.

    Attributes
    ----------
    site : str
        Path of the site, see `featviz.sites`.
    index : int
        Neuron, channel, filter or class.
    token : int, "cls" or None
        Position at the site, counted as timm does (prefix tokens first); ``"cls"`` is the class
        token. None means the mean over patch tokens or places.
    """

    site: str
    index: int
    token: Token = None

    def __str__(self) -> str:
        where = "" if self.token is None else f"@{self.token}"
        return f"{self.site}:{self.index}{where}"

    @classmethod
    def parse(cls, address: str) -> Unit:
        """Read the address of a single unit, without a model to check it against.

        Raises
        ------
        FeatvizError
            If the text is no address, or a selector of several units.
        """
        site, index, token = _split(address)
        if not _NUMBER.fullmatch(index):
            raise FeatvizError(f"{address!r} is not the address of one unit; {_FORM}")
        if token is None:
            return cls(site, int(index))
        if token == "cls":
            return cls(site, int(index), "cls")
        if not _NUMBER.fullmatch(token):
            raise FeatvizError(f"{address!r} is not the address of one unit; {_FORM}")
        return cls(site, int(index), int(token))


def units(model: VisionModel, *selectors: str) -> list[Unit]:
    """Expand selectors to the units of a model, in the order given, each once.

    Parameters
    ----------
    model : VisionModel
        Tells which sites, units and tokens there are.
    selectors : str
        Such as ``blocks.0-4.mlp.fc1:0-199@1-23``.

    Raises
    ------
    FeatvizError
        If a selector is malformed, or names a site, unit or token that the model has not.
    """
    expanded = (unit for selector in selectors for unit in _expand(model, selector))
    return list(dict.fromkeys(expanded))


def site_of(model: VisionModel, unit: Unit) -> Site:
    """Find the site of a unit of the model.

    Raises
    ------
    FeatvizError
        If the model has no such site, or the site no such unit or token.
    """
    site = model.sites[unit.site]
    _numbers(str(unit.index), range(site.width), f"{unit.site} has units")
    _tokens(model, site, None if unit.token is None else str(unit.token))
    return site


def _split(text: str) -> tuple[str, str, str | None]:
    match = _SELECTOR.fullmatch(text)
    if match is None:
        raise FeatvizError(f"{text!r} is not an address; {_FORM}")
    return match["site"], match["index"], match["token"]


def _expand(model: VisionModel, selector: str) -> Iterator[Unit]:
    pattern, index, token = _split(selector)
    for path in _paths(model, pattern):
        site = model.sites[path]
        for number in _numbers(index, range(site.width), f"{path} has units"):
            for place in _tokens(model, site, token):
                yield Unit(site.path, number, place)


def _paths(model: VisionModel, pattern: str) -> list[str]:
    """Expand the ranges, lists and ``all`` in a module path against the sites that exist."""
    parts = pattern.split(".")
    if all((part.isidentifier() and part != "all") or part.isdigit() for part in parts):
        return [pattern]
    paths = list(_walk(model, "", parts))
    if "all" not in parts:
        return paths
    # Without any, the first is looked up all the same, for an error that says why it is none.
    return [path for path in paths if path in model.sites] or paths[:1]


def _walk(model: VisionModel, prefix: str, parts: list[str]) -> Iterator[str]:
    if not parts:
        yield prefix.removesuffix(".")
        return
    part, *rest = parts
    choices = [part]
    if part == "all" or (_NUMBERS.fullmatch(part) and not part.isdigit()):
        below = (
            path[len(prefix) :].split(".")[0] for path in model.sites if path.startswith(prefix)
        )
        numbered = sorted({int(name) for name in below if name.isdigit()})
        where = prefix.removesuffix(".") or "the model"
        if not numbered:
            raise FeatvizError(f"{where} has no numbered parts, so {part} says nothing there")
        choices = [str(number) for number in _numbers(part, numbered, f"{where} has parts")]
    for choice in choices:
        yield from _walk(model, f"{prefix}{choice}.", rest)


def _tokens(model: VisionModel, site: Site, text: str | None) -> list[Token]:
    if text is None:
        return [None]
    if not site.positions:
        raise FeatvizError(f"{site.path} has one value an image, so @{text} names no place in it")
    if text == "cls":
        if not (model.has_class_token and site.prefix):
            raise FeatvizError(f"{site.path} has no class token; its places are numbers")
        return ["cls"]
    numbers = _numbers(text, range(site.positions), f"{site.path} has tokens")
    return [*numbers]


def _numbers(text: str, valid: Sequence[int], what: str) -> list[int]:
    """Expand ``3``, ``0-15``, ``1,4,9`` or ``all`` to numbers that are all valid.

    Parameters
    ----------
    valid : range or a short sequence
        In it every number is looked up.
    """
    if text == "all":
        return list(valid)
    if not _NUMBERS.fullmatch(text):
        form = "none of these, no range 0-15, list 1,4,9 or all"
        raise FeatvizError(f"{what} {_span(valid)}, and {text!r} is {form}")
    numbers: list[int] = []
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        start, stop = int(first), int(last or first)
        if stop < start:
            raise FeatvizError(f"the range {piece} runs backwards; write {stop}-{start}")
        # The ends are looked at before the range is counted out: it may be huge.
        wrong = next((n for n in (start, stop) if n not in valid), None)
        if wrong is None:
            wrong = next((n for n in range(start, stop) if n not in valid), None)
        if wrong is not None:
            raise FeatvizError(f"{what} {_span(valid)}, not {wrong}")
        numbers += range(start, stop + 1)
    return numbers


def _span(valid: Sequence[int]) -> str:
    if len(valid) == valid[-1] - valid[0] + 1:
        return f"{valid[0]}-{valid[-1]}"
    return ", ".join(map(str, valid))
