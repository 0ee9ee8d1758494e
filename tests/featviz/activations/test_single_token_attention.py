from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from timm.models.vision_transformer import (
    Block,
    ParallelScalingBlock,
    VisionTransformer,
)
from torch import Tensor, nn

import featviz
from featviz.activations.readout import Readout
from featviz.activations.single_token_attention import at_tokens, is_narrow
from featviz.addressing.combinations import combine
from featviz.addressing.tokens import Token
from featviz.models.hooks import eval_mode
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe
from featviz.rendering.batches import split

PLACES: tuple[Token, ...] = ("cls", 3, 16, 5)
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no bias": {"qkv_bias": False},
    "norms": {"qk_norm": True, "init_values": 0.3, "scale_attn_norm": True},
    "registers": {"reg_tokens": 4},
    "few tokens": {"img_size": 32},
}


def made(**settings: Any) -> featviz.VisionModel:
    generator = torch.Generator().manual_seed(0)
    given = {"img_size": 64, "embed_dim": 24, "depth": 3, "num_heads": 3, **settings}
    module = VisionTransformer(patch_size=16, **given).double().eval()
    for weight in module.parameters():
        weight.data += 0.2 * torch.randn(weight.shape, generator=generator)
    ones = (1.0, 1.0, 1.0)
    return featviz.VisionModel("toy", module, given["img_size"], (0.5, 0.5, 0.5), ones)


def neurons(block: int) -> list[featviz.Unit]:
    site = f"blocks.{block}.mlp.fc1"
    return [featviz.Unit(site, number, token) for number, token in enumerate(PLACES)]


def read(model: featviz.VisionModel, units: list[featviz.Unit]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    shape = (len(units), 3, model.image_size, model.image_size)
    images = torch.rand(shape, generator=generator, dtype=torch.float64).requires_grad_()
    with eval_mode(model.module):
        values = Readout(model, units).read_pairs(images).values
        (gradient,) = torch.autograd.grad(values.sum(), images)
    return [values.detach(), gradient]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [0, 2])
def test_values_and_gradients_are_those_of_the_whole_block(kind: str, block: int) -> None:
    model = made(**KINDS[kind])
    units = [unit for unit in neurons(block) if unit.token in ("cls", 3)]
    assert all(is_narrow(model, unit) for unit in units)
    whole = read(model, units)
    with at_tokens(model, units):
        few = read(model, units)
    for one, other in zip(few, whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_eight_tokens_ask_and_afterwards_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    model, units = made(), neurons(1)
    asking: list[int] = []
    softmax = Tensor.softmax

    def counting(self: Tensor, dim: int) -> Tensor:
        asking.append(self.shape[2])
        return softmax(self, dim)

    assert "blocks.1.mlp.fc1" in model.sites  # found by a pass of its own
    for block in range(2):
        vars(model.module.get_submodule(f"blocks.{block}.attn"))["fused_attn"] = False
    monkeypatch.setattr(Tensor, "softmax", counting)
    with at_tokens(model, units):
        read(model, units)
    read(model, units)
    assert asking == [17, 8, 17, 17]


@pytest.mark.parametrize("part", ["attn.proj", "norm2", "mlp.act"])
def test_a_hook_may_want_all_tokens(part: str) -> None:
    model = made()
    hook = model.module.get_submodule(f"blocks.1.{part}").register_forward_hook(lambda *_: None)
    assert not is_narrow(model, neurons(1)[0])
    hook.remove()
    assert is_narrow(model, neurons(1)[0])


def test_what_is_masked_is_computed_whole() -> None:
    model, units = made(), neurons(1)
    attention = model.module.get_submodule("blocks.1.attn")
    tokens = torch.ones(len(units), 17, 24, dtype=torch.float64).cumsum(1)
    mask = torch.ones(17, 17, dtype=torch.bool).tril()
    expected = attention(tokens, attn_mask=mask)
    with at_tokens(model, units):
        assert torch.equal(attention(tokens, attn_mask=mask), expected)


@pytest.mark.parametrize(
    "address",
    [
        "blocks.1.mlp.fc1:2",  # a mean over patches
        "blocks.1.mlp.fc2:2@3",
        "blocks.1.attn.qkv:2@3",
        "blocks.1.attn.qk:2@q3.k4",
        "patch_embed:2@3",
    ],
)
def test_other_units_need_all_tokens(address: str) -> None:
    model = made()
    (unit,) = featviz.units(model, address)
    assert not is_narrow(model, unit)
    with at_tokens(model, [*neurons(1), unit]):
        assert all("forward" not in vars(part) for part in model.module.modules())


class _OwnBlock(Block):
    pass


def _with_own_forward(attention: Any) -> None:
    attention.forward = type(attention).forward.__get__(attention)


def _with_gate(attention: Any) -> None:
    attention.gate = nn.Linear(24, 24).double()


@pytest.mark.parametrize("change", [_with_own_forward, _with_gate])
def test_an_attention_that_may_do_something_else_is_left_alone(
    change: Callable[[Any], None],
) -> None:
    model = made()
    change(model.module.get_submodule("blocks.1.attn"))
    assert not is_narrow(model, neurons(1)[0])
    assert is_narrow(model, neurons(0)[0])


@pytest.mark.parametrize("block_fn", [_OwnBlock, ParallelScalingBlock])
def test_blocks_of_another_class_are_left_alone(block_fn: type[nn.Module]) -> None:
    model = made(block_fn=block_fn)
    names = [name for name in model.sites if name.endswith("mlp.fc1")]
    assert not any(is_narrow(model, featviz.Unit(name, 0, 3)) for name in names)


def test_sums_of_units_are_left_alone() -> None:
    model = made()
    assert not is_narrow(model, combine(neurons(1)[:2]))


def test_units_at_a_token_and_means_over_patches_are_in_different_batches() -> None:
    model = made()
    site = "blocks.1.mlp.fc1"
    means = [featviz.Unit(site, number) for number in range(2)]
    assert split(model, [means[0], *neurons(1), means[1]], 8) == [means, neurons(1)]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_picture_is_the_same_bit_for_bit_alone_and_beside_others(precision: str) -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    made_so = replace(make_recipe(model, steps=3), precision=precision)
    units = [featviz.Unit("blocks.2.mlp.fc1", n, PLACES[n % 4]) for n in range(12)]
    together = optimize(model, units, made_so)
    for number in (0, 7):
        alone = optimize(model, [units[number]], made_so)
        assert torch.equal(alone.trajectory[0], together.trajectory[number])
        assert torch.equal(alone.images[0], together.images[number])
