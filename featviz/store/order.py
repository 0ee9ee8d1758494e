"""Order of addresses: by layer in forward order, then by natural order of the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

# A hyphen directly after a point is a sign, as in `@shift.1.-2`; elsewhere it is not (`probe-12`).
_NUMBER = re.compile(r"((?:(?<=\.)-)?[0-9]+)", re.ASCII)
_COMPLEMENT = str.maketrans("0123456789", "9876543210")


def by_site(addresses: Iterable[str], sites: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Group addresses by site, sites in forward order and the addresses of each in natural order.

    A neuron over all tokens comes directly before its single tokens: ``fc1:3``, ``fc1:3@0``,
    ``fc1:3@12``.

    Parameters
    ----------
    addresses : iterable of str
        Each once.
    sites : sequence of str
        Module paths in forward order. A site that is not among them (``blocks.2.attn.qk``) is
        placed with the first one in its enclosing module (``blocks.2.attn``), a weighted one
        (``-0.5~head``) with the one that is weighted. Sites of unknown modules come last.

    Returns
    -------
    list of (str, list of str)
        Each site with its addresses.
    """
    position = {site: index for index, site in enumerate(sites)}
    for index, site in enumerate(sites):
        for module in _enclosing(site):
            position.setdefault(module, index)
    found: dict[str, list[str]] = {}
    for address in addresses:
        found.setdefault(address.partition(":")[0], []).append(address)

    def forward_order(site: str) -> tuple[object, ...]:
        module = site.rpartition("~")[2]
        known = (position[m] for m in (module, *_enclosing(module)) if m in position)
        return (next(known, len(sites)), *natural(site))

    return [(site, sorted(found[site], key=natural)) for site in sorted(found, key=forward_order)]


def _enclosing(path: str) -> Iterator[str]:
    """Yield the modules that contain a module, the innermost first."""
    while path := path.rpartition(".")[0]:
        yield path


def natural(text: str) -> tuple[object, ...]:
    """Return a sort key for `text` that compares integers in it, of any length, by value.

    Different texts have different keys.
    """
    # Splitting at integers alternates text and integer, so that equal positions are comparable.
    # An integer is compared by its length, then by its digits: `int` refuses thousands of digits.
    pieces = _NUMBER.split(text)
    numbers = [_magnitude(piece) for piece in pieces[1::2]]
    return list(zip(pieces[::2], [*numbers, (0, "")], strict=True)), text


def _magnitude(number: str) -> tuple[int, str]:
    digits = number.removeprefix("-").lstrip("0")
    if number.startswith("-"):
        return -len(digits), digits.translate(_COMPLEMENT)
    return len(digits), digits
