"""What an exported gallery says in numbers and pictures, whatever it says in words.

Data scripts register JSON under a name, `(globalThis.featviz??={})["NAME"]=JSON;`, wherever they
lie. What they hold is found by its shape and not by its keys, except for the keys of the numbers by
which units are sorted, which are parts of links.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SCRIPT = re.compile(r'\(globalThis\.featviz\?\?=\{\}\)\["([\w/]+)"\]=(.*);\n?', re.DOTALL)
_SHARD = 32


def scripts(site: Path) -> dict[str, Any]:
    """Read the data of all scripts of a gallery of one model, by their names."""
    found: dict[str, Any] = {}
    for path in sorted(site.rglob("*.js")):
        match = _SCRIPT.fullmatch(path.read_text(encoding="utf-8"))
        if match is not None:  # else it is code
            assert match[1] not in found, f"two models, or two scripts of the name {match[1]}"
            found[match[1]] = json.loads(match[2])
    return found


class Units:
    """What the scripts hold of units.

    Attributes
    ----------
    renders : dict
        Of each address, in the page's order, group, row, samples and best sample of its pictures.
    columns : dict
        Of each number that units may have, its values in that order.
    """

    def __init__(self, data: dict[str, Any]) -> None:
        self.renders: dict[str, list[list[int]]] = {}
        self.columns: dict[str, list[float | None]] = {}
        if not any(name.startswith("details/") for name in data):
            return  # the store has no pictures of units
        layers = _entry(data, lambda value: _all(value, dict, {"name", "count"}.issubset))
        sites = [layer["name"] for layer in layers for _ in range(layer["count"])]
        ends, renders, self.columns = (
            _entry(data, lambda value: len(value) == len(sites) and _all(value, str)),
            _entry(data, lambda value: len(value) == len(sites) and _all(value, list, _is_render)),
            _entry(data, lambda value: isinstance(value, dict) and "activation" in value),
        )
        addresses = [site + end for site, end in zip(sites, ends, strict=True)]
        self.renders = dict(zip(addresses, renders, strict=True))


def summary(site: Path) -> dict[str, Any]:
    """Tell of a gallery of one model what later ones of the same store shall show as well."""
    data = scripts(site)
    units = Units(data)
    return {
        "units": {
            address: {
                "columns": {name: values[place] for name, values in units.columns.items()},
                "details": sorted(
                    value
                    for _, row, *_ in rows
                    for value in reals(data[f"details/{row // _SHARD}"][row % _SHARD])
                ),
            }
            for place, (address, rows) in enumerate(units.renders.items())
        },
        "sections": {
            name.removeprefix("sections/"): sorted(reals(value))
            for name, value in data.items()
            if name.startswith("sections/")
        },
        "pictures": sorted(seen(path) for path in site.rglob("*.webp")),
    }


def _entry(data: dict[str, Any], fits: Callable[[Any], bool]) -> Any:
    """Find the one thing that fits in the objects of the scripts of a page."""
    objects = [each for name, each in data.items() if isinstance(each, dict) and "/" not in name]
    things = [value for script in objects for value in script.values()]
    (found,) = (
        value for value in things if isinstance(value, list | dict) and value and fits(value)
    )
    return found


def _all(value: Any, kind: type, fits: Callable[[Any], bool] = bool) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) and fits(one) for one in value)


def _is_render(rows: list[Any]) -> bool:
    return _all(rows, list, lambda row: len(row) == 4 and _all(row, int, lambda _: True))


def reals(value: Any) -> Iterator[float]:
    """Go through all numbers in JSON that are not whole."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from reals(each)
    elif isinstance(value, float) and not value.is_integer():
        yield value


def seen(path: Path) -> list[int]:
    """Describe a picture: width, height, and mean and deviation of each channel."""
    found = pixels(path).astype(np.float64)
    numbers = [*found.mean((0, 1)), *found.std((0, 1))]
    return [*found.shape[1::-1], *(round(number) for number in numbers)]


def pixels(path: Path) -> NDArray[np.uint8]:
    """Decode a picture."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
