"""`units.js`: what a page knows of every unit, in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gallery.scripts import numbers, script

DIGITS = 5  # significant, of the numbers by which units are sorted


@dataclass(frozen=True)
class Quantity:
    """A number that units may have, by which a page sorts and filters.

    Attributes
    ----------
    key : str
        Of its column; chosen here.
    name : str
        For people.
    higher : bool or None
        Whether a higher one is better; None if neither is.
    digits : int
        Significant ones that are shown.
    """

    key: str
    name: str
    higher: bool | None
    digits: int = 4


ACTIVATION = Quantity("activation", "activation", higher=True)


def units_script(
    sites: Sequence[tuple[str, Sequence[str]]],
    renders: Mapping[str, Sequence[Sequence[int]]],
    columns: Mapping[Quantity, Sequence[float]],
) -> str:
    """Write the script.

    Parameters
    ----------
    sites : sequence of (site, addresses)
        In display order.
    renders : mapping
        Of each address: group, row, samples and best sample of each of its renders.
    columns : mapping
        One value a unit in display order; what is not finite is unknown.
    """
    units = [address for _, addresses in sites for address in addresses]
    content: dict[str, Any] = {
        "tails": [unit[len(site) :] for site, addresses in sites for unit in addresses],
        "renders": [renders[unit] for unit in units],
        "numbers": {key.key: numbers(values, DIGITS) for key, values in columns.items()},
    }
    return script("units", content)


def quantities(columns: Mapping[Quantity, Sequence[float]]) -> list[dict[str, Any]]:
    """Describe the columns for the page's model script."""
    return [asdict(quantity) for quantity in columns]
