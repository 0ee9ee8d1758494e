"""From a unit's view to the other results that speak of the unit."""

from __future__ import annotations

from gallery.stores.merge import Model

# The kinds that are linked, and the section of each, in the order of the page.
_SECTIONS = {
    "filters": "filters",
    "attention": "attention",
    "grids": "grids",
    "gradients": "gradients",
    "tokens": "tokens",
    "matches": "compare",
}


class Links:
    """Knows the rows of a model's sections by their addresses.

    A row speaks of the unit at its address and, but for gradients, of the same unit or head at
    any token. A grid of a head, ``blocks.2.attn.qk:0@q10,20.k10,30``, speaks of the whole head.
    """

    def __init__(self, model: Model) -> None:
        self._rows = {
            kind: {
                _head(address) if kind == "grids" else address: address
                for group in model.of(kind)
                for address in group.addresses()
            }
            for kind in _SECTIONS
        }

    def of(self, address: str) -> list[tuple[str, str]]:
        """Return the section and the address of each row that speaks of a unit."""
        return [
            (_SECTIONS[kind], row)
            for kind, rows in self._rows.items()
            if (row := rows.get(address, rows.get(_head(address)))) is not None
        ]


def _head(address: str) -> str:
    return address.partition("@")[0]
