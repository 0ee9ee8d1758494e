"""How far the picture of a unit over all patches sums up what it looks for at each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.tokens.scores import TokenScores
from featviz.store.columns import Row
from gallery.build.js_data import Shards, numbers
from gallery.sections.base import Entry, Place, Section, path_of
from gallery.stores.merge import Group

_MOST_PATCHES = 1 << 20


class Tokens(Section):
    """A map of the patches for each unit; the numbers behind it come when they are asked for."""

    name = "tokens"
    kinds = ("tokens",)

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._details = Shards(place.folder, "tokens")

    def entry(self, group: Group, row: Row) -> Entry:
        """Write the map, and put the numbers of each token in a script of their own."""
        scores = TokenScores.from_row(row)
        values = patch_map(scores.tokens, scores.share, group.configuration)
        columns = (scores.optimum, scores.reached, scores.share, scores.similarity)
        told = [numbers(column) for column in columns]
        detail = self._details.add([scores.tokens.tolist(), *told])
        return [
            scores.address,
            self.heat_map(values, 0, 1, scores.address),
            *numbers([scores.ratio, scores.alike]),
            len(scores.tokens),
            detail,
        ]

    def finish(self) -> dict[str, Any]:
        """Write the last script too."""
        self._details.flush()
        return super().finish()

    def sample(self) -> list[str]:
        """Return the maps."""
        return [path_of(entry[1][0]) for entries in self.entries.values() for entry in entries]


def patch_map(
    tokens: NDArray[np.int32], values: NDArray[np.float64], configuration: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Put the values of tokens at the places of their patches.

    Parameters
    ----------
    tokens, values : arrays, shape (T,)
    configuration : mapping
        With ``grid``, rows and columns of patches, and ``prefix``, the number of the first patch.

    Returns
    -------
    array, shape (rows, columns)
        NaN where there is no value. Without a grid, the values in one row.
    """
    known = _grid(configuration)
    if known is None:
        return values[None]
    rows, columns, prefix = known
    flat = np.full(rows * columns, np.nan)
    patches = tokens.astype(np.int64) - prefix
    inside = (patches >= 0) & (patches < len(flat))
    flat[patches[inside]] = values[inside]
    return flat.reshape(rows, columns)


def _grid(configuration: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Read rows, columns and prefix; None where a store tells none, or nonsense."""
    match configuration:
        case {"grid": [int(rows), int(columns)]}:
            prefix = configuration.get("prefix", 0)
            sound = rows > 0 and columns > 0 and rows * columns <= _MOST_PATCHES
            return (rows, columns, prefix) if sound and isinstance(prefix, int) else None
    return None
