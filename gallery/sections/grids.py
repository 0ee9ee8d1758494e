"""Labeled figures of a head: its query tokens against its key tokens."""

from __future__ import annotations

from featviz.store.columns import Row
from gallery.build.js_data import numbers
from gallery.sections.base import Entry, Section, path_of
from gallery.stores.merge import Group


class Grids(Section):
    """One figure a head, with the value of each of its pictures."""

    name = "grids"
    kinds = ("grids",)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Write the figure."""
        return [
            row["address"],
            self.place.figures.save(row["figure"], row["address"]),
            row["queries"].tolist(),
            row["keys"].tolist(),
            [numbers(line) for line in row["activation"]],
        ]

    def sample(self) -> list[str]:
        """Return the figures."""
        return [path_of(entry[1]) for entries in self.entries.values() for entry in entries]
