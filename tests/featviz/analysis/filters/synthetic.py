"""Filters of known classes: unit norm, then scaled to a share of a strong filter's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Filter = NDArray[np.float64]
Maker = Callable[[np.random.Generator, int], Filter]


def _grid(side: int) -> tuple[Filter, Filter]:
    """Rows and columns from -0.5 to 0.5."""
    line = (np.arange(side) + 0.5) / side - 0.5
    rows, columns = np.meshgrid(line, line, indexing="ij")
    return rows, columns


def _along(rng: np.random.Generator, side: int) -> Filter:
    """A ramp in a random direction."""
    rows, columns = _grid(side)
    angle = rng.uniform(0, 2 * np.pi)
    ramp: Filter = np.cos(angle) * columns + np.sin(angle) * rows
    return ramp


def _colored(rng: np.random.Generator, shape: Filter) -> Filter:
    """In gray half of the time, else in a random color, light or dark."""
    color = np.ones(3) if rng.random() < 0.5 else rng.standard_normal(3)
    made: Filter = np.multiply.outer(color * rng.choice([-1, 1]), shape)
    return made


def grating(rng: np.random.Generator, side: int) -> Filter:
    """A sine of 1 to side / 3 cycles, at any angle and phase."""
    cycles, phase = rng.uniform(1, side / 3), rng.uniform(0, 2 * np.pi)
    return _colored(rng, np.sin(2 * np.pi * cycles * _along(rng, side) + phase))


def gabor(rng: np.random.Generator, side: int) -> Filter:
    """A sine under a Gaussian window, anywhere near the middle."""
    rows, columns = _grid(side)
    top, left = rng.uniform(-0.15, 0.15, 2)
    window: Filter = np.exp(
        -((rows - top) ** 2 + (columns - left) ** 2) / (2 * rng.uniform(0.12, 0.3) ** 2)
    )
    return grating(rng, side) * window


def blob(rng: np.random.Generator, side: int) -> Filter:
    """A Gaussian spot, its width from a tenth to a fifth of the side."""
    rows, columns = _grid(side)
    top, left = rng.uniform(-0.3, 0.3, 2)
    width = rng.uniform(0.1, 0.2)
    return _colored(rng, np.exp(-((rows - top) ** 2 + (columns - left) ** 2) / (2 * width**2)))


def edge(rng: np.random.Generator, side: int) -> Filter:
    """Light on one side, dark on the other."""
    return _colored(rng, np.tanh(12 * (_along(rng, side) - rng.uniform(-0.1, 0.1))))


def flat(rng: np.random.Generator, side: int) -> Filter:
    """One color."""
    return _colored(rng, np.ones((side, side)))


def fading(rng: np.random.Generator, side: int) -> Filter:
    """One color, weaker towards one side by 15 to 50 per cent."""
    ramp = _along(rng, side)
    return _colored(rng, 1 + rng.uniform(0.15, 0.5) * ramp / np.abs(ramp).max())


def noise(rng: np.random.Generator, side: int) -> Filter:
    """White noise."""
    return rng.standard_normal((3, side, side))


STRUCTURES: tuple[Maker, ...] = (grating, gabor, blob, edge)

# Of each class: what it is made of, and its norms.
RECIPES: dict[str, tuple[tuple[Maker, ...], float, float]] = {
    "regular": (STRUCTURES, 0.8, 1.2),
    "regular dark": (STRUCTURES, 0.2, 0.4),
    "near-solid colour": ((fading,), 0.2, 1.2),
    "solid colour": ((flat,), 0.2, 1.2),
    "very dark": ((noise, flat, *STRUCTURES), 0, 0.05),
}


def make(rng: np.random.Generator, name: str, side: int, count: int) -> Filter:
    """Filters of a class, shape (count, 3, side, side)."""
    makers, low, high = RECIPES[name]
    made = np.stack([makers[n % len(makers)](rng, side) for n in range(count)])
    norms = np.linalg.norm(made.reshape(count, -1), axis=1)
    scales = rng.uniform(low, high, count) / norms
    scaled: Filter = made * scales[:, None, None, None]
    return scaled


def layer(seed: int, side: int, count: int = 24) -> tuple[Filter, list[str]]:
    """A layer of `count` filters of each class, and the class of each."""
    rng = np.random.default_rng(seed)
    made = [make(rng, name, side, count) for name in RECIPES]
    return np.concatenate(made), [name for name in RECIPES for _ in range(count)]
