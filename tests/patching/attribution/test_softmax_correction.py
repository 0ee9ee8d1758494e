"""Estimates of queries and keys, on attention after which everything is linear."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from featviz.models.vision_model import VisionModel
from patching.attribution.attribution_patching import attribute
from patching.attribution.fidelity import exact_effects
from patching.forward.cache import ActivationCache, run_with_cache
from patching.interventions.patch_targets import PatchTarget
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.patching.linear_toy import Mixing, linear_model
from tests.patching.models import images

LABELS = torch.tensor([1, 3, 0])
TOKENS: list[tuple[int, ...] | None] = [None, (0,), (2,), (1, 3)]


class Attention(Mixing):
    """Heads whose patterns are a softmax of queries and keys, `sharpness` times their logits."""

    def __init__(self, sharpness: float) -> None:
        super().__init__(6, 2, 4)
        self.q_proj, self.k_proj = nn.Linear(6, 6), nn.Linear(6, 6)
        self.sharpness = sharpness

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            layer(x).unflatten(-1, (2, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        logits = self.sharpness * (query @ key.transpose(-1, -2))
        pattern = self.attn_drop(logits.softmax(-1))
        mixed: Tensor = self.proj((pattern @ value).transpose(1, 2).flatten(2))
        return mixed


def toy(sharpness: float) -> VisionModel:
    model = linear_model(depth=1)
    with torch.random.fork_rng():
        torch.manual_seed(8)
        model.module.blocks[0].attn = Attention(sharpness)  # type: ignore[index, union-attr]
    model.module.double().eval().requires_grad_(False)
    return model


def logit(logits: Tensor, labels: Tensor) -> Tensor:
    return logits.gather(-1, labels[:, None])[:, 0]


def targets_of(kind: str) -> list[PatchTarget]:
    return [
        PatchTarget(kind, 0, tokens, groups) for tokens in TOKENS for groups in (None, (0,), (1,))
    ]


def two_runs(sharpness: float) -> tuple[ResidualViT, ActivationCache, ActivationCache]:
    vit = residual_vit(toy(sharpness))
    wanted = [(PatchTarget(kind, 0),) for kind in "qk"]
    with torch.no_grad():
        starts = (vit.embed(images(vit.model, seed)) for seed in (1, 2))
        base, donor = (run_with_cache(vit, start, wanted) for start in starts)
    return vit, base, donor


def slope(
    vit: ResidualViT, base: ActivationCache, donor: ActivationCache, target: PatchTarget
) -> Tensor:
    """Effect to first order in the queries or keys: plain attribution patching."""
    small = 1e-7
    near = {key: a + small * (donor.values[key] - a) for key, a in base.values.items()}
    moved = ActivationCache(base.streams, near, base.logits)
    return exact_effects(vit, base, moved, [target], logit, LABELS)[0] / small


@pytest.mark.parametrize("kind", ["q", "k"])
@pytest.mark.parametrize("sharpness", [1.0, 300.0])
@pytest.mark.parametrize("steps", [0, 3])
def test_estimates_are_exact_where_only_the_softmax_is_nonlinear(
    kind: str, sharpness: float, steps: int
) -> None:
    vit, base, donor = two_runs(sharpness)
    targets = targets_of(kind)
    found = attribute(vit, base, donor, targets, logit, LABELS, steps).effects_of(targets)
    exact = exact_effects(vit, base, donor, targets, logit, LABELS)
    assert exact.abs().max() > 0.001
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["q", "k"])
def test_the_slope_of_a_saturated_softmax_misses_what_the_correction_finds(kind: str) -> None:
    vit, base, donor = two_runs(3000.0)
    target = PatchTarget(kind, 0)
    [exact] = exact_effects(vit, base, donor, [target], logit, LABELS)
    found = attribute(vit, base, donor, [target], logit, LABELS).effect(target)
    # In the last image, two keys of a query are so near to each other that a slope is left.
    assert exact[:2].abs().min() > 0.004
    assert slope(vit, base, donor, target)[:2].abs().max() < 1e-9
    torch.testing.assert_close(found, exact)


def test_effects_of_queries_add_up_over_tokens_and_those_of_keys_do_not() -> None:
    vit, base, donor = two_runs(1.0)
    for kind, adds in (("q", True), ("k", False)):
        single = [PatchTarget(kind, 0, (token,)) for token in range(4)]
        found = attribute(vit, base, donor, [*single, PatchTarget(kind, 0)], logit, LABELS)
        both = found.effects_of(single).sum(0), found.effect(PatchTarget(kind, 0))
        assert torch.allclose(*both, rtol=1e-9) == adds
