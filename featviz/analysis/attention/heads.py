"""Selectors -> attention heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featviz.addressing.address import split_address
from featviz.addressing.selectors import expand_site_index
from featviz.errors import FeatvizError
from featviz.models.sites import Site, require_grid

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


@dataclass(frozen=True)
class Head:
    """One head of an attention; `str` returns its address, ``blocks.3.attn.qk:0``."""

    site: Site
    index: int

    def __str__(self) -> str:
        return f"{self.site.path}:{self.index}"


def find_heads(model: VisionModel, *selectors: str) -> list[Head]:
    """Expand selectors to attention heads.

    Parameters
    ----------
    model : VisionModel
    *selectors : str
        Such as ``blocks.all.attn.qk:0-2``. Without any, all heads of the model whose patches are
        on a grid.

    Returns
    -------
    list of Head
        In the order given, each once.

    Raises
    ------
    FeatvizError
        If a selector is malformed, or names no head or one whose patches are not on a grid, or the
        model has no heads.
    """
    if not selectors:
        sites = [site for site in model.sites.values() if site.kind == "qk" and site.grid]
        if not sites:
            raise FeatvizError(f"{model.name} has no attention whose heads can be mapped")
        return [Head(site, index) for site in sites for index in range(site.width)]
    found = (head for selector in selectors for head in _expand(model, selector))
    return list(dict.fromkeys(found))


def _expand(model: VisionModel, selector: str) -> Iterator[Head]:
    path, index, token = split_address(selector)
    if token is not None:
        raise FeatvizError(f"{selector}: a map covers all tokens; remove @{token}")
    for site, each in expand_site_index(model, path, index):
        if site.kind != "qk" or not isinstance(each, int):
            raise FeatvizError(f"{site.path} has no heads; heads look like blocks.3.attn.qk:0-2")
        require_grid(site)
        yield Head(site, each)
