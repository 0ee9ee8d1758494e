"""The strongest units on an image: of each layer, and at each patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PER_LAYER = 64
PER_PATCH = 8


@dataclass(frozen=True)
class Strong:
    """A unit that is strong on an image.

    Attributes
    ----------
    unit : int
        Index on the page.
    relative : float
        Relative value; see `gallery.input_images.reference.Reference`.
    map : float32 array, shape (rows, columns), or None
        Its value at each patch.
    """

    unit: int
    relative: float
    map: NDArray[np.float32] | None


class Strongest:
    """Collects the strongest units on one image, by decreasing relative value.

    Of equal values, the first unit of the page comes first; unknown values (NaN) are left out.

    Parameters
    ----------
    patches : int
        Number of patches.

    Attributes
    ----------
    layers : dict of int to list of Strong
        At most `PER_LAYER` units, by index of the layer.
    """

    def __init__(self, patches: int) -> None:
        self.layers: dict[int, list[Strong]] = {}
        self._relative = np.zeros((0, patches))
        self._units = np.zeros((0, patches), np.intp)

    def add(self, layer: int, units: list[Strong]) -> None:
        """Add units of a layer.

        Parameters
        ----------
        layer : int
            Index of the layer.
        units : list of Strong
        """
        known = [*self.layers.get(layer, ()), *(u for u in units if not np.isnan(u.relative))]
        ordered = sorted(known, key=lambda one: (-one.relative, one.unit))
        self.layers[layer] = ordered[:PER_LAYER]

    def add_patches(self, units: list[int], relative: NDArray[np.floating[Any]]) -> None:
        """Add units at the patches.

        Parameters
        ----------
        units : list of int
            Indices on the page, above those added before.
        relative : array, shape (units, patches)
            Relative values; minus infinity or NaN where there is none.
        """
        columns = np.broadcast_to(np.array(units, np.intp)[:, None], relative.shape)
        known = np.where(np.isnan(relative), -np.inf, relative)
        values = np.concatenate([self._relative, known])
        candidates = np.concatenate([self._units, columns])
        order = np.argsort(-values, axis=0, kind="stable")[:PER_PATCH]
        self._relative = np.take_along_axis(values, order, 0)
        self._units = np.take_along_axis(candidates, order, 0)

    def mapped(self) -> set[int]:
        """Return the units of `layers` that have a map."""
        return {one.unit for units in self.layers.values() for one in units if one.map is not None}

    def patches(self) -> list[list[tuple[int, float]]]:
        """Return the strongest units at each patch: index and relative value, at most 8."""
        return [
            [(unit, value) for unit, value in zip(units, values, strict=True) if np.isfinite(value)]
            for units, values in zip(self._units.T.tolist(), self._relative.T.tolist(), strict=True)
        ]
