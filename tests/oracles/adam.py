"""Adam for one parameter (Kingma and Ba, 2015, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def maximize(
    start: float,
    gradient: Callable[[float], float],
    rates: Iterable[float],
    betas: tuple[float, float],
) -> float:
    """Return a parameter after gradient ascent with Adam, one step per learning rate."""
    parameter, mean, square = start, 0.0, 0.0
    first, second = betas
    for step, rate in enumerate(rates, 1):
        slope = gradient(parameter)
        mean = first * mean + (1 - first) * slope
        square = second * square + (1 - second) * slope**2
        unbiased, variance = mean / (1 - first**step), square / (1 - second**step)
        parameter += rate * unbiased / (variance**0.5 + 1e-8)
    return parameter
