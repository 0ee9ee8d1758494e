from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from featviz.optimization.objectives import similarity, total_variation
from tests.oracles import objectives as oracle

# Units, samples, tokens, channels: samples * tokens below, at and above the number of channels,
# which decides between two formulas.
SHAPES = [(2, 3, 2, 16), (2, 3, 4, 12), (2, 3, 9, 5), (1, 2, 1, 30), (3, 4, 1, 3)]
BOTH_FORMULAS = pytest.mark.parametrize("shape", [(1, 3, 2, 16), (1, 3, 9, 5)])


def features(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", SHAPES)
def test_similarity_is_the_mean_over_pairs_of_gram_cosines(shape: tuple[int, ...]) -> None:
    some = features(shape)
    expected = [oracle.mean_gram_cosine(unit.double().numpy()) for unit in some]
    np.testing.assert_allclose(similarity(some).numpy(), expected, rtol=1e-5, atol=1e-6)


@given(st.integers(1, 3), st.integers(2, 4), st.integers(1, 6), st.integers(1, 12), st.integers())
def test_similarity_is_in_0_1_and_invariant_to_the_order_of_tokens_and_samples(
    units: int, samples: int, tokens: int, channels: int, seed: int
) -> None:
    some = features((units, samples, tokens, channels), seed % 2**32)
    found = similarity(some)
    assert found.shape == (units,)
    assert (found > -1e-5).all()
    assert (found < 1 + 1e-5).all()
    torch.testing.assert_close(similarity(some.flip(2)), found, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(similarity(some.flip(1)), found, rtol=1e-4, atol=1e-5)


@BOTH_FORMULAS
def test_the_similarity_of_a_unit_does_not_depend_on_other_units(shape: tuple[int, ...]) -> None:
    before = torch.cat([features(shape, seed) for seed in range(4)])
    after = before.clone()
    after[2] = 100 * features(shape[1:], 9)
    others = [0, 1, 3]
    torch.testing.assert_close(
        similarity(after)[others], similarity(before)[others], rtol=0, atol=1e-7
    )
    assert similarity(after)[2] != similarity(before)[2]


@BOTH_FORMULAS
def test_the_gradient_of_a_units_similarity_is_zero_for_other_units(shape: tuple[int, ...]) -> None:
    some = torch.cat([features(shape, seed) for seed in range(3)]).requires_grad_()
    (gradient,) = torch.autograd.grad(similarity(some)[1], some)
    assert not gradient[[0, 2]].any()
    assert gradient[1].any()


@BOTH_FORMULAS
def test_equal_samples_have_similarity_1(shape: tuple[int, ...]) -> None:
    one = features((1, 1, *shape[2:]))
    found = similarity(one.expand(shape))
    torch.testing.assert_close(found, torch.ones(1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("tokens", [1, 5])
def test_samples_with_disjoint_channels_have_similarity_0(tokens: int) -> None:
    some = torch.zeros(1, 3, tokens, 6)
    for sample in range(3):
        some[0, sample, :, 2 * sample : 2 * sample + 2] = features((tokens, 2), sample)
    torch.testing.assert_close(similarity(some), torch.zeros(1), rtol=0, atol=1e-6)


def test_similarity_averages_over_ordered_pairs() -> None:
    """Of four samples, two use one channel and two another: 4 of 12 ordered pairs agree."""
    some = torch.zeros(1, 4, 3, 2)
    some[0, :2, :, 0] = 1
    some[0, 2:, :, 1] = 5
    assert similarity(some).item() == pytest.approx(4 / 12)


@BOTH_FORMULAS
@pytest.mark.parametrize("factor", [1e-4, 0.1, 1e3])
def test_similarity_is_invariant_to_the_scale_of_the_features(
    shape: tuple[int, ...], factor: float
) -> None:
    some = features(shape)
    scaled = some.clone()
    scaled[:, 1] *= factor
    torch.testing.assert_close(similarity(scaled), similarity(some), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(similarity(some * factor), similarity(some), rtol=1e-4, atol=1e-6)


@BOTH_FORMULAS
@pytest.mark.parametrize("zero", [[0], [0, 1, 2]])
def test_the_gradient_is_finite_for_zero_features(shape: tuple[int, ...], zero: list[int]) -> None:
    some = features(shape)
    some[:, zero] = 0
    some.requires_grad_()
    value = similarity(some).sum()
    (gradient,) = torch.autograd.grad(value, some)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_a_single_sample_has_similarity_0() -> None:
    assert torch.equal(similarity(features((3, 1, 4, 5))), torch.zeros(3))


@BOTH_FORMULAS
def test_the_gradient_of_similarity_agrees_with_finite_differences(shape: tuple[int, ...]) -> None:
    some = features(shape).double().requires_grad_()
    assert torch.autograd.gradcheck(similarity, some)


def test_total_variation_is_the_mean_absolute_difference_of_adjacent_pixels() -> None:
    images = torch.rand(3, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = [oracle.total_variation(image.double().numpy()) for image in images]
    np.testing.assert_allclose(total_variation(images).numpy(), expected, rtol=1e-5)


def test_total_variation_is_0_for_a_constant_image_and_2_for_a_checkerboard() -> None:
    flat = torch.full((1, 3, 6, 6), 0.3)
    board = (torch.arange(6)[:, None] + torch.arange(6)).remainder(2).expand(1, 3, 6, 6).float()
    assert total_variation(flat).item() == 0
    assert total_variation(board).item() == 2
