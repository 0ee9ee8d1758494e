"""Section of attention maps: mean patterns, and mean attention by relative position."""

from __future__ import annotations

import math

from featviz.store.columns import Row
from gallery.build.colors import clip_value, finite_range
from gallery.build.js_data import rounded
from gallery.sections.base import Entry, Section, figure_path
from gallery.stores.merge import Group


class Attention(Section):
    """Two heat maps and statistics of each head."""

    name = "attention"
    kinds = ("attention",)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Write both maps, each with its own color scale from zero, since heads differ 100-fold.

        The scale of the pattern is clipped, since some pairs with the class token are outliers.
        See `Section.entry`.
        """
        address, pattern, displacement = row["address"], row["pattern"], row["displacement"]
        return [
            address,
            self.save_heat_map(displacement, 0, finite_range(displacement)[1], address),
            [
                *self.save_heat_map(pattern, 0, clip_value(pattern), address),
                *rounded([finite_range(pattern)[1]]),
            ],
            rounded([row["prefix"], row["self"], row["local"]]),
            *rounded([row["entropy"], math.log(len(pattern))]),
        ]

    def thumbnails(self) -> list[str]:
        """Return the maps by relative position."""
        return [figure_path(entry[1][0]) for entries in self.entries.values() for entry in entries]
