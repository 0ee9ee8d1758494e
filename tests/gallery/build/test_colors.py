from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gallery.build.colors import UNKNOWN, clip_value, colormap, finite_range, heat_map


def oklab(colors: NDArray[np.uint8]) -> NDArray[np.float64]:
    """sRGB to Oklab, shape (N, 3), by the forward matrices; the colormap uses their inverses.

    Source: Ottosson, "A perceptual color space for image processing", 2020.
    """
    shares = colors / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    return np.asarray(
        np.cbrt(cones)
        @ np.array(
            [
                [0.2104542553, 1.9779984951, 0.0259040371],
                [0.7936177850, -2.4285922050, 0.7827717662],
                [-0.0040720468, 0.4505937099, -0.8086757660],
            ]
        )
    )


def test_lightness_rises_evenly_along_the_colormap() -> None:
    lightness = oklab(colormap())[:, 0]
    # Rounding to 8 bits changes the lightness by up to 0.006 in dark colors.
    assert np.abs(lightness - np.linspace(0.2, 0.95, 256)).max() < 0.006
    assert (np.diff(lightness[::4]) > 0).all()


def test_steps_of_the_colormap_are_perceptually_similar() -> None:
    steps = np.linalg.norm(np.diff(oklab(colormap())[::8], axis=0), axis=1)
    assert steps.max() < 2 * np.median(steps)


def test_no_color_of_the_colormap_is_close_to_that_of_nan() -> None:
    assert np.abs(colormap().astype(int) - UNKNOWN).sum(axis=1).min() > 40


@given(st.lists(st.floats(-2, 3), min_size=1), st.sampled_from([(0.0, 1.0), (-1.0, 2.5)]))
def test_a_value_has_the_color_of_its_position_in_the_range(
    values: list[float], ends: tuple[float, float]
) -> None:
    low, high = ends
    levels = [round(255 * min(max((v - low) / (high - low), 0), 1)) for v in values]
    assert heat_map(np.array(values), low, high).tolist() == colormap()[levels].tolist()


def test_nan_is_gray_and_infinities_get_the_colors_of_the_ends() -> None:
    colors = heat_map(np.array([[np.nan, np.inf, -np.inf]], np.float32), 0, 1)
    assert colors.tolist() == [[list(UNKNOWN), colormap()[255].tolist(), colormap()[0].tolist()]]


def test_equal_ends_give_the_darkest_color() -> None:
    assert (heat_map(np.full((2, 3), 7.0), 7.0, 7.0) == colormap()[0]).all()


@pytest.mark.parametrize(
    ("values", "ends"),
    [([1.0, np.nan, -2.0, np.inf], (-2.0, 1.0)), ([np.nan], (0.0, 0.0)), ([], (0.0, 0.0))],
)
def test_the_range_is_that_of_the_finite_values(
    values: list[float], ends: tuple[float, float]
) -> None:
    assert finite_range(np.array(values)) == ends


def test_one_percent_of_the_positive_values_are_above_the_clip_value() -> None:
    values = np.concatenate([np.zeros(10_000), np.arange(1, 201), [np.nan, np.inf, -5]])
    assert (values[:-3] > clip_value(values)).sum() == 2
    assert clip_value(np.zeros(3)) == 0
    assert clip_value(np.array([0, 7.0])) == 7
