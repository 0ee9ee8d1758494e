"""Schedules: learning rate and frequency cutoff of each step."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def masked_step(
    optimizer: torch.optim.Optimizer,
    numbers: Tensor,
    starts: Tensor,
    frequencies: Tensor,
    finest: float,
) -> None:
    """Make a step in which only the waves up to a frequency move, and the others stay at the start.

    From step to step `finest` may only rise: a wave that has moved would jump back. The others
    take part in the optimizer's moments: were they to see no gradient at first, Adam
    would throw them far when they do.
    """
    optimizer.step()
    if math.isfinite(finest):
        with torch.no_grad():
            torch.where(frequencies <= finest, numbers, starts, out=numbers)
