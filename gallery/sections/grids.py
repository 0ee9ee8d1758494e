"""Section of token grids: figures of a head by query and key token."""

from __future__ import annotations

from featviz.store.columns import Row
from gallery.build.js_data import rounded
from gallery.sections.base import Entry, Section, figure_path
from gallery.stores.merge import Group


class Grids(Section):
    """One figure per grid, with the activation of each picture."""

    name = "grids"
    kinds = ("grids",)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Write the figure.

        See `Section.entry`.
        """
        return [
            row["address"],
            self.context.figures.save(row["figure"], row["address"]),
            row["queries"].tolist(),
            row["keys"].tolist(),
            [rounded(line) for line in row["activation"]],
        ]

    def thumbnails(self) -> list[str]:
        """Return the figures."""
        return [figure_path(entry[1]) for entries in self.entries.values() for entry in entries]
