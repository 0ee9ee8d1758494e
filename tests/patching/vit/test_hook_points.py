"""Reading and replacing activations inside attention and MLPs, without side effects."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from timm.layers.attention import AttentionRope
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import INSIDE_ATTENTION, PatchTarget
from patching.vit.hook_points import group_count, hook_point, hooked
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.patching.models import MODELS, cached_run, model_of, targets_of, two_runs, vit


def state(module: nn.Module) -> list[tuple[object, ...]]:
    """All state of a module that a patched run could change."""
    names = ("fused_attn", "qkv_bias_separate", "training")
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    parts: list[tuple[object, ...]] = [
        (path, *(vars(part).get(name) for name in names), *(len(vars(part)[h]) for h in hooks))
        for path, part in module.named_modules()
    ]
    weights = [(path, w.requires_grad, w.grad) for path, w in module.named_parameters()]
    return [*parts, *weights]


class _StopError(Exception):
    pass


@pytest.mark.parametrize("kind", MODELS)
def test_runs_change_no_hook_switch_flag_or_gradient(kind: str) -> None:
    model = copy.deepcopy(model_of(kind))
    model.module.train().requires_grad_(True)
    before = state(model.module)
    found = residual_vit(model)
    assert state(model.module) == before
    patches = [(target,) for target in targets_of(kind)]
    runs = [cached_run(found, seed, patches) for seed in (1, 2)]
    with torch.no_grad():
        patched_logits(found, runs[0], runs[1], patches)
    assert state(model.module) == before
    assert not runs[0].logits.requires_grad


@pytest.mark.parametrize("kind", MODELS)
def test_an_exception_changes_no_state_of_the_module(kind: str) -> None:
    model = model_of(kind)
    before = state(model.module)

    def stop(_value: Tensor) -> Tensor:
        raise _StopError

    for name in (*INSIDE_ATTENTION, "neurons"):
        sublayer = vit(kind).sublayers[PatchTarget(name, 1).sublayer]
        with pytest.raises(_StopError), torch.no_grad(), hooked(sublayer, {name: stop}):
            sublayer.branch(two_runs(kind)[0].streams[0])
        assert state(model.module) == before


def test_a_run_that_fails_halfway_changes_no_state_of_the_module() -> None:
    model = copy.deepcopy(model_of("BEiT"))
    found = residual_vit(model)
    patches = [(target,) for target in targets_of("BEiT")]
    runs = [cached_run(found, seed, patches) for seed in (1, 2)]
    before = state(model.module)
    norm: Any = model.module.get_submodule("blocks.1.norm1")

    def broken(_x: Tensor) -> Tensor:
        raise _StopError

    norm.forward = broken
    with pytest.raises(_StopError), torch.no_grad():
        patched_logits(found, runs[0], runs[1], patches)
    with pytest.raises(_StopError), torch.no_grad():
        run_with_cache(found, runs[0].streams[0], patches)
    assert state(model.module) == before


class Bypassing(nn.Module):
    """Multiplies by the weight of its layer without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.num_heads = 2
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = F.linear(x, self.qkv.weight, self.qkv.bias).chunk(3, -1)
        out: Tensor = self.proj(q * k + v)
        return out


@pytest.fixture
def bypassing() -> ResidualViT:
    template = vit("ViT")
    sublayer = template.sublayers[0]
    core = Bypassing().requires_grad_(False)
    part = type(sublayer)("blocks.0.attn", core, nn.Identity(), True, None, {})
    return ResidualViT(template.model, [part, template.sublayers[1]], 4, 4, None)


def test_an_activation_that_is_never_computed_is_refused_by_name(bypassing: ResidualViT) -> None:
    message = r"blocks\.0\.attn \(Bypassing\) does not expose its v"
    with pytest.raises(FeatvizError, match=message), torch.no_grad():
        run_with_cache(bypassing, torch.zeros(1, 4, 8), [(PatchTarget("v", 0),)])
    with pytest.raises(FeatvizError, match=r"\(Bypassing\) has no pattern"):
        hook_point(bypassing.sublayers[0], "pattern")


def test_attention_without_heads_and_mlps_without_neurons_are_refused_by_name() -> None:
    template = vit("ViT").sublayers[0]
    plain = type(template)("blocks.0.attn", nn.Linear(8, 8), nn.Identity(), True, None, {})
    with pytest.raises(
        FeatvizError, match=r"blocks\.0\.attn \(Linear\) has no heads, and therefore no z"
    ):
        hook_point(plain, "z")
    with pytest.raises(FeatvizError, match=r"blocks\.0\.attn \(Linear\) has no neurons"):
        hook_point(plain, "neurons")


@pytest.mark.parametrize("kind", ["EVA", "BEiT"])
def test_biases_outside_the_layer_are_part_of_queries_and_values(kind: str) -> None:
    attention: Any = model_of(kind).module.get_submodule("blocks.1.attn")
    assert attention.q_bias.abs().max() > 0.1
    base, _ = two_runs(kind)
    sublayer = vit(kind).sublayers[2]
    read = sublayer.read(base.streams[2])
    rows = F.linear(read, attention.qkv.weight).chunk(3, -1)
    for name, row, bias in zip("qv", rows[::2], (attention.q_bias, attention.v_bias), strict=True):
        right = (row + bias).unflatten(-1, (attention.num_heads, -1))
        torch.testing.assert_close(base.values[name, 1], right, rtol=0, atol=1e-12)


def test_neurons_of_gated_mlps_are_the_product_of_gate_and_value() -> None:
    base, _ = two_runs("EVA")
    sublayer = vit("EVA").sublayers[3]
    mlp: Any = model_of("EVA").module.get_submodule("blocks.1.mlp")
    gate, value = mlp.fc1(sublayer.read(base.streams[3])).chunk(2, -1)
    right = gate * torch.sigmoid(gate) * value
    torch.testing.assert_close(base.values["neurons", 1][..., 0], right, rtol=0, atol=1e-12)


def test_keys_and_values_that_heads_share_are_counted_once() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        core = AttentionRope(24, 6, qkv_fused=False, num_kv_heads=2).double().eval()
    core.requires_grad_(False)
    sublayer = type(vit("ViT").sublayers[0])("blocks.0.attn", core, nn.Identity(), True, None, {})
    found: dict[str, Tensor] = {}

    def keep(name: str, value: Tensor) -> Tensor:
        found[name] = value
        return value

    x = torch.rand(2, 5, 24, dtype=torch.float64)
    right = core(x)
    changes = {name: (lambda value, name=name: keep(name, value)) for name in INSIDE_ATTENTION}
    with hooked(sublayer, changes):
        torch.testing.assert_close(sublayer.branch(x), right)
    assert {name: value.shape[2] for name, value in found.items()} == {
        name: group_count(sublayer, name) for name in INSIDE_ATTENTION
    }
    assert group_count(sublayer, "v") == 2
    assert group_count(sublayer, "q") == 6


def test_toys_of_double_precision_are_vision_models_too() -> None:
    model = model_of("ViT")
    assert isinstance(model, VisionModel)
    assert next(model.module.parameters()).dtype == torch.float64
    assert vit("ViT").embed(torch.rand(1, 3, 64, 64)).dtype == torch.float64
