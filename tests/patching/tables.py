"""Tables of effects made of random numbers."""

from __future__ import annotations

import numpy as np

from patching.effects.table import Mode, Table
from patching.interventions.selection import Sites

METRIC = ("probability", "logit")


def sites() -> Sites:
    return Sites(
        site=np.array(["attn_out", "z", "z", "resid_mid"]),
        layer=np.array([3, 3, 4, 4]),
        head=np.array(["all", "0", "1", "all"]),
        token=np.array(["all", "all", "class", "7"]),
        window=np.array([3, 1, 1, 1]),
    )


def table(count: int = 6, mode: Mode = "denoising", first: int = 10, seed: int = 0) -> Table:
    """Make a table of images of classes 0, 1, 2 in turn, every fourth of them wrong."""
    generator = np.random.default_rng(seed)
    return Table(
        mode=mode,
        metric=METRIC,
        sites=sites(),
        image=np.arange(first, first + count),
        label=np.arange(count) % 3,
        right=np.arange(count) % 4 != 3,
        clean=1 + generator.random((2, count)),
        corrupted=generator.random((2, count)),
        restored=2 * generator.random((2, 4, count)),
    )
