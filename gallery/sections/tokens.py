"""Section of position dependence: how well one picture activates a unit at each token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.analysis.tokens.scores import TokenScores
from featviz.store.columns import Row
from gallery.build.js_data import Shards, rounded
from gallery.sections.base import Entry, Section, SectionContext, figure_path
from gallery.stores.merge import Group

_MOST_PATCHES = 1 << 20


class Tokens(Section):
    """A map of the patches for each unit, and its values, which are loaded on demand."""

    name = "tokens"
    kinds = ("tokens",)

    def __init__(self, context: SectionContext) -> None:
        super().__init__(context)
        self._details = Shards(context.folder, "tokens")

    def entry(self, group: Group, row: Row) -> Entry:
        """Write the map, and the values of each token to a separate data file.

        See `Section.entry`.
        """
        scores = TokenScores.from_row(row)
        values = patch_map(scores.tokens, scores.share, group.configuration)
        columns = (scores.optimum, scores.reached, scores.share, scores.similarity)
        values_of_tokens = [rounded(column) for column in columns]
        detail = self._details.add([scores.tokens.tolist(), *values_of_tokens])
        return [
            scores.address,
            self.save_heat_map(values, 0, 1, scores.address),
            *rounded([scores.median_share, scores.median_similarity]),
            len(scores.tokens),
            detail,
        ]

    def finish(self) -> dict[str, Any]:
        """Write the last data file, and return the data of the section.

        See `Section.finish`.
        """
        self._details.flush()
        return super().finish()

    def thumbnails(self) -> list[str]:
        """Return the maps."""
        return [figure_path(entry[1][0]) for entries in self.entries.values() for entry in entries]


def patch_map(
    tokens: NDArray[np.int32], values: NDArray[np.float64], configuration: Mapping[str, Any]
) -> NDArray[np.float64]:
    """Arrange the values of tokens by patch.

    Parameters
    ----------
    tokens, values : arrays, shape (T,)
    configuration : mapping
        With ``grid``, rows and columns of patches, and ``prefix``, the token index of the first
        patch.

    Returns
    -------
    array, shape (rows, columns)
        NaN if a patch has no value. Without a grid, all values in one row.
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
    """Read rows, columns and prefix; None if they are missing or invalid."""
    match configuration:
        case {"grid": [int(rows), int(columns)]}:
            prefix = configuration.get("prefix", 0)
            valid = rows > 0 and columns > 0 and rows * columns <= _MOST_PATCHES
            return (rows, columns, prefix) if valid and isinstance(prefix, int) else None
    return None
