"""Attribution patching against exact patching, closed forms and finite differences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from patching.attribution.attribution_patching import Attribution, attribute
from patching.attribution.diagnostics import diagnostics, saturation, scale_changes
from patching.attribution.direct_logit_attribution import direct_effects
from patching.attribution.fidelity import Agreement, agreement, exact_effects, sampled
from patching.forward.cache import ActivationCache, run_with_cache
from patching.forward.stream_norms import frozen_norms
from patching.interventions.patch_targets import PatchTarget
from patching.vit.latent_layer import latent_layer
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.featviz.models.attention_models import attention_model
from tests.patching.autoencoders import LATENTS
from tests.patching.interventions.test_latents import inputs, with_sae
from tests.patching.linear_toy import linear_model

LABELS = torch.tensor([1, 3, 0])


def logit(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(-1, labels[:, None])[:, 0]


def probability(logits: Tensor, labels: Tensor) -> Tensor:
    return logit(logits.softmax(-1), labels)


def images(model: VisionModel, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 3, model.image_size, model.image_size, generator=generator)


def two_runs(
    model: VisionModel, targets: list[PatchTarget]
) -> tuple[ResidualViT, ActivationCache, ActivationCache]:
    vit = residual_vit(model)
    with torch.no_grad():
        base, donor = (
            run_with_cache(vit, vit.embed(images(model, seed)), [(target,) for target in targets])
            for seed in (1, 2)
        )
    return vit, base, donor


LINEAR_TARGETS = [
    *(PatchTarget("z", layer, None, (head,)) for layer in range(3) for head in range(2)),
    *(PatchTarget("z", layer, (token,)) for layer in range(3) for token in range(4)),
    *(PatchTarget("neurons", layer, None, (neuron,)) for layer in range(3) for neuron in range(10)),
    *(PatchTarget("neurons", layer, (0, 3), (2, 7)) for layer in range(3)),
    *(PatchTarget(kind, layer) for layer in range(3) for kind in ("attn_out", "mlp_out", "v")),
    *(
        PatchTarget(kind, layer, (1, 2))
        for layer in range(3)
        for kind in ("resid_pre", "resid_mid", "resid_post")
    ),
]


@pytest.fixture(scope="module")
def linear() -> tuple[ResidualViT, ActivationCache, ActivationCache]:
    return two_runs(linear_model(), LINEAR_TARGETS)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_attribution_is_exact_on_a_linear_network(
    linear: tuple[ResidualViT, ActivationCache, ActivationCache], steps: int
) -> None:
    vit, base, donor = linear
    found = attribute(vit, base, donor, LINEAR_TARGETS, logit, LABELS, steps)
    exact = exact_effects(vit, base, donor, LINEAR_TARGETS, logit, LABELS)
    both = agreement(found, LINEAR_TARGETS, exact)
    torch.testing.assert_close(both.estimated, both.exact, rtol=1e-4, atol=1e-6)
    assert both.exact.abs().amax(1).min() > 1e-5
    assert both.sign == 1
    assert both.linear == pytest.approx(1, abs=1e-6)


def test_the_effect_of_a_target_is_the_sum_of_its_tokens_and_groups(
    linear: tuple[ResidualViT, ActivationCache, ActivationCache],
) -> None:
    vit, base, donor = linear
    found = attribute(vit, base, donor, LINEAR_TARGETS, logit, LABELS)
    parts = [found.effect(PatchTarget("z", 1, (t,), (h,))) for t in range(4) for h in range(2)]
    torch.testing.assert_close(torch.stack(parts).sum(0), found.effect(PatchTarget("z", 1)))
    assert torch.equal(
        found.effect(PatchTarget("z", 1, (2, 2), (1, 1))),
        found.effect(PatchTarget("z", 1, (2,), (1,))),
    )


EVERYWHERE = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z", "neurons")


@pytest.mark.parametrize("kind", ["ViT", "DeiT distilled", "DINOv3", "qk-norm", "BEiT"])
def test_the_gradient_at_every_kind_of_target_is_the_slope_of_exact_patching(kind: str) -> None:
    model = attention_model(kind)
    kinds = [*EVERYWHERE, *(["q", "k", "v", "pattern"] if kind in ("ViT", "qk-norm") else [])]
    targets = [PatchTarget(name, layer) for layer in range(2) for name in kinds]
    vit, base, donor = two_runs(model, targets)
    small = 1e-2
    close = ActivationCache(
        [a + small * (b - a) for a, b in zip(base.streams, donor.streams, strict=True)],
        {key: a + small * (donor.values[key] - a) for key, a in base.values.items()},
        base.logits,
    )
    found = attribute(vit, base, close, targets, summed, LABELS)
    exact = exact_effects(vit, base, close, targets, summed, LABELS)
    estimated = torch.stack([found.effect(target) for target in targets])
    # What is left is the curvature over a hundredth of the way.
    assert (estimated - exact).abs().max() < 0.05 * exact.abs().max()
    assert agreement(found, targets, exact).linear > 0.99


def summed(logits: Tensor, _labels: Tensor) -> Tensor:
    """Weigh every logit or feature, so that models without a head have a metric too."""
    return logits @ torch.linspace(-1, 1, logits.shape[-1])


@pytest.mark.parametrize(
    "target",
    [
        PatchTarget("resid_pre", 0),
        PatchTarget("attn_out", 0),
        PatchTarget("z", 0),
        PatchTarget("neurons", 0),
        PatchTarget("q", 1),
    ],
)
def test_more_steps_bring_the_sum_nearer_to_the_effect_of_the_whole(target: PatchTarget) -> None:
    vit, base, donor = two_runs(attention_model("ViT"), [target])
    [exact] = exact_effects(vit, base, donor, [target], summed, LABELS)
    errors = []
    for steps in (0, 4, 32):
        found = attribute(vit, base, donor, [target], summed, LABELS, steps)
        errors.append((found.effect(target) - exact).abs().max().item())
    assert errors[0] > errors[1] > errors[2] - 1e-5  # rounding of the metric in float32
    assert errors[-1] < 0.005 * exact.abs().max()


def test_a_donor_that_is_the_base_has_no_effect_anywhere() -> None:
    targets = [PatchTarget(kind, 1) for kind in EVERYWHERE]
    vit, base, _ = two_runs(attention_model("ViT"), targets)
    found = attribute(vit, base, base, targets, probability, LABELS)
    assert all(not effects.any() for effects in found.effects.values())


def test_swapping_base_and_donor_on_a_linear_network_turns_every_sign(
    linear: tuple[ResidualViT, ActivationCache, ActivationCache],
) -> None:
    vit, base, donor = linear
    one = attribute(vit, base, donor, LINEAR_TARGETS, logit, LABELS)
    other = attribute(vit, donor, base, LINEAR_TARGETS, logit, LABELS)
    for key, effects in one.effects.items():
        torch.testing.assert_close(effects, -other.effects[key])


def test_attribution_takes_one_backward_pass_whatever_the_number_of_targets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    targets = [PatchTarget(kind, layer) for kind in EVERYWHERE for layer in range(2)]
    vit, base, donor = two_runs(attention_model("ViT"), targets)
    calls, real = [], torch.autograd.grad

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    attribute(vit, base, donor, targets, probability, LABELS)
    assert len(calls) == 1


def test_attribution_leaves_a_model_as_found_and_works_in_inference_mode() -> None:
    model = attention_model("ViT")
    vit, _, _ = two_runs(model, [])
    targets = [PatchTarget("z", 0), PatchTarget("neurons", 1), PatchTarget("pattern", 1)]
    outside = _in_inference_mode(vit, model, targets, False)
    with eval_mode(model.module), torch.inference_mode():
        inside = _in_inference_mode(vit, model, targets, True)
    for key, effects in outside.effects.items():
        torch.testing.assert_close(inside.effects[key], effects)
        assert not effects.requires_grad
    assert all(weight.grad is None for weight in model.module.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.module.modules())


def _in_inference_mode(
    vit: ResidualViT, model: VisionModel, targets: list[PatchTarget], inference: bool
) -> Attribution:
    with torch.inference_mode(inference), torch.no_grad():
        start, other = (vit.embed(images(model, seed)) for seed in (1, 2))
        wanted = [(target,) for target in targets]
        base, donor = (run_with_cache(vit, each, wanted) for each in (start, other))
        assert base.logits.is_inference() == donor.logits.is_inference() == inference
        return attribute(vit, base, donor, targets, probability, LABELS)


def test_a_negative_number_of_steps_is_refused(
    linear: tuple[ResidualViT, ActivationCache, ActivationCache],
) -> None:
    vit, base, donor = linear
    with pytest.raises(ValueError, match=">= 0, got -1"):
        attribute(vit, base, donor, LINEAR_TARGETS, logit, LABELS, -1)


def made_up(exact: list[float], estimated: list[float]) -> Agreement:
    targets = [PatchTarget("z", 0, None, (number,)) for number in range(len(exact))]
    return Agreement(targets, torch.tensor(exact)[:, None], torch.tensor(estimated)[:, None])


def test_agreement_of_effects_worked_out_by_hand() -> None:
    both = made_up([1, 2, 3, 4, 0], [1, 3, 2, -5, -6])
    # Ranks 2 3 4 5 1 and 3 5 4 2 1: differences -1 -2 0 3 0, so 1 - 6 * 14 / (5 * 24).
    assert both.rank == pytest.approx(0.3)
    assert both.sign == pytest.approx(3 / 4)
    assert [(target.groups, *rest) for target, *rest in both.worst(2)] == [
        ((3,), 4, -5),
        ((4,), 0, -6),
    ]


def test_agreement_is_of_means_over_images() -> None:
    targets = [PatchTarget("z", 0, None, (0,)), PatchTarget("z", 0, None, (1,))]
    exact = torch.tensor([[3.0, -1.0], [0.0, -2.0]])
    both = Agreement(targets, exact, exact.flip(1))
    assert both.rank == pytest.approx(1)
    assert both.sign == 1
    assert both.worst(1)[0][1:] == (1, 1)


def test_ties_share_their_rank() -> None:
    assert made_up([1, 1, 2], [1, 2, 3]).rank == pytest.approx(3**0.5 / 2)


def test_agreement_with_what_never_changes_is_not_a_number() -> None:
    nothing = made_up([0, 0, 0], [1, 2, 3])
    assert nothing.rank != nothing.rank
    assert nothing.sign != nothing.sign


def test_a_sample_of_targets_has_no_duplicates_and_depends_on_the_seed() -> None:
    targets = [PatchTarget("neurons", 0, None, (number,)) for number in range(100)]
    drawn = sampled(targets, 20, seed=4)
    assert drawn == sampled(targets, 20, seed=4)
    assert drawn != sampled(targets, 20, seed=5)
    assert len(set(drawn)) == 20
    assert set(sampled(targets, 200)) == set(targets)


RIGHT = (1.0, 1.0)


def test_the_residual_stream_always_has_a_diagnostic_and_heads_have_none() -> None:
    vit, base, _ = two_runs(attention_model("ViT"), [])
    assert "residual stream" in diagnostics(vit, base, base, [("resid_pre", 0), ("z", 1)], RIGHT)[0]
    assert diagnostics(vit, base, base, [("z", 1)], RIGHT) == []
    assert diagnostics(vit, base, base, [], RIGHT) == []


def test_steps_resolve_the_diagnostic_of_outputs_and_add_one_of_neurons() -> None:
    keys = [("attn_out", 0), ("neurons", 0), ("z", 1)]
    vit, base, donor = two_runs(attention_model("ViT"), [PatchTarget(*key) for key in keys])
    one, *_ = diagnostics(vit, base, base, keys, RIGHT)
    assert one.startswith("attn_out: replacing a whole output is a large change")
    [other] = attribute(
        vit, base, donor, [PatchTarget(*key) for key in keys], summed, LABELS, 2
    ).diagnostics
    assert other.startswith("neurons: gradients averaged")


@pytest.mark.parametrize("total", [(1.0, -1.0), (-1.0, -0.1), (0.5, 3.0), (1.0, 0.0)])
def test_a_metric_that_is_far_from_linear_is_reported(total: tuple[float, float]) -> None:
    vit, base, _ = two_runs(attention_model("ViT"), [])
    assert "far from linear" in diagnostics(vit, base, base, [("z", 0)], total)[0]


def test_the_probability_of_a_confident_model_has_a_diagnostic_and_its_logit_has_none() -> None:
    vit, base, donor = two_runs(linear_model(), LINEAR_TARGETS)
    middle = (base.logits + donor.logits).mean(0) / 2

    def certain(logits: Tensor, labels: Tensor) -> Tensor:
        return torch.sigmoid(1e4 * logit(logits - middle, labels))

    targets = [PatchTarget("z", 0)]
    found = attribute(vit, base, donor, targets, certain, LABELS).diagnostics
    assert "far from linear" in found[0]
    assert attribute(vit, base, donor, targets, logit, LABELS).diagnostics == []


def test_saturated_attention_is_measured_and_reported() -> None:
    model = attention_model("ViT")
    vit, base, _ = two_runs(model, [])
    module: Any = model.module
    fused = [block.attn.fused_attn for block in module.blocks]
    weight = module.blocks[1].attn.qkv.weight
    assert saturation(vit, base) == [0, 0]
    kept = weight.clone()
    try:
        with torch.no_grad():
            weight[: 2 * weight.shape[1]] *= 40
        shares = saturation(vit, base)
        assert shares[0] == 0
        assert shares[1] is not None
        assert shares[1] > 0.5
        assert "blocks 1 is saturated" in diagnostics(vit, base, base, [("z", 0)], RIGHT)[0]
    finally:
        with torch.no_grad():
            weight.copy_(kept)
    assert [block.attn.fused_attn for block in module.blocks] == fused


def test_saturation_is_the_share_of_queries_whose_pattern_is_near_one_hot() -> None:
    model = attention_model("trained ViT")
    targets = [PatchTarget("pattern", layer) for layer in range(12)]
    vit, base, _ = two_runs(model, targets)
    counted = [
        sum(row.max().item() > 0.95 for row in base.values["pattern", layer].flatten(0, 2))
        / base.values["pattern", layer].flatten(0, 2).shape[0]
        for layer in range(12)
    ]
    assert saturation(vit, base) == pytest.approx(counted)


def test_a_change_of_the_scale_of_the_next_norm_is_measured_and_reported() -> None:
    keys = [("attn_out", 0), ("mlp_out", 1), ("resid_pre", 1), ("resid_post", 1)]
    targets = [PatchTarget(*key) for key in [*keys, ("z", 0)]]
    vit, base, _ = two_runs(attention_model("ViT"), targets)
    far = ActivationCache(
        [3 * stream for stream in base.streams],
        {
            # The outputs that make the stream after them three times as large.
            ("attn_out", 0): (3 * base.streams[1] - base.streams[0])[:, :, None],
            ("mlp_out", 1): (3 * base.streams[4] - base.streams[3])[:, :, None],
            ("z", 0): 3 * base.values["z", 0],
        },
        base.logits,
    )
    changes = scale_changes(vit, base, far, [*keys, ("z", 0)])
    assert list(changes) == keys
    assert list(changes.values()) == pytest.approx([3] * 4, rel=1e-3)
    found = diagnostics(vit, base, far, keys[:2], RIGHT)[-1]
    assert "attn_out of blocks 0, mlp_out of blocks 1 changes the scale of the next" in found
    assert "over 3.0 in a tenth of the tokens" in found
    assert not any("LayerNorm" in each for each in diagnostics(vit, base, base, keys, RIGHT))


def test_the_reported_change_of_scale_is_exceeded_by_a_tenth_of_tokens() -> None:
    vit, base, donor = two_runs(attention_model("ViT"), [])
    change = scale_changes(vit, base, donor, [("resid_pre", 1)])["resid_pre", 1]
    spreads = [each.streams[2].std(-1, correction=0) for each in (base, donor)]
    ratios = (spreads[0] / spreads[1]).log().abs().exp().flatten()
    assert (ratios > change * 1.0001).double().mean() <= 0.1
    assert (ratios >= change * 0.9999).double().mean() >= 0.1


@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize("normalization", ["none", "layer_norm"])
@pytest.mark.parametrize("kind", ["resid_mid", "attn_out"])
def test_attribution_of_latents_is_exact_on_a_linear_network(
    kind: str, normalization: Any, steps: int
) -> None:
    model, _ = with_sae(f"blocks.1.{kind}", "topk", normalization)
    latents = latent_layer(model, "sae.x")
    targets = [
        PatchTarget(kind, 1, tokens, groups, latents)
        for tokens in (None, (0, 3))
        for groups in (None, *((latent,) for latent in range(LATENTS)))
    ]
    vit = residual_vit(model)
    with torch.no_grad():
        base, donor = (
            run_with_cache(vit, vit.embed(inputs(seed)), [(target,) for target in targets])
            for seed in (1, 2)
        )
    found = attribute(vit, base, donor, targets, logit, LABELS, steps)
    exact = exact_effects(vit, base, donor, targets, logit, LABELS)
    assert exact.abs().max() > 0.1
    torch.testing.assert_close(found.effects_of(targets), exact, rtol=1e-9, atol=1e-12)
    direct = attribute(vit, base, donor, targets, logit, LABELS, steps, direct=True)
    exact_direct = direct_effects(vit, base, donor, targets, logit, LABELS)
    torch.testing.assert_close(direct.effects_of(targets), exact_direct, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(exact_direct, exact, rtol=0.01)


DIRECT = [
    *(PatchTarget(kind, 0) for kind in ("z", "neurons", "attn_out", "mlp_out", "resid_mid", "v")),
    PatchTarget("z", 1, (0,), (1,)),
    PatchTarget("neurons", 1, (0, 2), (3, 5)),
]


def test_direct_effects_on_a_logit_are_exact_with_frozen_norms() -> None:
    vit, base, donor = two_runs(attention_model("ViT"), DIRECT)
    with frozen_norms(vit, base):
        exact = direct_effects(vit, base, donor, DIRECT, logit, LABELS)
    found = attribute(vit, base, donor, DIRECT, logit, LABELS, frozen=True, direct=True)
    torch.testing.assert_close(found.effects_of(DIRECT), exact, rtol=1e-4, atol=1e-6)
    changing = attribute(vit, base, donor, DIRECT, logit, LABELS, direct=True)
    assert (changing.effects_of(DIRECT) - exact).abs().max() > 1e-3 * exact.abs().max()
    assert exact.abs().amax(1).min() > 1e-6


def test_steps_follow_a_direct_effect_through_the_norm_of_the_head() -> None:
    vit, base, donor = two_runs(attention_model("ViT"), DIRECT)
    whole = DIRECT[:6]
    exact = direct_effects(vit, base, donor, whole, summed, LABELS)
    errors = [
        (attribute(vit, base, donor, whole, summed, LABELS, steps, direct=True).effects_of(whole))
        - exact
        for steps in (0, 16)
    ]
    assert errors[1].abs().max() < 0.1 * errors[0].abs().max()
    assert errors[1].abs().max() < 1e-3 * exact.abs().max()


def test_frozen_norms_change_estimates_as_they_change_the_slope_of_patching() -> None:
    targets = [PatchTarget("z", 0), PatchTarget("mlp_out", 0), PatchTarget("resid_pre", 1)]
    vit, base, donor = two_runs(attention_model("ViT"), targets)
    small = 1e-2
    near = ActivationCache(
        [a + small * (b - a) for a, b in zip(base.streams, donor.streams, strict=True)],
        {key: a + small * (donor.values[key] - a) for key, a in base.values.items()},
        base.logits,
    )
    frozen, free = (
        attribute(vit, base, near, targets, summed, LABELS, frozen=each).effects_of(targets)
        for each in (True, False)
    )
    with frozen_norms(vit, base):
        exact = exact_effects(vit, base, near, targets, summed, LABELS)
    assert (frozen - exact).abs().max() < 0.02 * exact.abs().max()
    assert (free - exact).abs().max() > 0.1 * exact.abs().max()
