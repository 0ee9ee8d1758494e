"""Whether an optimisation had come to its end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def rise(trajectory: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Measure what the last doubling of the steps brought.

    The mean over the second half of the steps, less that over the second quarter, in parts of what
    the former gained over the first step. The steps of an optimisation shrink to nothing, so that
    its very end is flat however early it ends: only longer stretches tell. They are long
    for another reason, too: each step sees another view.

    Parameters
    ----------
    trajectory : array, shape (..., T)
        The value at each step.

    Returns
    -------
    array, shape (...)
        Near 0 where more steps would bring no more; about 0.5 on a straight line; below 0 where
        the value fell. 0 where the two means are equal. NaN where the value changed without any
        gain, and for fewer than 4 steps.
    """
    values = np.asarray(trajectory, np.float64)
    steps = values.shape[-1]
    if steps < 4:
        return np.full(values.shape[:-1], np.nan)
    late = values[..., steps // 2 :].mean(-1)
    more = late - values[..., steps // 4 : steps // 2].mean(-1)
    gain = late - values[..., 0]
    share = np.divide(more, gain, out=np.full_like(more, np.nan), where=gain > 0)
    return np.where(more == 0, 0.0, share)
