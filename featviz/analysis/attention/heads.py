"""Selectors -> heads of attentions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featviz.addressing.address import split_address
from featviz.addressing.selectors import members
from featviz.errors import FeatvizError
from featviz.models.sites import Site, require_grid

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

_FORM = "heads are named as in blocks.3.attn.qk:0-2"


@dataclass(frozen=True)
class Head:
    """One head of an attention; `str` gives its address, ``blocks.3.attn.qk:0``."""

    site: Site
    number: int

    def __str__(self) -> str:
        return f"{self.site.path}:{self.number}"


def find_heads(model: VisionModel, *selectors: str) -> list[Head]:
    """Expand selectors such as ``blocks.all.attn.qk:0-2`` to heads, in the order given, each once.

    Parameters
    ----------
    selectors : str
        Without any, all heads of the model whose patches stand on a grid.

    Raises
    ------
    FeatvizError
        If a selector is malformed, names no head, or one whose patches stand on no grid, or the
        model has no head at all.
    """
    if not selectors:
        sites = [site for site in model.sites.values() if site.kind == "qk" and site.grid]
        if not sites:
            raise FeatvizError(f"{model.name} has no attention whose heads can be mapped")
        return [Head(site, number) for site in sites for number in range(site.width)]
    found = (head for selector in selectors for head in _expand(model, selector))
    return list(dict.fromkeys(found))


def _expand(model: VisionModel, selector: str) -> Iterator[Head]:
    path, index, token = split_address(selector)
    if token is not None:
        raise FeatvizError(f"{selector} names tokens, and a map has them all: leave out @{token}")
    for site, number in members(model, path, index):
        if site.kind != "qk" or not isinstance(number, int):
            raise FeatvizError(f"{site.path} has no heads; {_FORM}")
        require_grid(site)
        yield Head(site, number)
