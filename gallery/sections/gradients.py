"""Which pixels of an image raise a query-key logit, through the query and through the key."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.store.columns import Row
from gallery.build.images import check_pictures
from gallery.build.js_data import numbers
from gallery.sections.base import Entry, Section, path_of
from gallery.sections.colors import bright, extent, heat
from gallery.stores.merge import Group

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_DIM = 0.4  # of the image's brightness under a map


class Gradients(Section):
    """Each image three times: as it is, and under its two maps."""

    name = "gradients"
    kinds = ("gradients",)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Lay each map over its image; the images of all units are the same files."""
        address, figures = row["address"], self.place.figures
        check_pictures(address, row["images"])
        samples = zip(row["images"], row["query"], row["key"], row["activation"], strict=True)
        return [
            address,
            [
                [
                    figures.save(image, address),
                    self._map(image, query, address),
                    self._map(image, key, address),
                    *numbers([value]),
                ]
                for image, query, key, value in samples
            ],
        ]

    def _map(
        self, image: NDArray[np.uint8], strength: NDArray[np.float32], address: str
    ) -> list[Any]:
        """Write a map over its image; return it, the end of its scale and its highest value."""
        figure = self.place.figures.save(overlay(image, strength, bright(strength)), address)
        return [figure, *numbers([bright(strength), extent(strength)[1]])]

    def sample(self) -> list[str]:
        """Return the first image of each unit under its query's map."""
        entries = (entry for group in self.entries.values() for entry in group)
        return [path_of(samples[0][1][0]) for _, samples in entries]


def overlay(
    image: NDArray[np.uint8], strength: NDArray[np.floating[Any]], high: float
) -> NDArray[np.uint8]:
    """Lay a map over its image, which is gray and dim where the map is zero.

    Parameters
    ----------
    image : array of uint8, shape (H, W, 3)
    strength : array, shape (H, W)
        Not negative.
    high : float
        What covers the image altogether, in the lightest color.

    Returns
    -------
    array of uint8, shape (H, W, 3)
    """
    share = np.nan_to_num(strength / high if high > 0 else strength * 0, posinf=1, neginf=0)
    share = share.clip(0, 1)[..., None]
    gray = (image @ _LUMA)[..., None] * _DIM
    return np.asarray(np.rint(gray * (1 - share) + heat(strength, 0, high) * share), np.uint8)
