"""Where the heads look: mean patterns, and mean attention by displacement."""

from __future__ import annotations

import math

from featviz.store.columns import Row
from gallery.build.js_data import numbers
from gallery.sections.base import Entry, Section, path_of
from gallery.sections.colors import bright, extent
from gallery.stores.merge import Group


class Attention(Section):
    """Two heat maps a head, and what shares of its attention go where."""

    name = "attention"
    kinds = ("attention",)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Color both maps, each on a scale of its own from zero: heads differ a hundredfold.

        That of the pattern ends where it is `bright`: some pairs of the class token stand out.
        """
        address, pattern, displacement = row["address"], row["pattern"], row["displacement"]
        return [
            address,
            self.heat_map(displacement, 0, extent(displacement)[1], address),
            [*self.heat_map(pattern, 0, bright(pattern), address), *numbers([extent(pattern)[1]])],
            numbers([row["prefix"], row["self"], row["local"]]),
            *numbers([row["entropy"], math.log(len(pattern))]),
        ]

    def sample(self) -> list[str]:
        """Return the displacement maps."""
        return [path_of(entry[1][0]) for entries in self.entries.values() for entry in entries]
