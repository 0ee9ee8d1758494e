"""Section of activation patching: figures of effects."""

from __future__ import annotations

from featviz.store.columns import Row
from gallery.sections.base import Entry, Section, figure_path
from gallery.stores.merge import Group


class Traces(Section):
    """The figures drawn by ``featviz trace --plots``."""

    name = "traces"
    kinds = ("figures",)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Write the figure.

        See `Section.entry`.
        """
        return [row["address"], self.context.figures.save(row["image"], row["address"])]

    def thumbnails(self) -> list[str]:
        """Return the figures."""
        return [figure_path(entry[1]) for entries in self.entries.values() for entry in entries]
