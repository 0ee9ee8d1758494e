"""The test against a quantile of controls, one resample and one control at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def p_above(own: Floats, controls: Sequence[Floats], drawn: Sequence[Sequence[int]]) -> float:
    """Return the bootstrap p-value of an effect that exceeds 95 % of the controls' and 0.

    Parameters
    ----------
    own : array, shape (N,)
        Effect on each image.
    controls : sequence of arrays, each of shape (N,)
    drawn : sequence of lists of int
        The images of each resample.
    """
    # 5 % of all effects, including the own one, may be larger.
    dropped = int(0.05 * (len(controls) + 1))
    failures = 0
    for images in drawn:
        mean = sum(own[image] for image in images) / len(images)
        means = sorted(sum(each[image] for image in images) / len(images) for each in controls)
        highest = means[len(means) - dropped] if dropped else float("inf")
        failures += not mean - max(highest, 0) > 0
    return (1 + failures) / (1 + len(drawn))
