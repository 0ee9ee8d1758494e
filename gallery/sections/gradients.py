"""Section of gradients of query-key logits with respect to images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from featviz.store.columns import Row
from gallery.build.colors import clip_value, finite_range, heat_map
from gallery.build.images import check_pictures
from gallery.build.js_data import rounded
from gallery.sections.base import Entry, Section, figure_path
from gallery.stores.merge import Group

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_DIM = 0.4  # brightness of the image where the gradient is zero


class Gradients(Section):
    """Each image, and with an overlay of each of its two gradient maps."""

    name = "gradients"
    kinds = ("gradients",)

    def entry(self, _group: Group, row: Row) -> Entry:
        """Write the images and overlays; units share the files of images.

        See `Section.entry`.
        """
        address, figures = row["address"], self.context.figures
        check_pictures(address, row["images"])
        samples = zip(row["images"], row["query"], row["key"], row["activation"], strict=True)
        return [
            address,
            [
                [
                    figures.save(image, address),
                    self._overlay(image, query, address),
                    self._overlay(image, key, address),
                    *rounded([value]),
                ]
                for image, query, key, value in samples
            ],
        ]

    def _overlay(
        self, image: NDArray[np.uint8], strength: NDArray[np.float32], address: str
    ) -> list[Any]:
        """Write an overlay; return its figure, the end of its scale and the maximum."""
        figure = self.context.figures.save(overlay(image, strength, clip_value(strength)), address)
        return [figure, *rounded([clip_value(strength), finite_range(strength)[1]])]

    def thumbnails(self) -> list[str]:
        """Return the first image of each unit with the overlay of the query."""
        entries = (entry for group in self.entries.values() for entry in group)
        return [figure_path(samples[0][1][0]) for _, samples in entries]


def overlay(
    image: NDArray[np.uint8], strength: NDArray[np.floating[Any]], high: float
) -> NDArray[np.uint8]:
    """Blend a gradient map with its image, which is gray and dimmed where the map is zero.

    Parameters
    ----------
    image : array of uint8, shape (H, W, 3)
    strength : array, shape (H, W)
        Non-negative.
    high : float
        Strength at which the map is opaque, in the lightest color.

    Returns
    -------
    array of uint8, shape (H, W, 3)
    """
    share = np.nan_to_num(strength / high if high > 0 else strength * 0, posinf=1, neginf=0)
    share = share.clip(0, 1)[..., None]
    gray = (image @ _LUMA)[..., None] * _DIM
    return np.asarray(np.rint(gray * (1 - share) + heat_map(strength, 0, high) * share), np.uint8)
