"""Check of estimated effects in a store against exact patching of some sites."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from featviz._util.progress import Progress
from featviz.store.columns import Columns
from featviz.store.jobs import store_batches
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter
from patching.attribution.diagnostics import IMAGES
from patching.attribution.fidelity import equal_signs, rank_correlation
from patching.effects.bootstrap import intervals
from patching.effects.table import Floats, read_traces
from patching.sweeps.estimated_patching import EstimatedExperiment

EXACT, FIDELITY, DIAGNOSTICS = "exact_effects", "fidelity", "diagnostics"
"""Kinds of results in a store: exact effects by image, their agreement, and diagnostics."""

TRUSTED = 0.7
"""Rank correlation below which estimates should not be trusted."""

Inputs = Callable[[Sequence[int]], tuple[Tensor, Tensor | None, Tensor]]
"""From indices of images to their clean and corrupted streams and labels."""


@dataclass(frozen=True)
class Check:
    """Agreement of estimated and exact effects at K sites, averaged over images.

    Attributes
    ----------
    sites : int64 array, shape (K,)
        Indices of the sites in the table.
    estimated : float64 array, shape (K,)
        Mean effects.
    exact, low, high : float64 arrays, shape (K,)
        Mean effects and both ends of their 95 % intervals.
    images : int
        Number of images.
    rank : float
        Spearman's rank correlation; NaN for a single site, or if effects are equal at all sites.
    signs : float
        Fraction of sites whose two effects have the same sign; NaN if all exact effects are 0.
    """

    sites: NDArray[np.int64]
    estimated: Floats
    exact: Floats
    low: Floats
    high: Floats
    images: int
    rank: float
    signs: float

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values; unknown numbers become null."""
        names = ("index", "estimated", "exact", "low", "high")
        columns = (self.sites, self.estimated, self.exact, self.low, self.high)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return {
            "images": self.images,
            "rank": _known(self.rank),
            "signs": _known(self.signs),
            "sites": [
                {name: _known(value) for name, value in zip(names, row, strict=True)}
                for row in rows
            ],
        }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def spread_over_ranks(effects: Floats, count: int) -> list[int]:
    """Choose sites evenly over the ranks of their absolute effects, the largest and smallest too.

    Parameters
    ----------
    effects : array, shape (P,)
        Mean effects.
    count : int
        Maximum number of sites.

    Returns
    -------
    list of int
        Indices, in ascending order.
    """
    order = np.argsort(-np.abs(effects), kind="stable")
    ranks = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return sorted(order[ranks].tolist())


def store_diagnostics(
    experiment: EstimatedExperiment, writer: StoreWriter, indices: Sequence[int], inputs: Inputs
) -> None:
    """Store the diagnostics of the first images, unless they are in the store.

    Parameters
    ----------
    experiment : EstimatedExperiment
    writer : StoreWriter
    indices : sequence of int
        Indices of all images.
    inputs : callable
    """
    if DIAGNOSTICS not in Store(writer.path).kinds:
        messages = experiment.diagnostics(*inputs(indices[:IMAGES]))
        writer.add({"address": ["all"], "messages": ["\n".join(messages)]}, DIAGNOSTICS)


def store_exact_effects(
    experiment: EstimatedExperiment,
    writer: StoreWriter,
    batches: Sequence[Sequence[int]],
    inputs: Inputs,
    progress: Progress,
) -> None:
    """Patch some sites exactly, and store their effects on each image.

    Parameters
    ----------
    experiment : EstimatedExperiment
    writer : StoreWriter
        Of exact effects, in a store with the estimates of all images.
    batches : sequence of sequences of int
        Indices of images without exact effects.
    inputs : callable
    progress : callable
        See `featviz.store.jobs.store_batches`.
    """
    if not (batches and experiment.estimate.exact):
        return
    sites = _checked(writer.path, experiment.estimate.exact)

    def compute(part: Sequence[int]) -> Columns:
        effect = experiment.exact(*inputs(part), sites)
        return {
            "address": [f"image:{index}" for index in part],
            "effect": effect.T.astype(np.float32),
        }

    store_batches(writer, batches, compute, progress)


def store_fidelity(writer: StoreWriter, exact: int, all_images: bool) -> None:
    """Store the agreement of estimates and exact effects, unless it is in the store.

    Parameters
    ----------
    writer : StoreWriter
        Of a store with the estimates and exact effects of all images.
    exact : int
        Maximum number of sites with exact effects.
    all_images : bool
        Whether to include images that the clean run misclassifies.
    """
    store = Store(writer.path)
    address = _address(all_images)
    if not exact or (FIDELITY in store.kinds and address in store.addresses(FIDELITY)):
        return
    table = read_traces(store)
    counted = np.ones(len(table.image), bool) if all_images else table.right
    if not counted.any():
        return
    sites = _checked(writer.path, exact)
    rows = {row["address"]: row["effect"] for row in store.rows(EXACT)}
    effects = np.stack([rows[f"image:{index}"] for index in table.image[counted].tolist()])
    found = intervals(effects.astype(np.float64))
    estimated = table.effect[0][sites][:, counted].mean(1)
    writer.add(
        {
            "address": [address],
            "place": np.array([sites], np.int32),
            "estimated": estimated[None].astype(np.float32),
            "exact": np.stack([found.estimate, found.low, found.high], -1)[None].astype(np.float32),
            "images": np.array([int(counted.sum())], np.int32),
            "rank": np.array([rank_correlation(found.estimate, estimated)]),
            "signs": np.array([equal_signs(found.estimate, estimated)]),
        },
        FIDELITY,
    )


def read_check(store: str | Path, all_images: bool = False) -> Check | None:
    """Read the agreement of estimates and exact effects in a store.

    Parameters
    ----------
    store : str or Path
    all_images : bool
        Whether images that the clean run misclassifies are included.

    Returns
    -------
    Check or None
        None if the store has none.
    """
    opened, address = Store(store), _address(all_images)
    if FIDELITY not in opened.kinds or address not in opened.addresses(FIDELITY):
        return None
    row = opened.row(address, FIDELITY)
    exact, low, high = row["exact"].astype(np.float64).T
    return Check(
        row["place"].astype(np.int64),
        row["estimated"].astype(np.float64),
        exact,
        low,
        high,
        int(row["images"]),
        float(row["rank"]),
        float(row["signs"]),
    )


def read_diagnostics(store: str | Path) -> list[str]:
    """Read the diagnostics of the estimates in a store.

    Parameters
    ----------
    store : str or Path

    Returns
    -------
    list of str
    """
    return [line for row in Store(store).rows(DIAGNOSTICS) for line in row["messages"].splitlines()]


def _checked(store: Path, count: int) -> list[int]:
    """Choose the sites by their estimates over all images, whichever of them count later."""
    return spread_over_ranks(read_traces(store).effect[0].mean(1), count)


def _address(all_images: bool) -> str:
    return "all@all-images" if all_images else "all"
