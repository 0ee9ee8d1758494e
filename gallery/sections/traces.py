"""Figures of the effects of patching."""

from __future__ import annotations

from featviz.store.columns import Row
from gallery.sections.base import Entry, Section, path_of
from gallery.stores.merge import Group


class Traces(Section):
    """Curves, maps and single images, as they were drawn."""

    name = "traces"
    kinds = ("figures",)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Write the figure."""
        return [row["address"], self.place.figures.save(row["image"], row["address"])]

    def sample(self) -> list[str]:
        """Return the figures."""
        return [path_of(entry[1]) for entries in self.entries.values() for entry in entries]
