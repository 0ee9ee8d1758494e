"""Frozen norms are affine, so that effects add up."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from timm.layers.norm import RmsNorm
from torch import Tensor, nn

from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import ActivationCache, run_with_cache
from patching.forward.stream_norms import frozen_norms, norm_inputs, norms_of
from patching.interventions.patch_targets import PatchTarget
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.featviz.models.attention_models import EVERY, TRAINED, attention_model

HALF = (0.5, 0.5, 0.5)
HEADS = [PatchTarget("z", 0, None, (head,)) for head in range(4)]
NEURONS = [PatchTarget("neurons", 0, None, (number,)) for number in range(32)]


def one_block(**options: Any) -> VisionModel:
    """A block of attention and MLP, whose gains and biases are random as well."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        module = timm.models.VisionTransformer(
            32, 16, embed_dim=16, depth=1, num_heads=4, mlp_ratio=2, num_classes=5, **options
        )
        with torch.no_grad():
            for weight in module.parameters():
                weight.add_(torch.randn_like(weight) * 0.5)
    module.eval().requires_grad_(False)
    return VisionModel("one block", module, 32, HALF, HALF)


def images(model: VisionModel, count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, model.image_size, model.image_size, generator=generator)


def two_runs(
    vit: ResidualViT, targets: list[PatchTarget]
) -> tuple[ActivationCache, ActivationCache]:
    with torch.no_grad():
        base, donor = (
            run_with_cache(
                vit, vit.embed(images(vit.model, 2, seed)), [(target,) for target in targets]
            )
            for seed in (1, 2)
        )
    return base, donor


def hooks(module: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


def gap(
    vit: ResidualViT, base: ActivationCache, donor: ActivationCache, targets: list[PatchTarget]
) -> tuple[Tensor, Tensor]:
    """Error of the sum of single effects on the logits, and the joint effect."""
    whole = PatchTarget(
        targets[0].kind, 0, None, tuple(n for target in targets for n in target.groups or ())
    )
    with torch.no_grad():
        logits = patched_logits(vit, base, donor, [(target,) for target in targets] + [(whole,)])
    effects = logits - base.logits
    return (effects[:-1].sum(0) - effects[-1]).abs().max(), effects[-1].abs().max()


@pytest.mark.parametrize("pool", ["token", "avg"])
def test_effects_of_neurons_add_up_with_frozen_norms_and_not_without(pool: str) -> None:
    model = one_block(global_pool=pool)
    model.module.double()
    vit = residual_vit(model)
    base, donor = two_runs(vit, NEURONS)
    with frozen_norms(vit, base):
        error, effect = gap(vit, base, donor, NEURONS)
    assert error < 1e-12 * effect
    error, effect = gap(vit, base, donor, NEURONS)
    assert error > 1e-2 * effect


def test_effects_of_heads_add_up_with_frozen_norms_before_a_linear_mlp_and_not_without() -> None:
    model = one_block(act_layer=nn.Identity)
    model.module.double()
    vit = residual_vit(model)
    base, donor = two_runs(vit, HEADS)
    with frozen_norms(vit, base):
        error, effect = gap(vit, base, donor, HEADS)
    assert error < 1e-12 * effect
    error, effect = gap(vit, base, donor, HEADS)
    assert error > 1e-2 * effect


@pytest.mark.parametrize("kind", EVERY)
def test_freezing_norms_at_a_run_does_not_change_that_run(kind: str) -> None:
    vit = residual_vit(attention_model(kind))
    base, _ = two_runs(vit, [])
    with torch.no_grad(), frozen_norms(vit, base):
        twice = vit.finish(vit.run(base.streams[0].repeat(2, 1, 1)))
    torch.testing.assert_close(twice, base.logits.repeat(2, 1), rtol=1e-4, atol=1e-4)


def test_every_frozen_norm_multiplies_by_the_scale_of_the_base_run() -> None:
    vit = residual_vit(attention_model("ViT"))
    base, donor = two_runs(vit, [])
    module: Any = vit.model.module
    block = module.blocks[1]
    with torch.no_grad(), frozen_norms(vit, base):
        found = block.norm1(donor.streams[2])
    own, other = base.streams[2], donor.streams[2]
    spread = (own.var(-1, correction=0, keepdim=True) + block.norm1.eps).sqrt()
    right = (other - other.mean(-1, keepdim=True)) / spread * block.norm1.weight + block.norm1.bias
    torch.testing.assert_close(found, right)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_all_hooks_are_removed(error: type[BaseException]) -> None:
    vit = residual_vit(attention_model("ViT"))
    base, _ = two_runs(vit, [])
    with frozen_norms(vit, base):
        assert hooks(vit.model.module) == 5
    assert hooks(vit.model.module) == 0
    with pytest.raises(error), frozen_norms(vit, base):
        raise error
    assert hooks(vit.model.module) == 0


def test_a_batch_that_does_not_hold_the_base_images_is_refused() -> None:
    vit = residual_vit(attention_model("ViT"))
    base, _ = two_runs(vit, [])
    with frozen_norms(vit, base):
        with pytest.raises(ValueError, match="frozen for 2 images of 17 tokens"):
            vit.run(base.streams[0].repeat(2, 1, 1)[:3])
        with pytest.raises(ValueError, match="does not fit 2 images of 34"):
            vit.run(base.streams[0].repeat(1, 2, 1))
    assert hooks(vit.model.module) == 0


def test_norms_of_the_stream_do_not_include_those_of_queries_and_keys() -> None:
    paths = [norm.path for norm in norms_of(residual_vit(attention_model("qk-norm")))]
    blocks = [f"blocks.{block}.norm{part}" for block in range(2) for part in (1, 2)]
    assert paths == [*blocks, "norm"]
    assert [norm.path for norm in norms_of(residual_vit(attention_model("BEiT")))] == [
        *blocks,
        "fc_norm",
    ]


def test_the_input_of_a_norm_is_the_stream_before_its_sublayer() -> None:
    vit = residual_vit(attention_model(TRAINED))
    base, _ = two_runs(vit, [])
    read = norm_inputs(vit, base)
    assert torch.equal(read["blocks.4.norm1"], base.streams[8])
    assert torch.equal(read["blocks.4.norm2"], base.streams[9])
    assert torch.equal(read["norm"], base.streams[24])


def test_post_norms_are_frozen_after_their_core() -> None:
    model = one_block(block_fn=timm.models.vision_transformer.ResPostBlock)
    model.module.double()
    vit = residual_vit(model)
    assert not vit.sublayers[0].norm_first
    base, donor = two_runs(vit, NEURONS)
    core = vit.sublayers[0].core
    with torch.no_grad():
        torch.testing.assert_close(norm_inputs(vit, base)["blocks.0.norm1"], core(base.streams[0]))
    with frozen_norms(vit, base):
        error, effect = gap(vit, base, donor, NEURONS)
    assert error < 1e-12 * effect


def test_rms_norm_is_frozen_without_centering() -> None:
    model = one_block(norm_layer=RmsNorm)
    model.module.double()
    vit = residual_vit(model)
    base, donor = two_runs(vit, NEURONS)
    with frozen_norms(vit, base):
        error, effect = gap(vit, base, donor, NEURONS)
    assert error < 1e-12 * effect


def test_a_norm_of_another_kind_is_refused_by_name() -> None:
    vit = residual_vit(one_block())
    vit.model.module.norm = nn.Softmax(-1)
    with pytest.raises(FeatvizError, match=r"^norm of one block is a Softmax; only the scale of"):
        norms_of(vit)
