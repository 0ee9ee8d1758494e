"""The best image for a linear unit: every colour value goes to the end its weight asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_in_the_box(weight: NDArray[np.float64], bias: float, mean: float, std: float) -> float:
    """Largest value of ``sum(weight * (image - mean) / std) + bias`` over images in [0, 1]."""
    best = bias
    for each in weight.flat:
        best += max(each * (0 - mean) / std, each * (1 - mean) / std)
    return best
