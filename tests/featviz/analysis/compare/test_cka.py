from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from featviz.analysis.compare import cka
from featviz.analysis.compare.cka import cka_matrix, linear_cka
from featviz.errors import FeatvizError
from tests.oracles.hsic import debiased_cka, plain_cka


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def rotation(size: int) -> Tensor:
    turned: Tensor = torch.linalg.qr(gaussian(size, size, seed=9)).Q
    return turned


@pytest.mark.parametrize("images", [4, 5, 8])
def test_it_is_the_average_over_four_different_images(images: int) -> None:
    x, y = gaussian(images, 3), gaussian(images, 5, seed=1)
    y[:, :3] += x
    expected = debiased_cka((x + 1).numpy(), (y - 2).numpy())
    assert linear_cka(x + 1, y - 2) == pytest.approx(expected, rel=1e-9)


def test_a_rotated_shifted_and_scaled_layer_is_the_same_layer() -> None:
    x = gaussian(20, 6)
    assert linear_cka(x, 1e-6 * (x @ rotation(6)) + 3) == pytest.approx(1, abs=1e-9)
    assert linear_cka(x, -1e9 * x) == pytest.approx(1, abs=1e-12)


def test_a_stretched_layer_is_not_the_same() -> None:
    x = gaussian(50, 4)
    assert linear_cka(x, x * torch.tensor([1, 2, 4, 8.0])) < 0.9


@given(seed=st.integers(0, 1000), images=st.integers(4, 12), width=st.integers(1, 5))
def test_it_is_symmetric_and_ignores_rotation_and_scale_of_either(
    seed: int, images: int, width: int
) -> None:
    x, y = gaussian(images, width, seed=seed), gaussian(images, 3, seed=seed + 1)
    value = linear_cka(x, y)
    assert -1 <= value <= 1
    assert linear_cka(y, x) == pytest.approx(value, abs=1e-9)
    assert linear_cka(x @ rotation(width), 7 * y) == pytest.approx(value, abs=1e-9)


def test_independent_layers_are_unlike_however_few_the_images() -> None:
    pairs = [(gaussian(30, 60, seed=2 * i), gaussian(30, 60, seed=2 * i + 1)) for i in range(40)]
    values = torch.tensor([linear_cka(x, y) for x, y in pairs])
    error = values.std() / len(values) ** 0.5
    assert values.mean().abs() < 3 * error
    assert error < 0.01
    # The plain estimator takes them for alike, for want of images.
    assert min(plain_cka(x.numpy(), y.numpy()) for x, y in pairs) > 0.6


def test_with_many_images_it_is_the_plain_estimate() -> None:
    x = gaussian(2000, 4)
    y = x @ gaussian(4, 3, seed=1) + gaussian(2000, 3, seed=2)
    assert linear_cka(x, y) == pytest.approx(plain_cka(x.numpy(), y.numpy()), abs=2e-3)


def test_the_share_of_common_units_is_the_likeness() -> None:
    # White layers of 8 units of which 4 are common: |X'Y|^2 is 4, |X'X|^2 and |Y'Y|^2 are 8.
    units = gaussian(5000, 12)
    assert linear_cka(units[:, :8], units[:, 4:]) == pytest.approx(0.5, abs=0.02)


def test_a_matrix_holds_the_value_of_every_pair_whatever_its_rows_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    xs = [gaussian(11, 3), gaussian(11, 7, seed=1)]
    ys = [gaussian(11, 2, seed=2), gaussian(11, 5, seed=3), xs[0].float()]
    whole = cka_matrix(xs, ys)
    single = [[linear_cka(x, y) for y in ys] for x in xs]
    assert np.allclose(whole, single, atol=1e-12)
    monkeypatch.setattr(cka, "_NUMBERS", 4 * 11 * 5)
    assert np.allclose(cka_matrix(xs, ys), whole, atol=1e-12)


def test_a_layer_that_makes_the_same_of_every_image_is_like_none() -> None:
    constant = torch.full((9, 3), 0.1)
    assert linear_cka(constant, gaussian(9, 3)) == 0
    assert linear_cka(constant, constant) == 0


def test_too_few_images_and_unlike_counts_are_refused() -> None:
    with pytest.raises(FeatvizError, match="at least 4 images, not 3"):
        linear_cka(gaussian(3, 2), gaussian(3, 2))
    with pytest.raises(FeatvizError, match=r"\(5, 2\), \(6, 2\)"):
        linear_cka(gaussian(5, 2), gaussian(6, 2))
    with pytest.raises(FeatvizError, match=r"\(5, 2, 2\)"):
        linear_cka(gaussian(5, 2, 2), gaussian(5, 2))
