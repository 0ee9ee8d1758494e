"""Selectors -> lists of units; units -> the sites that own them.

A selector is an address with a range ``0-15``, a list ``1,4,9`` or ``all`` in any numeric place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

from featviz.addressing.address import Mode, Unit, split_address
from featviz.addressing.combinations import Combination, combine, is_combination, split_terms, terms
from featviz.addressing.directions import Direction, is_direction, of_layer
from featviz.addressing.ranges import NUMBERS, expand
from featviz.addressing.tokens import expand_places
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel


__all__ = [
    "Combination",
    "Unit",
    "check_logits",
    "combine",
    "site_of",
    "sites_of",
    "terms",
    "units",
]

_MODE = re.compile(r"(?P<head>[\w,-]+)\.(?P<mode>[\w,-]+)")


def units(model: VisionModel, *selectors: str) -> list[Unit]:
    """Expand selectors to the units of a model, in the order given, each once.

    Parameters
    ----------
    model : VisionModel
        Tells which sites, units and tokens there are.
    selectors : str
        Such as ``blocks.0-4.mlp.fc1:0-199@1-23``, or a sum of single units.

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
    if isinstance(unit.index, Direction):
        if site.kind != "layer" or len(unit.index.vector) != site.width:
            raise FeatvizError(
                f"{unit} has {len(unit.index.vector)} numbers; {site.path} has {site.width}"
            )
    else:
        _indices(site, str(unit.index))
    expand_places(site, model.has_class_token, None if unit.token is None else str(unit.token))
    return site


def sites_of(model: VisionModel, unit: Unit) -> tuple[Site, ...]:
    """Find the sites of all that a unit is the sum of, each once.

    Raises
    ------
    FeatvizError
        See `site_of`.
    """
    return tuple(dict.fromkeys(site_of(model, part) for _, part in terms(unit)))


def check_logits(model: VisionModel, units: Iterable[Unit]) -> None:
    """Refuse units that have no query and no key.

    Raises
    ------
    FeatvizError
        Naming the first such unit, or one that does not exist.
    """
    for unit in units:
        if any(site.kind == "layer" for site in sites_of(model, unit)):
            raise FeatvizError(
                f"{unit} has no query and key; a logit looks like blocks.2.attn.qk:0@q20.k30 or "
                "blocks.2.attn.qk:0@same"
            )


def members(
    model: VisionModel, pattern: str, index: str
) -> Iterator[tuple[Site, int | Mode | Direction]]:
    """Expand the two parts of a selector around the colon, whatever token is behind ``@``.

    Raises
    ------
    FeatvizError
        If there is no such site, or the site has no such unit.
    """
    for path in _paths(model, pattern):
        site = model.sites[path]
        for number in _indices(site, index):
            yield site, number


def _expand(model: VisionModel, selector: str) -> Iterator[Unit]:
    if not is_combination(selector):
        yield from _expand_single(model, selector)
        return
    parts = split_terms(selector)
    chosen = []
    for _, text in parts:
        found = list(_expand_single(model, text))
        if len(found) > 1:
            raise FeatvizError(f"{text} in the sum {selector} stands for {len(found)} units")
        chosen += found
    yield combine(chosen, [weight for weight, _ in parts])


def _expand_single(model: VisionModel, selector: str) -> Iterator[Unit]:
    pattern, index, token = split_address(selector)
    for site, number in members(model, pattern, index):
        for place in expand_places(site, model.has_class_token, token):
            yield Unit(site.path, number, place)


def _indices(site: Site, text: str) -> list[int | Mode | Direction]:
    if is_direction(text):
        return [*of_layer(site, text)]
    if site.kind != "qk_mode":
        what = "heads" if site.kind == "qk" else "units"
        return [*expand(text, range(site.width), f"{site.path} has {what}")]
    match = _MODE.fullmatch(text)
    if match is None:
        raise FeatvizError(f"a mode of {site.path} is named by its head and its rank: 0.3, all.0-3")
    heads = expand(match["head"], range(site.width), f"{site.path} has heads")
    modes = expand(match["mode"], range(site.modes), f"{site.path} has modes")
    return [Mode(head, mode) for head, mode in product(heads, modes)]


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
    if part == "all" or (NUMBERS.fullmatch(part) and not part.isdigit()):
        below = (
            path[len(prefix) :].split(".")[0] for path in model.sites if path.startswith(prefix)
        )
        numbered = sorted({int(name) for name in below if name.isdigit()})
        where = prefix.removesuffix(".") or "the model"
        if not numbered:
            raise FeatvizError(f"{where} has no numbered parts, so {part} says nothing there")
        choices = [str(number) for number in expand(part, numbered, f"{where} has parts")]
    for choice in choices:
        yield from _walk(model, f"{prefix}{choice}.", rest)


def read_units(model: VisionModel, addresses: Sequence[str]) -> tuple[list[Unit], dict[str, str]]:
    """Read the addresses of a store back.

    Returns
    -------
    units : list of Unit
    failures : dict of str to str
        Addresses that stand for nothing here, such as of a direction whose file is gone, and why.
    """
    found, failures = list[Unit](), dict[str, str]()
    for address in addresses:
        try:
            found += units(model, address)
        except FeatvizError as error:
            failures[address] = str(error)
    return found, failures
