"""Direct contributions sum to the logits; direct effects of patches against total ones."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from timm.layers.mlp import SwiGLU
from timm.layers.norm import RmsNorm
from torch import Tensor

from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.attribution.direct_logit_attribution import contributions, path_effects
from patching.forward.cache import ActivationCache, run_with_cache
from patching.interventions.patch_targets import PatchTarget
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.featviz.models.attention_models import EVERY, attention_model
from tests.patching.linear_toy import linear_model

HALF = (0.5, 0.5, 0.5)
LABELS = torch.tensor([1, 3, 0])


def images(model: VisionModel, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 3, model.image_size, model.image_size, generator=generator)


def start_of(vit: ResidualViT, seed: int = 1) -> Tensor:
    with torch.no_grad():
        return vit.embed(images(vit.model, seed))


def two_runs(
    vit: ResidualViT, targets: list[PatchTarget]
) -> tuple[ActivationCache, ActivationCache]:
    wanted = [(target,) for target in targets]
    with torch.no_grad():
        base, donor = (run_with_cache(vit, start_of(vit, seed), wanted) for seed in (1, 2))
    return base, donor


def tiny(**options: Any) -> VisionModel:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        module = timm.models.VisionTransformer(
            32, 16, embed_dim=16, depth=2, num_heads=4, mlp_ratio=2, num_classes=5, **options
        )
        with torch.no_grad():
            for weight in module.parameters():
                weight.add_(torch.randn_like(weight) * 0.3)
    module.eval().requires_grad_(False)
    return VisionModel("tiny", module, 32, HALF, HALF)


def logit(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(-1, labels[:, None])[:, 0]


OPTIONS: list[dict[str, Any]] = [
    {"global_pool": "avg"},
    {"global_pool": "avg", "fc_norm": False},
    {"global_pool": "avg", "pool_include_prefix": True},
    {"global_pool": "max"},
    {"global_pool": "avgmax"},
    {"init_values": 0.3},
    {"reg_tokens": 2},
    {"pre_norm": True},
    {"block_fn": timm.models.vision_transformer.ResPostBlock},
    {"norm_layer": RmsNorm},
    {"scale_attn_norm": True, "scale_mlp_norm": True},
    {"mlp_layer": SwiGLU},
    {"proj_bias": False},
]


@pytest.mark.parametrize("kind", EVERY)
def test_contributions_sum_to_the_logits_of_every_model(kind: str) -> None:
    vit = residual_vit(attention_model(kind))
    start = start_of(vit)
    with torch.no_grad():
        logits = run_with_cache(vit, start).logits
    found = contributions(vit, start, torch.eye(18, logits.shape[1]))
    error = (found.total - logits[:, :18]).abs().max()
    assert error < 1e-4 * logits.abs().max()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_contributions_sum_to_the_logits_whatever_the_form(options: dict[str, Any]) -> None:
    vit = residual_vit(tiny(**options))
    start = start_of(vit)
    with torch.no_grad():
        logits = run_with_cache(vit, start).logits
    found = contributions(vit, start)
    torch.testing.assert_close(found.total, logits, rtol=1e-4, atol=1e-4)
    assert [part.shape for part in found.heads] == [(3, 5, 4)] * 2
    assert [part.shape[:2] for part in found.neurons] == [(3, 5)] * 2


def test_pooling_by_attention_is_refused() -> None:
    vit = residual_vit(tiny(global_pool="map", class_token=False))
    with pytest.raises(FeatvizError, match="the logits of tiny are no weighted sum"):
        contributions(vit, start_of(vit))


def test_the_contribution_of_a_head_and_a_neuron_is_what_they_write_times_what_is_read() -> None:
    vit = residual_vit(tiny())
    module: Any = vit.model.module
    start = start_of(vit)
    base, _ = two_runs(vit, [PatchTarget("z", 1), PatchTarget("neurons", 0)])
    end = base.streams[-1][:, 0]
    spread = (end.var(-1, correction=0) + module.norm.eps).sqrt()
    block = module.blocks[1].attn.proj.weight[:, 8:12], module.blocks[0].mlp.fc2.weight[:, 5]
    written = (
        base.values["z", 1][:, 0, 2] @ block[0].T,
        base.values["neurons", 0][:, 0, 5] * block[1],
    )
    found = contributions(vit, start)
    for wrote, contribution in zip(
        written, (found.heads[1][..., 2], found.neurons[0][..., 5]), strict=True
    ):
        centered = wrote - wrote.mean(-1, keepdim=True)
        read = (centered / spread[:, None] * module.norm.weight) @ module.head.weight.T
        torch.testing.assert_close(contribution, read, rtol=1e-4, atol=1e-6)


def test_the_bias_after_heads_and_neurons_contributes_on_its_own() -> None:
    vit = residual_vit(tiny(norm_layer=torch.nn.Identity))
    module: Any = vit.model.module
    found = contributions(vit, start_of(vit))
    for biases, layers in (
        (found.attn_bias, [block.attn.proj for block in module.blocks]),
        (found.mlp_bias, [block.mlp.fc2 for block in module.blocks]),
    ):
        for bias, layer in zip(biases, layers, strict=True):
            torch.testing.assert_close(bias, (module.head.weight @ layer.bias).expand(3, -1))
    torch.testing.assert_close(found.constant, module.head.bias.expand(3, -1))


def test_a_direction_is_a_weighted_sum_of_logits_and_may_differ_between_images() -> None:
    vit = residual_vit(tiny())
    start = start_of(vit)
    each = contributions(vit, start)
    ways = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
    found = contributions(vit, start, ways)
    for one, whole in zip(
        [*found.heads, *found.neurons], [*each.heads, *each.neurons], strict=True
    ):
        torch.testing.assert_close(one, torch.einsum("ndk,nkg->ndg", ways, whole))
    torch.testing.assert_close(found.start, torch.einsum("ndk,nk->nd", ways, each.start))


def test_taking_logits_apart_leaves_the_model_as_found() -> None:
    vit = residual_vit(tiny())
    contributions(vit, start_of(vit))
    modules = list(vit.model.module.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in modules)
    assert all(weight.grad is None for weight in vit.model.module.parameters())


LAST = [
    PatchTarget("neurons", 1, None, (3,)),
    PatchTarget("neurons", 1, (0,)),
    PatchTarget("mlp_out", 1),
]
EARLIER = [
    *(PatchTarget("z", layer, None, (head,)) for layer in range(2) for head in range(3)),
    *(
        PatchTarget(kind, 0)
        for kind in ("q", "pattern", "attn_out", "mlp_out", "resid_pre", "resid_mid")
    ),
    PatchTarget("neurons", 0, None, (1, 2)),
]


@pytest.mark.parametrize("kind", ["ViT", "DeiT distilled"])
def test_direct_and_total_effects_are_equal_in_the_last_half_and_nowhere_else(kind: str) -> None:
    vit = residual_vit(attention_model(kind))
    base, donor = two_runs(vit, [*LAST, *EARLIER])
    found = path_effects(vit, base, donor, [*LAST, *EARLIER], logit, LABELS)
    scale = found.total.abs().max().item()
    last, earlier = found.indirect[: len(LAST)], found.indirect[len(LAST) :]
    assert found.total[: len(LAST)].abs().amax(1).min() > 1e-4
    assert last.abs().max() < 1e-5 * scale
    assert earlier.abs().amax(1).min() > 1e-4


def test_the_direct_effect_of_a_head_freezes_what_later_layers_add() -> None:
    vit = residual_vit(tiny())
    target = PatchTarget("z", 0, None, (2,))
    base, donor = two_runs(vit, [target])
    module: Any = vit.model.module
    weight = module.blocks[0].attn.proj.weight[:, 8:12]
    moved = (donor.values["z", 0] - base.values["z", 0])[:, :, 2] @ weight.T
    with torch.no_grad():
        after = logit(vit.finish(base.streams[-1] + moved), LABELS)
    [direct] = path_effects(vit, base, donor, [target], logit, LABELS).direct
    torch.testing.assert_close(direct, after - logit(base.logits, LABELS))


def test_direct_effects_of_a_linear_network_are_differences_of_contributions() -> None:
    vit = residual_vit(linear_model())
    heads = [PatchTarget("z", layer, None, (head,)) for layer in range(3) for head in range(2)]
    base, donor = two_runs(vit, heads)
    found = path_effects(vit, base, donor, heads, logit, LABELS)
    ways = torch.eye(5)[LABELS][:, None]
    own, other = (contributions(vit, each.streams[0], ways) for each in (base, donor))
    difference = torch.cat(
        [b[:, 0].T - a[:, 0].T for a, b in zip(own.heads, other.heads, strict=True)]
    )
    torch.testing.assert_close(found.direct, difference, rtol=1e-4, atol=1e-6)


def test_the_table_averages_over_images() -> None:
    vit = residual_vit(tiny())
    heads = [PatchTarget("z", layer, None, (head,)) for layer in range(2) for head in range(4)]
    base, donor = two_runs(vit, heads)
    found = path_effects(vit, base, donor, heads, logit, LABELS)
    rows = found.table()
    assert [row[0] for row in rows] == heads
    for number, (_, direct, total) in enumerate(rows):
        assert direct == pytest.approx(sum(found.direct[number].tolist()) / 3, rel=1e-5, abs=1e-7)
        assert total == pytest.approx(sum(found.total[number].tolist()) / 3, rel=1e-5, abs=1e-7)
