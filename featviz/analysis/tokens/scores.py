"""Scores of a unit's picture over all patches against the pictures at its tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.store.columns import Row

COLUMNS = ("tokens", "optimum", "reached", "similarity")


@dataclass(frozen=True)
class TokenScores:
    """How well the picture of a unit over all patches represents each of T tokens.

    Attributes
    ----------
    address : str
        Of the unit: the mean over patches.
    tokens : int32 array, shape (T,)
        Indices of the tokens.
    optimum : float32 array, shape (T,)
        Value at a token on the token's own picture, minus its value on a gray image.
    reached : float32 array, shape (T,)
        Value at a token on the picture over all patches, minus its value on a gray image.
    similarity : float32 array, shape (T,)
        Gram similarity of the two pictures, in [0, 1]; see
        `featviz.analysis.tokens.gram_similarity.gram_similarity`.
    """

    address: str
    tokens: npt.NDArray[np.int32]
    optimum: npt.NDArray[np.float32]
    reached: npt.NDArray[np.float32]
    similarity: npt.NDArray[np.float32]

    @classmethod
    def from_row(cls, row: Row) -> TokenScores:
        """Read the scores from a row of a store.

        Parameters
        ----------
        row : Row
            Of kind ``tokens``.

        Returns
        -------
        TokenScores
        """
        return cls(*(row[name] for name in ("address", *COLUMNS)))

    @property
    def share(self) -> npt.NDArray[np.float64]:
        """``reached / optimum``, shape (T,).

        Above 1 where the picture over all patches has a higher value than the token's own picture,
        negative where its value is below that of gray. NaN where `optimum` is not positive.
        """
        positive = self.optimum > 0
        share = np.where(positive, self.reached / np.where(positive, self.optimum, 1), np.nan)
        return share.astype(np.float64)

    @property
    def median_share(self) -> float:
        """Median of `share` over the tokens where it is known; NaN if there are none."""
        known = self.share[np.isfinite(self.share)]
        return float(np.median(known)) if known.size else float("nan")

    @property
    def median_similarity(self) -> float:
        """Median of `similarity` over the tokens."""
        return float(np.median(self.similarity))
