"""Activation paths: similarity of a unit's picture to natural images, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featviz.store.columns import Row

COLUMNS = {
    "picture": "picture",
    "natural": "natural",
    "same": "same",
    "different": "different",
    "naturalness": "agreement",
}
"""Fields of `ActivationPath`, and their columns in kind ``paths``."""

MIN_NATURALNESS = 0.25
"""Naturalness from which on a picture counts as processed like natural images.

With each of the 9 images that activate a neuron of cueworld/vit most taken as its picture, 6 % are
below it; of images of white noise, 90 % are.
"""


@dataclass(frozen=True)
class ActivationPath:
    """Similarities to the natural images that activate a unit most, at each of L layers.

    Attributes
    ----------
    layers : tuple of str
        Names of the layers.
    picture : float32 array, shape (L,)
        Mean cosine of the unit's picture, in [-1, 1].
    natural, same, different : float32 array, shape (L,)
        The same for these natural images among each other, for other images of their classes, and
        for images of other classes; NaN where there are none. Images of unknown class count as of
        other classes.
    naturalness : float
        ``(picture - different) / (natural - different)``, each averaged over the layers before
        the unit: 1 for a picture that is as similar as the natural images are to each other, 0
        for one that is no more similar than images of other classes. NaN where ``natural`` hardly
        exceeds ``different``, or one of them is NaN.
    """

    layers: tuple[str, ...]
    picture: npt.NDArray[np.float32]
    natural: npt.NDArray[np.float32]
    same: npt.NDArray[np.float32]
    different: npt.NDArray[np.float32]
    naturalness: float

    @classmethod
    def from_row(cls, row: Row, layers: Sequence[str]) -> ActivationPath:
        """Read a path from a row of a store.

        Parameters
        ----------
        row : Row
            Of kind ``paths``.
        layers : sequence of str
            From the configuration of that kind.

        Returns
        -------
        ActivationPath
        """
        fields = {field: row[column] for field, column in COLUMNS.items()}
        return cls(tuple(layers), **fields | {"naturalness": float(fields["naturalness"])})


def is_natural(naturalness: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return which pictures the network processes like natural images.

    Parameters
    ----------
    naturalness : array_like
        See `ActivationPath`.

    Returns
    -------
    bool array of the same shape
        Where `naturalness` is at least 0.25; False for NaN.
    """
    found: npt.NDArray[np.bool_] = np.asarray(np.asarray(naturalness) >= MIN_NATURALNESS)
    return found
