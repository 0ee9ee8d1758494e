"""Schedules: the learning rate and the frequency cutoff of each step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# The frequency cutoff rises from this many cycles per image ...
COARSE = 4
# ... to the highest frequency, on the diagonal, in cycles per pixel.
FINE = math.sqrt(0.5)


def learning_rate(initial: float, cooldown: float, step: int, steps: int) -> float:
    """Return the learning rate of a step: `initial`, and in the cooldown half a cosine to 0.

    Parameters
    ----------
    initial : float
        Learning rate of step 0.
    cooldown : float
        Fraction of the steps, the last ones, in which the rate falls; in (0, 1].
    step, steps : int
        Index of the step, and number of steps.

    Source: Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training
    Durations", 2024; with 1, Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm
    Restarts", 2017.
    """
    passed = max(0.0, 1 - (1 - step / steps) / cooldown)
    return initial * (1 + math.cos(math.pi * passed)) / 2


def frequency_cutoff(fraction: float, size: int, step: int, steps: int) -> float:
    """Return the highest frequency that a step optimizes, in cycles per pixel.

    It rises exponentially from 4 cycles per image over a fraction of the steps; after them it is
    infinite.

    Parameters
    ----------
    fraction : float
        In [0, 1]; 0 for no cutoff.
    size : int
        Side of the picture in pixels.
    step, steps : int
        Index of the step, and number of steps.
    """
    rising = fraction * steps
    if step >= rising:
        return math.inf
    coarse = COARSE / size
    return coarse * math.pow(FINE / coarse, step / rising)


def masked_step(
    optimizer: torch.optim.Optimizer,
    parameters: Tensor,
    initial: Tensor,
    frequencies: Tensor,
    cutoff: float,
) -> None:
    """Step an optimizer, and reset the parameters above a frequency to their initial values.

    The gradients of these still update Adam's moments, which avoids an oversized first step when
    the cutoff reaches them. The cutoff must not decrease from step to step.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        Of `parameters` alone, whose gradient is set.
    parameters, initial : Tensor, shape (N, ...)
    frequencies : Tensor, shape (...)
        In cycles per pixel.
    cutoff : float
        In cycles per pixel; infinite for a plain step.
    """
    optimizer.step()
    if math.isfinite(cutoff):
        with torch.no_grad():
            torch.where(frequencies <= cutoff, parameters, initial, out=parameters)
