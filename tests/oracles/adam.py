"""Adam as its paper writes it, for one number (Kingma and Ba, 2015, algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def climb(
    start: float,
    gradient: Callable[[float], float],
    rates: Iterable[float],
    betas: tuple[float, float],
) -> float:
    """Return where a number comes to that goes uphill, a step for each learning rate."""
    place, mean, square = start, 0.0, 0.0
    first, second = betas
    for step, rate in enumerate(rates, 1):
        uphill = gradient(place)
        mean = first * mean + (1 - first) * uphill
        square = second * square + (1 - second) * uphill**2
        unbiased, spread = mean / (1 - first**step), square / (1 - second**step)
        place += rate * unbiased / (spread**0.5 + 1e-8)
    return place
