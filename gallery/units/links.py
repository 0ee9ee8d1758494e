"""Links from a unit to results of other kinds about it."""

from __future__ import annotations

from gallery.stores.merge import Model

# Kinds with links, and the section that shows each, in the order of the page.
_SECTIONS = {
    "filters": "filters",
    "attention": "attention",
    "grids": "grids",
    "gradients": "gradients",
    "tokens": "tokens",
    "matches": "compare",
}


class ResultLinks:
    """Index of the rows in a model's sections, by address.

    A row belongs to the unit at its address and, except for gradients, to the same unit or head at
    any token. A grid of a head, ``blocks.2.attn.qk:0@q10,20.k10,30``, belongs to the whole head.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        self._rows = {
            kind: {
                _without_token(address) if kind == "grids" else address: address
                for group in model.of(kind)
                for address in group.addresses()
            }
            for kind in _SECTIONS
        }

    def of(self, address: str) -> list[tuple[str, str]]:
        """Return the section and the address of each row that belongs to a unit.

        Parameters
        ----------
        address : str
            Of the unit.
        """
        return [
            (_SECTIONS[kind], row)
            for kind, rows in self._rows.items()
            if (row := rows.get(address, rows.get(_without_token(address)))) is not None
        ]


def _without_token(address: str) -> str:
    return address.partition("@")[0]
