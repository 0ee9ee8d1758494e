"""Section of first-layer filters, their principal components, and position embeddings."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.filters.classes import CLASSES
from featviz.errors import FeatvizError
from featviz.store.columns import Row
from gallery.build.colors import finite_range, heat_map
from gallery.build.images import LARGEST
from gallery.build.js_data import rounded
from gallery.sections.base import Entry, Section, figure_path
from gallery.stores.merge import Group

STRIP = 96  # maximum number of filters of a model on the index page


class Filters(Section):
    """Filters by class, principal components, and similarity maps of position embeddings."""

    name = "filters"
    kinds = ("filters", "components", "positions")

    def entry(self, group: Group, row: Row) -> Entry:
        """Write the picture of a filter or component, or keep the map of a position.

        See `Section.entry`.
        """
        address = row["address"]
        if group.kind == "positions":
            return [address, row["similarity"]]
        figure = self.context.figures.save(row["images"], address)
        if group.kind == "components":
            return [address, figure, *rounded([row["variance"]])]
        statistics = rounded([row["energy"], row["spatial"], row["colour"]])
        return [address, figure, row["class"], statistics, int(row["cluster"]), int(row["order"])]

    def content(self, group: Group, entries: list[Entry]) -> dict[str, Any]:
        """Group filters by class, in display order.

        See `Section.content`.
        """
        if group.kind == "components":
            return {"rows": entries}
        if group.kind == "positions":
            return self._positions(entries)
        entries.sort(key=lambda entry: entry[-1])
        return {
            "classes": [
                (name, [entry[:-1] for entry in entries if entry[2] == name])
                for name, _ in _count_classes(entries)
            ]
        }

    def summary(self) -> dict[str, Any] | None:
        """Return data for the index page: at most 96 evenly spaced filters, and class counts."""
        groups = self.model.of("filters")
        entries = self.entries[self.model.groups.index(groups[0])] if groups else []
        if not entries:
            return None
        entries = sorted(entries, key=lambda entry: entry[-1])
        shown = min(len(entries), STRIP)
        return {
            "count": len(entries),
            "classes": _count_classes(entries),
            "shown": [entries[i * len(entries) // shown][:3] for i in range(shown)],
        }

    def thumbnails(self) -> list[str]:
        """Return the filters of the index page, or the components."""
        summary = self.summary()
        entries = summary["shown"] if summary else [e for g in self.entries.values() for e in g]
        return [figure_path(entry[1]) for entry in entries if isinstance(entry[1], list)]

    def _positions(self, entries: list[Entry]) -> dict[str, Any]:
        maps = [similarity for _, similarity in entries]
        low, high = finite_range(np.stack(maps))
        sheet = position_sheet([address for address, _ in entries], maps, low, high)
        figure = self.context.figures.save(sheet, entries[0][0])
        return {"map": [figure, *rounded([low, high])], "count": len(maps)}


def position_sheet(
    addresses: list[str], maps: list[NDArray[np.float32]], low: float, high: float
) -> NDArray[np.uint8]:
    """Arrange one map per patch, at the position of the patch, with gaps of one pixel.

    Parameters
    ----------
    addresses : list of str
        ``pos_embed:17`` is of patch 17. If not all end with an index, the maps are in order.
    maps : list of arrays, shape (R, C)
        Of a grid of R x C patches.
    low, high : float
        Ends of the color scale.

    Returns
    -------
    array of uint8, shape (R (R + 1) - 1, C (C + 1) - 1, 4)
        RGB and opacity; the gaps are transparent.

    Raises
    ------
    FeatvizError
        If there are more maps than patches, or the image would be too large.
    """
    rows, columns = maps[0].shape
    height, width = rows * (rows + 1) - 1, columns * (columns + 1) - 1
    if len(maps) > rows * columns or not 0 < max(height, width) <= LARGEST:
        raise FeatvizError(
            f"{addresses[0]} cannot be shown: {len(maps)} maps of {rows} x {columns}"
        )
    suffixes = [address.rpartition(":")[2] for address in addresses]
    have_indices = all(t.isdecimal() and t.isascii() and len(t) < 6 for t in suffixes)
    positions = [int(suffix) for suffix in suffixes] if have_indices else []
    if len(set(positions)) < len(maps) or max(positions) >= rows * columns:
        positions = list(range(len(maps)))
    sheet = np.zeros((height, width, 4), np.uint8)
    for position, similarity in zip(positions, maps, strict=True):
        top, left = position // columns * (rows + 1), position % columns * (columns + 1)
        cell = sheet[top : top + rows, left : left + columns]
        cell[..., :3], cell[..., 3] = heat_map(similarity, low, high), 255
    return sheet


def _count_classes(entries: list[Entry]) -> list[tuple[str, int]]:
    """Count the filters of each class, in the order of `CLASSES`; unknown classes come last."""
    counts = Counter(entry[2] for entry in entries)
    return [
        (name, counts[name])
        for name in [*CLASSES, *sorted(counts.keys() - set(CLASSES))]
        if counts[name]
    ]
