"""Firing of latents on a dataset: density, share of the images, and values where they fire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from featviz.addressing import alive
from featviz.addressing.combinations import is_combination
from featviz.analysis.examples.statistics import QUANTILES, interpolate
from featviz.models.loading.sae_files import LATENTS
from featviz.store.columns import Row
from featviz.store.reader import Store

KIND = alive.KIND

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Firing:
    """How often the latent of a unit fires, that is, is not 0 after threshold or top-k.

    Attributes
    ----------
    address : str
    tokens : float
        Its density: share of the tokens of all images on which it fires, in [0, 1].
    images : float
        Share of the images with such a token, in [0, 1].
    quantiles : float32 array, shape (S,)
        Quantiles of the value of the unit on these images; NaN if it never fires.
    """

    address: str
    tokens: float
    images: float
    quantiles: Floats

    @classmethod
    def from_row(cls, row: Row) -> Firing:
        """Return the firing that `row`, a row of kind ``firing`` of a store, holds."""
        return cls(row["address"], float(row["tokens"]), float(row["images"]), row["quantiles"])

    @property
    def is_dead(self) -> bool:
        """Whether the latent fires on no token."""
        return self.tokens == 0


def latent_name(address: str) -> str:
    """Return the address of the latent of a unit without its tokens; empty for other units."""
    is_latent = address.startswith(LATENTS) and not is_combination(address)
    return address.partition("@")[0] if is_latent else ""


def latent_names(addresses: Iterable[str]) -> list[str]:
    """Return the names of the latents of units, each once, in the order of `addresses`."""
    return list(dict.fromkeys(filter(None, map(latent_name, addresses))))


def dead_latents(store: Store) -> set[str]:
    """Return the names of the latents that fire on no image of a `store`; see `latent_name`."""
    return {latent_name(row["address"]) for row in store.rows(KIND) if row["tokens"] == 0}


def firing_statistics(
    values: Floats,
    fires: npt.NDArray[np.bool_],
    tokens: npt.NDArray[np.int64],
    total: npt.NDArray[np.int64],
) -> dict[str, npt.NDArray[Any]]:
    """Compute the columns of kind ``firing``.

    Parameters
    ----------
    values : float32 array, shape (U, N)
        Values of units on all images.
    fires : bool array, shape (U, N)
        On which images their latents fire.
    tokens, total : int64 array, shape (U,)
        Number of tokens on which they fire, and number of all tokens.

    Returns
    -------
    dict of float32 arrays
        ``tokens``, ``images`` (U,) and ``quantiles`` (U, S); see `Firing`.
    """
    counts = fires.sum(1)
    rising = np.sort(np.where(fires, values.astype(np.float64), np.inf), 1)
    rising[counts == 0] = np.nan
    found = interpolate(rising, np.array(QUANTILES), np.maximum(counts, 1))
    columns = {"tokens": tokens / total, "images": fires.mean(1), "quantiles": found}
    return {name: column.astype(np.float32) for name, column in columns.items()}
