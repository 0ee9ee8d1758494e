"""Section of token grids: pictures of a head by query and key token."""

from __future__ import annotations

from typing import Any

from featviz.store.columns import Row
from gallery.build.js_data import rounded
from gallery.sections.base import Entry, Section
from gallery.stores.merge import Group


class Grids(Section):
    """The activation of each pair of a grid; the pictures are units of the page."""

    name = "grids"
    kinds = ("grids", "grid_layouts")

    def entry(self, group: Group, row: Row) -> Entry:
        """Keep the activations of a grid, or the patch grid of its layer.

        See `Section.entry`.
        """
        if group.kind == "grid_layouts":
            return [row["address"], [*row["grid"].tolist(), int(row["prefix"])]]
        return [
            row["address"],
            row["queries"].tolist(),
            row["keys"].tolist(),
            [rounded(line) for line in row["activation"]],
        ]

    def finish(self) -> dict[str, Any]:
        """Return the data of the section. Grids of older stores have no layout.

        See `Section.finish`.
        """
        layouts = {
            address: layout
            for group in self.model.of("grid_layouts")
            for address, layout in self.entries[self.model.groups.index(group)]
        }
        for group in self.model.of("grids"):
            for entry in self.entries[self.model.groups.index(group)]:
                entry.append(layouts.get(entry[0]))
        return {"grids": self.blocks(self.model.of("grids"))}

    def count(self) -> int:
        """Return the number of grids."""
        groups = map(self.model.groups.index, self.model.of("grids"))
        return sum(len(self.entries[index]) for index in groups)
