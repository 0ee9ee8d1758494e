"""Colors against the definition of luminance."""

from __future__ import annotations

import colorsys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from featviz.cueworld.colors import rgb_of_hue

SHARE = st.floats(0, 1)


def column(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@given(hue=SHARE, luma=SHARE, gray=SHARE)
def test_a_color_has_exactly_the_given_luminance(hue: float, luma: float, gray: float) -> None:
    red, green, blue = rgb_of_hue(column(hue), column(luma), column(gray))[0].tolist()
    assert 0.299 * red + 0.587 * green + 0.114 * blue == pytest.approx(luma, abs=1e-12)
    assert min(red, green, blue) >= 0
    assert max(red, green, blue) <= 1


@given(hue=st.floats(0, 0.999), luma=st.floats(0.05, 0.95))
def test_a_color_has_the_given_hue(hue: float, luma: float) -> None:
    found, _, _ = colorsys.rgb_to_hsv(*rgb_of_hue(column(hue), column(luma))[0].tolist())
    assert abs((found - hue + 0.5) % 1 - 0.5) < 1e-9


@given(hue=SHARE, luma=st.floats(0.05, 0.95))
def test_a_color_is_as_saturated_as_its_luminance_allows(hue: float, luma: float) -> None:
    rgb = rgb_of_hue(column(hue), column(luma))[0]
    assert rgb.min() < 1e-9 or rgb.max() > 1 - 1e-9


def test_a_color_mixed_with_all_gray_is_gray() -> None:
    gray = rgb_of_hue(torch.tensor([0.3]), torch.tensor([0.6]), torch.tensor([1.0]))
    torch.testing.assert_close(gray, torch.full((1, 3), 0.6))
