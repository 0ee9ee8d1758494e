"""Heat maps: a perceptually uniform colormap from dark blue to light yellow."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = (128, 128, 128)  # color of NaN, which the colormap does not contain

# Lightness and hue in degrees at both ends. The hue passes through teal and green, so that both
# lightness and hue show the order of values.
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
def colormap() -> NDArray[np.uint8]:
    """Return the colors of the colormap, from low to high.

    Lightness and hue change linearly in Oklab. The chroma is the largest that sRGB can show, up to
    0.105.

    Returns
    -------
    array of uint8, shape (256, 3)
    """
    lightness = np.linspace(*_LIGHTNESS, 256)[:, None]
    hue = np.deg2rad(np.linspace(*_HUE, 256))[:, None]
    lab = np.broadcast_arrays(lightness, _CHROMAS * np.cos(hue), _CHROMAS * np.sin(hue))
    linear = (np.stack(lab, axis=2) @ _TO_CONES.T) ** 3 @ _TO_RGB.T
    # The largest chroma in the sRGB gamut, for each row; the first, gray, always is.
    shown = ((linear >= 0) & (linear <= 1)).all(axis=2)
    last = len(_CHROMAS) - 1 - shown[:, ::-1].argmax(axis=1)
    chosen = linear[np.arange(256), last].clip(0, 1)
    # Source: IEC 61966-2-1 (sRGB).
    curved = np.where(chosen <= 0.0031308, 12.92 * chosen, 1.055 * chosen ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(curved * 255), np.uint8)


def heat_map(values: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.uint8]:
    """Map values to colors. Values outside `low` and `high` get the color at the end.

    Parameters
    ----------
    values : array, shape (...)
        NaN is gray.
    low, high : float
        Values of the darkest and the lightest color. If they are equal, all values get the darkest.

    Returns
    -------
    array of uint8, shape (..., 3)
    """
    unknown = np.isnan(values)
    span = high - low
    shares = (np.where(unknown, low, values).astype(np.float64) - low) / (span if span > 0 else 1)
    levels = np.rint(np.nan_to_num(shares, nan=0).clip(0, 1) * 255).astype(np.intp)
    colors: NDArray[np.uint8] = colormap()[levels]
    colors[unknown] = UNKNOWN
    return colors


def finite_range(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return the smallest and the largest finite value; zeros if there is none.

    Parameters
    ----------
    values : array
    """
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def clip_value(values: NDArray[np.floating[Any]]) -> float:
    """Return the 99th percentile of the positive finite values; 0 if there is none.

    A color scale that is clipped there shows maps with a few outliers.

    Parameters
    ----------
    values : array
    """
    positive = values[np.isfinite(values) & (values > 0)]
    return float(np.quantile(positive, 0.99)) if positive.size else 0.0
