"""What a store holds of how pictures over all patches compare with pictures of tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.store.columns import Row

COLUMNS = ("tokens", "optimum", "reached", "similarity")


@dataclass(frozen=True)
class TokenScores:
    """How the picture of a unit over all patches compares with the pictures of its tokens.

    Attributes
    ----------
    address : str
        Of the unit: the mean over patches.
    tokens : int32 array, shape (T,)
    optimum : float32 array, shape (T,)
        By how much the value at a token on that token's own picture exceeds that on gray.
    reached : float32 array, shape (T,)
        The same on the picture of the mean over patches.
    similarity : float32 array, shape (T,)
        Of the two pictures, from 0 to 1; see `featviz.analysis.tokens.job.likeness`.
    """

    address: str
    tokens: npt.NDArray[np.int32]
    optimum: npt.NDArray[np.float32]
    reached: npt.NDArray[np.float32]
    similarity: npt.NDArray[np.float32]

    @classmethod
    def from_row(cls, row: Row) -> TokenScores:
        """Take the scores from a row of a store."""
        return cls(*(row[name] for name in ("address", *COLUMNS)))

    @property
    def share(self) -> npt.NDArray[np.float64]:
        """What was reached in parts of the optimum, shape (T,).

        Above 1 where the shared picture does better than the token's own, below 0 where it does
        worse than gray; NaN where the token's own picture is no better than gray.
        """
        sound = self.optimum > 0
        return np.where(sound, self.reached / np.where(sound, self.optimum, 1), np.nan).astype(
            np.float64
        )

    @property
    def ratio(self) -> float:
        """The median of `share` over the tokens that have one; NaN if none has."""
        known = self.share[np.isfinite(self.share)]
        return float(np.median(known)) if known.size else float("nan")

    @property
    def alike(self) -> float:
        """The median of `similarity` over the tokens."""
        return float(np.median(self.similarity))
