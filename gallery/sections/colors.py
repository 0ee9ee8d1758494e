"""Numbers as colors: one scale, from dark blue to light yellow, whose lightness rises evenly."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = (128, 128, 128)  # of a value that is not a number: the scale has no gray

# Lightness and hue (degrees) at the ends. The hue falls through teal and green, so that lightness
# and warmth rise together, and the order of colors is told in more than one way.
_LIGHTNESS, _HUE = (0.2, 0.95), (285.0, 100.0)
_CHROMAS = np.linspace(0, 0.105, 106)

# Source of both: Ottosson, "A perceptual color space for image processing", 2020.
_TO_CONES = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@cache
def scale() -> NDArray[np.uint8]:
    """Return the colors from least to most.

    They lie on a line in the cylinder of Oklab along which lightness and hue change evenly. Each
    is as colorful as a display shows at this lightness and hue, up to a chroma of 0.105.

    Returns
    -------
    array of uint8, shape (256, 3)
    """
    lightness = np.linspace(*_LIGHTNESS, 256)[:, None]
    hue = np.deg2rad(np.linspace(*_HUE, 256))[:, None]
    lab = np.broadcast_arrays(lightness, _CHROMAS * np.cos(hue), _CHROMAS * np.sin(hue))
    linear = (np.stack(lab, axis=2) @ _TO_CONES.T) ** 3 @ _TO_RGB.T
    # Of each row of chromas the last that a display can show; the first, gray, always can be.
    shown = ((linear >= 0) & (linear <= 1)).all(axis=2)
    last = len(_CHROMAS) - 1 - shown[:, ::-1].argmax(axis=1)
    chosen = linear[np.arange(256), last].clip(0, 1)
    # Source: IEC 61966-2-1 (sRGB).
    curved = np.where(chosen <= 0.0031308, 12.92 * chosen, 1.055 * chosen ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(curved * 255), np.uint8)


def heat(values: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.uint8]:
    """Color values, from the darkest at `low` to the lightest at `high`, and what is beyond alike.

    Parameters
    ----------
    values : array, shape (...)
        One that is NaN is gray.
    low, high : float
        If they are equal, every value gets the darkest color.

    Returns
    -------
    array of uint8, shape (..., 3)
    """
    unknown = np.isnan(values)
    span = high - low
    shares = (np.where(unknown, low, values).astype(np.float64) - low) / (span if span > 0 else 1)
    levels = np.rint(np.nan_to_num(shares, nan=0).clip(0, 1) * 255).astype(np.intp)
    colors: NDArray[np.uint8] = scale()[levels]
    colors[unknown] = UNKNOWN
    return colors


def extent(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return the smallest and the largest finite value; zeros if there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def bright(values: NDArray[np.floating[Any]]) -> float:
    """Return the 99th percentile of the positive finite values; 0 if there is none.

    A scale that ends there shows maps of which a few places are many times as strong as all
    others, and would leave the rest in the dark.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    return float(np.quantile(positive, 0.99)) if positive.size else 0.0
