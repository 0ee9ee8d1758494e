"""The model beside another: likeness of layers, and units that answer alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from featviz.store.columns import Row
from featviz.store.order import by_site
from gallery.build.images import check_pairs
from gallery.build.js_data import numbers
from gallery.sections.base import Entry, Section, in_sites, path_of
from gallery.stores.merge import Group


class Compare(Section):
    """A heat map of layers against layers, and pairs of matched units."""

    name = "compare"
    kinds = ("matches", "cka")

    def entry(self, group: Group, row: Row) -> Entry:
        """Write both pictures of a match; keep a layer's row for the heat map."""
        address = row["address"]
        if group.kind == "cka":
            return [address, row["similarity"]]
        check_pairs(address, row["images"])
        pair = [self.place.figures.save(pixels, address) for pixels in row["images"]]
        values = numbers(row["activation"])
        return [address, row["match"], *numbers([row["correlation"]]), pair, values]

    def content(self, group: Group, entries: list[Entry]) -> dict[str, Any]:
        """Arrange layers in forward order, and matches by the layer of this model's unit."""
        other = group.configuration.get("other")
        known = other if isinstance(other, dict) else {}
        name = str(known.get("model", "another model"))
        page, units = self.place.others.get(str(known.get("fingerprint")), (None, ()))
        if group.kind == "cka":
            return {"other": name, "page": page, **self._layers(group, entries)}
        linked = [[*entry, entry[1] in units] for entry in entries]
        return {"other": name, "page": page, "sites": in_sites(linked, self.model.sites)}

    def _layers(self, group: Group, entries: list[Entry]) -> dict[str, Any]:
        found = dict(entries)
        rows = [layer for _, layers in by_site(found, self.model.sites) for layer in layers]
        values = np.stack([found[layer] for layer in rows])
        columns = group.configuration.get("layers")
        if not isinstance(columns, list) or len(columns) != values.shape[1]:
            columns = list(range(values.shape[1]))
        return {
            "rows": rows,
            "columns": [str(column) for column in columns],
            "map": self.heat_map(values, 0, 1, rows[0]),
            "values": [numbers(line, 3) for line in values],
        }

    def sample(self) -> list[str]:
        """Return this model's pictures of the matched units."""
        matches = self.model.of("matches")
        return [
            path_of(entry[3][0])
            for group in matches
            for entry in self.entries[self.model.groups.index(group)]
        ]
