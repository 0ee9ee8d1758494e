"""Weighted sums of units."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import featviz
from featviz.addressing.address import Unit
from featviz.addressing.combinations import Combination, combine, split_terms, terms
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe
from tests.featviz.toys import toy_vit

FC1 = "blocks.1.mlp.fc1"
SOME = [Unit(FC1, 3), Unit(FC1, 5, 3), Unit("head", 1), Unit("blocks.0.attn.qk", 1, "same")]


@pytest.fixture(scope="module")
def model() -> VisionModel:
    return toy_vit()


def pictures(count: int = 3) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(5))


def test_a_combination_is_the_weighted_sum_of_the_values_also_across_layers(
    model: VisionModel,
) -> None:
    single = featviz.readout(model, SOME)(pictures())
    total = combine(SOME, [1, -0.5, 2.25, 1e-3])
    right = single @ torch.tensor([1, -0.5, 2.25, 1e-3])
    read = featviz.readout(model, [total, SOME[0]])(pictures())
    torch.testing.assert_close(read[:, 0], right, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(read[:, 1], single[:, 0])
    paired = featviz.readout(model, [total] * 3).paired(pictures())
    torch.testing.assert_close(paired, right, rtol=1e-5, atol=1e-6)


def test_a_difference_of_a_unit_with_itself_is_zero(model: VisionModel) -> None:
    nothing = combine([SOME[0], SOME[0]], [1, -1])
    assert featviz.readout(model, [nothing])(pictures()).abs().max() <= 1e-6


def test_sums_of_sums_are_flat() -> None:
    inner = combine(SOME[:2], [2, 3])
    assert terms(combine([inner, SOME[2]], [-1, 1])) == (
        (-2.0, SOME[0]),
        (-3.0, SOME[1]),
        (1.0, SOME[2]),
    )


sizes = st.floats(1e-30, 1e30)
finite = sizes | sizes.map(lambda size: -size)


@given(st.lists(st.tuples(finite, st.sampled_from(SOME)), min_size=1, max_size=4))
def test_the_address_of_a_sum_is_read_back_exactly(parts: list[tuple[float, Unit]]) -> None:
    total = combine([unit for _, unit in parts], [weight for weight, _ in parts])
    if str(total) != str(parts[0][1]):
        assert [(w, Unit.parse(text)) for w, text in split_terms(str(total))] == parts


def test_a_sum_of_a_single_unit_is_the_unit(model: VisionModel) -> None:
    assert combine([SOME[0]]) == SOME[0]
    assert units(model, "head:1", "1~head:1", "1.0~head:1") == [Unit("head", 1)]


def test_a_selector_of_a_sum_gives_the_sum(model: VisionModel) -> None:
    address = f"{FC1}:3+-0.5~{FC1}:5@3+head:1"
    (found,) = units(model, address)
    assert isinstance(found, Combination)
    assert str(found) == address
    assert found == combine(SOME[:3], [1, -0.5, 1])
    assert not any(character in address for character in " *?$&;|<>()'\"\\`!")


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        (f"{FC1}:3+", "is not a sum of units"),
        (f"x~{FC1}:3", "is not a sum of units"),
        (f"{FC1}:0-3+head:1", "selects 4 units"),
        (f"0~{FC1}:3+head:1", "weights must be finite and nonzero"),
        (f"{FC1}:99+head:1", "has units 0-63, not 99"),
    ],
)
def test_a_wrong_sum_is_refused(model: VisionModel, selector: str, said: str) -> None:
    with pytest.raises(FeatvizError, match=said):
        units(model, selector)


@pytest.mark.parametrize("weights", [[1.0], [1, float("nan")], [0, 1], [1, 1e300], [1, -1e-300]])
def test_weights_that_are_zero_or_not_finite_or_missing_are_refused(weights: list[float]) -> None:
    with pytest.raises(FeatvizError, match="weights"):
        combine(SOME[:2], weights)


def test_a_sum_renders_alone_as_in_a_batch_with_a_plain_unit_of_its_sites(
    model: VisionModel,
) -> None:
    chosen = [combine([Unit(FC1, n), Unit("head", 0)], [1, -0.5]) for n in range(3)]
    made = make_recipe(model, steps=5, samples=2)
    together, alone = optimize(model, chosen, made), optimize(model, chosen[1:2], made)
    assert int((together.images[1].int() - alone.images[0].int()).abs().max()) <= 1
