"""Examples of a unit: images of a dataset, and statistics of the unit's values on it."""

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
    """Images of a dataset for one unit, and statistics of its values on all images.

    Attributes
    ----------
    address : str
    top, bottom : int32 array, shape (K,)
        Indices of images in the dataset, from the highest value down and from the lowest up; of
        equal values, the smaller index first. -1 where the dataset has fewer images.
    spread : int32 array, shape (S,)
        Images at the quantiles of the configuration.
    top_values, bottom_values, spread_values : float32 array
        Values of the unit on these images; NaN where there is no image.
    top_tokens, bottom_tokens, spread_tokens : int32 array, shape (K, 2) or (S, 2)
        Where in the image the value is highest; see
        `featviz.analysis.examples.argmax_tokens.TokenLocator`.
    percentiles : float32 array, shape (101,)
        Percentiles 0 (minimum) to 100 (maximum) of the values.
    histogram : int32 array, shape (B,)
        Number of values in bins of equal width from the minimum to the maximum.
    mean, deviation, sparsity, active : float
        See `featviz.analysis.examples.statistics.statistics`.
    classes : float32 array, shape (C,)
        Mean value on the images of each class; NaN where a class has no image.
    grid : int32 array, shape (2,)
        Rows and columns of the patches; -1 where the unit's layer has none.
    prefix : int
        Number of tokens before the patches.
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
        """Return the examples that `row`, a row of kind ``examples`` of a store, holds."""
        return cls(**{each.name: _plain(row[each.name]) for each in fields(cls)})

    @property
    def top_classes(self) -> list[int]:
        """Indices of the classes with images, in descending order of the mean value."""
        order = np.argsort(-self.classes, kind="stable")
        return [int(index) for index in order if not np.isnan(self.classes[index])]


COLUMNS = tuple(each.name for each in fields(Examples) if each.name != "address")
"""Columns of kind ``examples`` other than the address."""


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
