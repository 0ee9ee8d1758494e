"""The comparison with the level of controls, one resample and one control at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def p_above(own: Floats, controls: Sequence[Floats], drawn: Sequence[Sequence[int]]) -> float:
    """Compute p, each value being that of an image that all effects share.

    Parameters
    ----------
    own : array, shape (N,)
    controls : sequence of arrays, each of shape (N,)
    drawn : sequence of lists of int
        The images of each resample.
    """
    # The largest but as many as 5 % of all, the own one included.
    dropped = int(0.05 * (len(controls) + 1))
    failures = 0
    for images in drawn:
        mean = sum(own[image] for image in images) / len(images)
        means = sorted(sum(each[image] for image in images) / len(images) for each in controls)
        highest = means[len(means) - dropped] if dropped else float("inf")
        failures += not mean - max(highest, 0) > 0
    return (1 + failures) / (1 + len(drawn))
