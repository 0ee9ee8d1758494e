"""The order of units on a page: as the model computes, then as people count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_DIGITS = re.compile(r"([0-9]+)", re.ASCII)


def by_site(addresses: Iterable[str], sites: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Sort addresses into sites in forward order, and each site's by number.

    The neuron over all patches comes right before its tokens: ``fc1:3``, ``fc1:3@0``, ``fc1:3@12``.

    Parameters
    ----------
    addresses : iterable of str
        Each once.
    sites : sequence of str
        Module paths in forward order. A site that is no module (``blocks.2.attn.qk``) stands with
        the module that it is in; one that is in none comes last.

    Returns
    -------
    list of (site, addresses)
    """
    position = {site: place for place, site in enumerate(sites)}
    found: dict[str, list[str]] = {}
    for address in addresses:
        found.setdefault(address.partition(":")[0], []).append(address)

    def place(site: str) -> tuple[int, list[tuple[int, str]]]:
        module = site
        while module not in position and module:
            module = module.rpartition(".")[0]
        return position.get(module, len(position)), natural(site)

    return [(site, sorted(found[site], key=natural)) for site in sorted(found, key=place)]


def natural(text: str) -> list[tuple[int, str]]:
    """Sort key under which numbers compare as numbers, of any length."""
    parts = _DIGITS.split(text)
    return [
        (len(p.lstrip("0")), p.lstrip("0")) if p.isdecimal() and p.isascii() else (0, p)
        for p in parts
    ]
