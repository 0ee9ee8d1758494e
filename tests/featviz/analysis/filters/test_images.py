from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import featviz
from featviz.analysis.filters.classes import CLASSES
from featviz.analysis.filters.filters import Filters, filters
from featviz.analysis.filters.images import contact_sheet, pictures


def test_the_scale_of_an_image_calculated_by_hand() -> None:
    weights = np.array([[[[2.0, 0.0]], [[-4.0, 1.0]], [[4.0, -2.0]]]])
    # Relative to 4, the largest: a half, minus one and one; and 0, a quarter and minus a half.
    assert pictures(weights)[0, 0].tolist() == [[191, 0, 255], [128, 159, 64]]


def test_a_filter_of_zeros_is_gray() -> None:
    assert (pictures(np.zeros((2, 3, 4, 4))) == 128).all()


@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-12, 1e12))
def test_weights_can_be_recovered_from_an_image_to_half_a_level(seed: int, scale: float) -> None:
    weights = scale * np.random.default_rng(seed).standard_normal((3, 3, 4, 5))
    largest = np.abs(weights).max((1, 2, 3), keepdims=True)
    read = (pictures(weights).transpose(0, 3, 1, 2) - 127.5) / 127.5 * largest
    assert (np.abs(read - weights) <= 0.5 / 127.5 * largest * (1 + 1e-9)).all()


@pytest.fixture(scope="module")
def resnet() -> Filters:
    return filters(featviz.load("cueworld/resnet", device="cpu"))


def test_a_contact_sheet_shows_every_filter_once_by_class_in_display_order(resnet: Filters) -> None:
    sheet = contact_sheet(resnet)
    # 7 pixels, ten times enlarged, and a gap of 4.
    assert sheet.shape[1] == 16 * 74
    assert sheet.dtype == np.uint8
    shown, top = [], 0
    for name in CLASSES:
        count = resnet.counts[name]
        top += 20 if count else 0
        for place in range(count):
            y, x = top + place // 16 * 74, place % 16 * 74
            picture = sheet[y : y + 70 : 10, x : x + 70 : 10]
            (found,) = np.flatnonzero((resnet.images == picture).all((1, 2, 3)))
            assert resnet.classes[found] == name
            shown.append((CLASSES.index(name), resnet.order[found]))
        top += -(-count // 16) * 74
    assert sheet.shape[0] == top
    assert shown == sorted(shown)
    assert len(shown) == 64
