"""Filters of the first layer, their principal components, and the position embeddings."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.filters.classes import CLASSES
from featviz.errors import FeatvizError
from featviz.store.columns import Row
from gallery.build.images import LARGEST
from gallery.build.js_data import numbers
from gallery.sections.base import Entry, Section, path_of
from gallery.sections.colors import extent, heat
from gallery.stores.merge import Group

STRIP = 96  # filters in the comparison of models


class Filters(Section):
    """Filters by class; below them the components, and a map of maps for the positions."""

    name = "filters"
    kinds = ("filters", "components", "positions")

    def entry(self, group: Group, row: Row) -> Entry:
        """Write a filter's or component's picture; keep the map of a position for the sheet."""
        address = row["address"]
        if group.kind == "positions":
            return [address, row["similarity"]]
        figure = self.place.figures.save(row["images"], address)
        if group.kind == "components":
            return [address, figure, *numbers([row["variance"]])]
        statistics = numbers([row["energy"], row["spatial"], row["colour"]])
        return [address, figure, row["class"], statistics, int(row["cluster"]), int(row["order"])]

    def content(self, group: Group, entries: list[Entry]) -> dict[str, Any]:
        """Group filters by class, each in the display order."""
        if group.kind == "components":
            return {"rows": entries}
        if group.kind == "positions":
            return self._positions(entries)
        entries.sort(key=lambda entry: entry[-1])
        return {
            "classes": [
                (name, [entry[:-1] for entry in entries if entry[2] == name])
                for name, _ in _counted(entries)
            ]
        }

    def summary(self) -> dict[str, Any] | None:
        """Return what the index shows of the filters: at most 96, evenly spaced, and counts."""
        groups = self.model.of("filters")
        entries = self.entries[self.model.groups.index(groups[0])] if groups else []
        if not entries:
            return None
        entries = sorted(entries, key=lambda entry: entry[-1])
        shown = min(len(entries), STRIP)
        return {
            "count": len(entries),
            "classes": _counted(entries),
            "shown": [entries[i * len(entries) // shown][:3] for i in range(shown)],
        }

    def sample(self) -> list[str]:
        """Return the filters of the index, or the components."""
        summary = self.summary()
        entries = summary["shown"] if summary else [e for g in self.entries.values() for e in g]
        return [path_of(entry[1]) for entry in entries if isinstance(entry[1], list)]

    def _positions(self, entries: list[Entry]) -> dict[str, Any]:
        maps = [similarity for _, similarity in entries]
        low, high = extent(np.stack(maps))
        sheet = position_sheet([address for address, _ in entries], maps, low, high)
        figure = self.place.figures.save(sheet, entries[0][0])
        return {"map": [figure, *numbers([low, high])], "count": len(maps)}


def position_sheet(
    addresses: list[str], maps: list[NDArray[np.float32]], low: float, high: float
) -> NDArray[np.uint8]:
    """Lay out one map a patch, each at the place of its patch, a pixel apart.

    Parameters
    ----------
    addresses : list of str
        ``pos_embed:17`` stands at patch 17. If not all end so, the maps follow one another.
    maps : list of arrays, shape (R, C)
        Of a grid of R x C patches.

    Returns
    -------
    array of uint8, shape (R (R + 1) - 1, C (C + 1) - 1, 4)
        RGB and opacity: between the maps it is transparent.

    Raises
    ------
    FeatvizError
        If there are more maps than patches, or it is larger than a picture can be.
    """
    rows, columns = maps[0].shape
    height, width = rows * (rows + 1) - 1, columns * (columns + 1) - 1
    if len(maps) > rows * columns or not 0 < max(height, width) <= LARGEST:
        raise FeatvizError(
            f"{addresses[0]} cannot be shown: {len(maps)} maps of {rows} x {columns}"
        )
    tails = [address.rpartition(":")[2] for address in addresses]
    numbered = all(t.isdecimal() and t.isascii() and len(t) < 6 for t in tails)
    places = [int(tail) for tail in tails] if numbered else []
    if len(set(places)) < len(maps) or max(places) >= rows * columns:
        places = list(range(len(maps)))
    sheet = np.zeros((height, width, 4), np.uint8)
    for place, similarity in zip(places, maps, strict=True):
        top, left = place // columns * (rows + 1), place % columns * (columns + 1)
        spot = sheet[top : top + rows, left : left + columns]
        spot[..., :3], spot[..., 3] = heat(similarity, low, high), 255
    return sheet


def _counted(entries: list[Entry]) -> list[tuple[str, int]]:
    """Count the filters of each class, in the order of `CLASSES`; unknown ones come last."""
    counts = Counter(entry[2] for entry in entries)
    return [
        (name, counts[name])
        for name in [*CLASSES, *sorted(counts.keys() - set(CLASSES))]
        if counts[name]
    ]
