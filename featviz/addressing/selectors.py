"""Selectors -> lists of units, and units -> the sites that own them.

A selector is an address with a range ``0-15``, a list ``1,4,9`` or ``all`` in any place of a
number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from featviz._util.arguments import described
from featviz.addressing.address import Mode, Unit, split_address
from featviz.addressing.combinations import Combination, combine, is_combination, split_terms, terms
from featviz.addressing.directions import Direction, is_direction, read_layer_directions
from featviz.addressing.ranges import expand, is_ranges, join
from featviz.addressing.tokens import expand_tokens
from featviz.errors import FeatvizError
from featviz.models.loading.sae_files import LATENTS
from featviz.models.vision_model import check_model

if TYPE_CHECKING:
    from featviz.models.sites import Site
    from featviz.models.vision_model import VisionModel

__all__ = [
    "Combination",
    "Unit",
    "as_units",
    "check_logits",
    "combine",
    "site_of",
    "sites_of",
    "terms",
    "units",
]

Chosen = str | Unit | Iterable[str | Unit]
"""Units as users give them: a selector, a unit, or several of either."""

_MODE = re.compile(r"(?P<head>[\w,-]+)\.(?P<mode>[\w,-]+)")


def units(model: VisionModel, *selectors: str, store: str | Path | None = None) -> list[Unit]:
    """Expand selectors to the units of a model.

    Parameters
    ----------
    model : VisionModel
        Determines which sites, units and tokens exist.
    *selectors : str
        Such as ``blocks.0-4.mlp.fc1:0-199@1-23``, or a sum of single units.
    store : str or Path, optional
        Store with examples of latents, for ``sae.NAME:alive``.

    Returns
    -------
    list of Unit
        In the order given, each once; the last index of a selector varies fastest.

    Raises
    ------
    FeatvizError
        If a selector is malformed, or names a site, unit or token that the model does not have; see
        also `featviz.addressing.alive.alive_latents`.
    """
    check_model(model)
    for selector in selectors:
        if not isinstance(selector, str):
            raise FeatvizError(
                f"a selector is a text such as 'blocks.0.mlp.fc1:0-15', got {described(selector)}; "
                "pass several as several arguments"
            )
    expanded = (unit for selector in selectors for unit in _expand(model, selector, store))
    return list(dict.fromkeys(expanded))


def as_units(model: VisionModel, chosen: Chosen) -> list[Unit]:
    """Return the units that a public function is called with, and check the model.

    Parameters
    ----------
    model : VisionModel
    chosen : str, Unit, or iterable of these
        A text is a selector, see `units`. Units may occur several times.

    Returns
    -------
    list of Unit

    Raises
    ------
    FeatvizError
        If the model is not a VisionModel, something else is given, or a selector is malformed or
        names what the model does not have.
    """
    check_model(model)
    given = [chosen] if isinstance(chosen, str | Unit) else chosen
    if not isinstance(given, Iterable):
        raise FeatvizError(f"units must be selectors or units, got {described(chosen)}")
    found: list[Unit] = []
    for each in given:
        if isinstance(each, str):
            found += units(model, each)
        elif isinstance(each, Unit):
            found.append(each)
        else:
            raise FeatvizError(f"a unit is a selector or a Unit, got {described(each)}")
    return found


def read_units(model: VisionModel, addresses: Sequence[str]) -> tuple[list[Unit], dict[str, str]]:
    """Parse the addresses of a store, and collect those that cannot be resolved.

    Parameters
    ----------
    model : VisionModel
    addresses : sequence of str

    Returns
    -------
    units : list of Unit
    failures : dict of str to str
        Addresses that name no unit here, such as that of a direction whose file is gone, with the
        error message.
    """
    found, failures = list[Unit](), dict[str, str]()
    for address in addresses:
        try:
            found += units(model, address)
        except FeatvizError as error:
            failures[address] = str(error)
    return found, failures


def site_of(model: VisionModel, unit: Unit) -> Site:
    """Return the site of a unit, and check that the unit exists.

    Parameters
    ----------
    model : VisionModel
    unit : Unit
        Not a combination; see `sites_of`.

    Returns
    -------
    Site

    Raises
    ------
    FeatvizError
        If the model has no such site, or the site no such unit or token.
    """
    site = model.site(unit.site)
    if isinstance(unit.index, Direction):
        length = len(unit.index.vector)
        if site.kind not in ("layer", "activation") or length != site.width:
            raise FeatvizError(f"{unit} has length {length}; {site.path} has width {site.width}")
    elif site.kind == "qk_mode" or unit.index not in range(site.width):
        _indices(site, str(unit.index))  # raises, except for a mode that exists
    expand_tokens(site, model.has_class_token, None if unit.token is None else str(unit.token))
    return site


def sites_of(model: VisionModel, unit: Unit) -> tuple[Site, ...]:
    """Return the sites of all terms of a unit, each once.

    Parameters
    ----------
    model : VisionModel
    unit : Unit
        A single unit or a combination.

    Returns
    -------
    tuple of Site

    Raises
    ------
    FeatvizError
        See `site_of`.
    """
    return tuple(dict.fromkeys(site_of(model, part) for _, part in terms(unit)))


def check_logits(model: VisionModel, units: Iterable[Unit]) -> None:
    """Check that all units are attention logits, their modes, or sums of these.

    Parameters
    ----------
    model : VisionModel
    units : iterable of Unit

    Raises
    ------
    FeatvizError
        Naming the first unit that has no query and key, or that does not exist.
    """
    for unit in units:
        if any(not site.is_logit for site in sites_of(model, unit)):
            raise FeatvizError(
                f"{unit} has no query and key; a logit looks like blocks.2.attn.qk:0@q20.k30 or "
                "blocks.2.attn.qk:0@same"
            )


def expand_site_index(
    model: VisionModel, pattern: str, index: str
) -> Iterator[tuple[Site, int | Mode | Direction]]:
    """Expand the ``SITE:INDEX`` part of a selector.

    Parameters
    ----------
    model : VisionModel
    pattern : str
        Path of a site, with ranges, lists and ``all``.
    index : str
        The text between ``:`` and ``@``.

    Yields
    ------
    site : Site
    index : int, Mode or Direction

    Raises
    ------
    FeatvizError
        If there is no such site, or the site has no such unit.
    """
    for path in _paths(model, pattern):
        site = model.sites[path]
        for each in _indices(site, index):
            yield site, each


def _expand(model: VisionModel, selector: str, store: str | Path | None) -> Iterator[Unit]:
    if not is_combination(selector):
        yield from _expand_single(model, selector, store)
        return
    parts = split_terms(selector)
    chosen = []
    for _, text in parts:
        found = list(_expand_single(model, text, store))
        if len(found) > 1:
            raise FeatvizError(
                f"{text} in the sum {selector} selects {len(found)} units; a term is a single unit"
            )
        chosen += found
    yield combine(chosen, [weight for weight, _ in parts])


def _expand_single(model: VisionModel, selector: str, store: str | Path | None) -> Iterator[Unit]:
    pattern, index, token = split_address(selector)
    if index == "alive" and pattern.startswith(LATENTS):
        from featviz.addressing.alive import alive_latents  # noqa: PLC0415  it reads stores

        index = join(alive_latents(model, model.site(pattern), store))
    for site, each in expand_site_index(model, pattern, index):
        for expanded in expand_tokens(site, model.has_class_token, token):
            yield Unit(site.path, each, expanded)


def _indices(site: Site, text: str) -> list[int | Mode | Direction]:
    if is_direction(text):
        return [*read_layer_directions(site, text)]
    if site.kind != "qk_mode":
        what = {"qk": "heads", "latents": "latents"}.get(site.kind, "units")
        return [*expand(text, range(site.width), f"{site.path} has {what}")]
    match = _MODE.fullmatch(text)
    if match is None:
        raise FeatvizError(f"a mode of {site.path} is written HEAD.MODE: 0.3 or all.0-3")
    heads = expand(match["head"], range(site.width), f"{site.path} has heads")
    modes = expand(match["mode"], range(site.modes), f"{site.path} has modes")
    return [Mode(head, mode) for head, mode in product(heads, modes)]


def _paths(model: VisionModel, pattern: str) -> list[str]:
    """Expand the ranges, lists and ``all`` in a module path against the existing sites."""
    parts = pattern.split(".")
    if pattern.startswith(LATENTS) and pattern in model.sites:
        return [pattern]  # the name may look like a range
    if all((part.isidentifier() and part != "all") or part.isdigit() for part in parts):
        return [pattern]
    paths = list(_walk(model, "", parts))
    if "all" not in parts:
        return paths
    # If no path is a site, the first one is kept, so that looking it up raises an error.
    return [path for path in paths if path in model.sites] or paths[:1]


def _walk(model: VisionModel, prefix: str, parts: list[str]) -> Iterator[str]:
    if not parts:
        yield prefix.removesuffix(".")
        return
    part, *rest = parts
    choices = [part]
    if part == "all" or (is_ranges(part) and not part.isdigit()):
        names = {
            path[len(prefix) :].split(".")[0] for path in model.sites if path.startswith(prefix)
        }
        children = sorted(int(name) for name in names if name.isdigit())
        parent = prefix.removesuffix(".") or "the model"
        if not children:
            raise FeatvizError(f"{parent} has no numbered children; cannot expand {part!r}")
        choices = [str(child) for child in expand(part, children, f"{parent} has children")]
    for choice in choices:
        yield from _walk(model, f"{prefix}{choice}.", rest)
