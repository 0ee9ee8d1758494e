"""What is known of a unit from a dataset."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from featviz.store.columns import Row

KIND = "examples"

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Examples:
    """Images of a dataset for one unit, and what its values on all of them are like.

    Attributes
    ----------
    address : str
    top, bottom : int32 array, shape (K,)
        Numbers of images in the dataset, from the highest value down and from the lowest up; of
        equal values, the smaller number first. -1 where the dataset has fewer.
    spread : int32 array, shape (S,)
        The images at the quantiles of the configuration.
    top_values, bottom_values, spread_values : float32 array
        The unit's value on each; NaN where there is no image.
    top_tokens, bottom_tokens, spread_tokens : int32 array, shape (K, 2) or (S, 2)
        Where in the image; see `featviz.analysis.examples.argmax_tokens.Places`.
    percentiles : float32 array, shape (101,)
        Of the values, from the smallest to the largest.
    histogram : int32 array, shape (B,)
        Values in equal bins between these two.
    mean, deviation, sparsity, active : float
        See `featviz.analysis.examples.statistics.statistics`.
    classes : float32 array, shape (C,)
        Mean value by class; NaN where a class has no image.
    grid : int32 array, shape (2,)
        Rows and columns of the patches; -1 where the unit's layer has none.
    prefix : int
        How many tokens come before the patches.
    """

    address: str
    top: Ints
    top_values: Floats
    top_tokens: Ints
    bottom: Ints
    bottom_values: Floats
    bottom_tokens: Ints
    spread: Ints
    spread_values: Floats
    spread_tokens: Ints
    percentiles: Floats
    histogram: Ints
    mean: float
    deviation: float
    sparsity: float
    active: float
    classes: Floats
    grid: Ints
    prefix: int

    @classmethod
    def from_row(cls, row: Row) -> Examples:
        """Take them from a row of a store."""
        return cls(**{each.name: _plain(row[each.name]) for each in fields(cls)})

    @property
    def top_classes(self) -> list[int]:
        """The classes by their mean value, the highest first; those without images are left out."""
        order = np.argsort(-self.classes, kind="stable")
        return [int(number) for number in order if not np.isnan(self.classes[number])]


COLUMNS = tuple(each.name for each in fields(Examples) if each.name != "address")
"""Of kind ``examples``, beside the address."""


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
