"""`units.js`: what a page knows of every unit, in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gallery.build.js_data import numbers, script

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
    tails: Sequence[str],
    renders: Sequence[Sequence[Sequence[int]]],
    columns: Mapping[Quantity, Sequence[float]],
) -> str:
    """Write the script; everything in it has one entry a unit, in the order of the page.

    Parameters
    ----------
    tails : sequence of str
        What follows the site in each address.
    renders : sequence
        Group, row, samples and best sample of each render of each unit.
    columns : mapping
        What is not finite is unknown.
    """
    content: dict[str, Any] = {
        "tails": tails,
        "renders": renders,
        "numbers": {key.key: numbers(values, DIGITS) for key, values in columns.items()},
    }
    return script("units", content)


def quantities(columns: Mapping[Quantity, Sequence[float]]) -> list[dict[str, Any]]:
    """Describe the columns for the page's model script."""
    return [asdict(quantity) for quantity in columns]
