"""The order of addresses: as the model computes, then as people count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

# A hyphen is a sign right after a point, as in `@shift.1.-2`, and not in `probe-12`.
_NUMBER = re.compile(r"((?:(?<=\.)-)?[0-9]+)", re.ASCII)
_COMPLEMENT = str.maketrans("0123456789", "9876543210")


def by_site(addresses: Iterable[str], sites: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Sort addresses into sites in forward order, and each site's by number.

    The neuron over all patches comes right before its tokens: ``fc1:3``, ``fc1:3@0``, ``fc1:3@12``.

    Parameters
    ----------
    addresses : iterable of str
        Each once.
    sites : sequence of str
        Module paths in forward order. A site that is none of them (``blocks.2.attn.qk``) stands
        with the first in the module that it is in (``blocks.2.attn``), and a weighted one
        (``-0.5~head``) with the one that is weighted; one that is in none comes last.

    Returns
    -------
    list of (site, addresses)
    """
    position = {site: number for number, site in enumerate(sites)}
    for number, site in enumerate(sites):
        for module in _above(site):
            position.setdefault(module, number)
    found: dict[str, list[str]] = {}
    for address in addresses:
        found.setdefault(address.partition(":")[0], []).append(address)

    def place(site: str) -> tuple[object, ...]:
        module = site.rpartition("~")[2]
        known = (position[m] for m in (module, *_above(module)) if m in position)
        return (next(known, len(sites)), *natural(site))

    return [(site, sorted(found[site], key=natural)) for site in sorted(found, key=place)]


def _above(path: str) -> Iterator[str]:
    """Give the modules that a module is in, the innermost first."""
    while path := path.rpartition(".")[0]:
        yield path


def natural(text: str) -> tuple[object, ...]:
    """Sort key under which whole numbers compare as numbers, of any length; no two texts tie."""
    # Splitting by numbers alternates text and number, so that equal positions compare. A number is
    # compared by its length, then by its digits: `int` refuses thousands of them.
    pieces = _NUMBER.split(text)
    numbers = [_magnitude(piece) for piece in pieces[1::2]]
    return list(zip(pieces[::2], [*numbers, (0, "")], strict=True)), text


def _magnitude(number: str) -> tuple[int, str]:
    digits = number.removeprefix("-").lstrip("0")
    if number.startswith("-"):
        return -len(digits), digits.translate(_COMPLEMENT)
    return len(digits), digits
