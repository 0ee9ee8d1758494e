"""Section of the comparison with another model: layer similarity, and matched units."""

from __future__ import annotations

from typing import Any

import numpy as np

from featviz.store.columns import Row
from featviz.store.order import by_site
from gallery.build.images import check_pairs
from gallery.build.js_data import rounded
from gallery.sections.base import Entry, Section, figure_path, group_by_site
from gallery.stores.merge import Group


class Compare(Section):
    """A heat map of layer similarities, and pairs of matched units."""

    name = "compare"
    kinds = ("matches", "cka")

    def entry(self, group: Group, row: Row) -> Entry:
        """Write both pictures of a match, or keep a row of the layer similarities.

        See `Section.entry`.
        """
        address = row["address"]
        if group.kind == "cka":
            return [address, row["similarity"]]
        check_pairs(address, row["images"])
        pair = [self.context.figures.save(pixels, address) for pixels in row["images"]]
        values = rounded(row["activation"])
        return [address, row["match"], *rounded([row["correlation"]]), pair, values]

    def content(self, group: Group, entries: list[Entry]) -> dict[str, Any]:
        """Arrange layers in forward order, and matches by layer of this model.

        See `Section.content`.
        """
        other = group.configuration.get("other")
        fields = other if isinstance(other, dict) else {}
        name = str(fields.get("model", "another model"))
        page, units = self.context.others.get(str(fields.get("fingerprint")), (None, ()))
        if group.kind == "cka":
            return {"other": name, "page": page, **self._layers(group, entries)}
        linked = [[*entry, entry[1] in units] for entry in entries]
        return {"other": name, "page": page, "sites": group_by_site(linked, self.model.sites)}

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
            "map": self.save_heat_map(values, 0, 1, rows[0]),
            "values": [rounded(line, 3) for line in values],
        }

    def thumbnails(self) -> list[str]:
        """Return the pictures of this model's matched units."""
        matches = self.model.of("matches")
        return [
            figure_path(entry[3][0])
            for group in matches
            for entry in self.entries[self.model.groups.index(group)]
        ]
