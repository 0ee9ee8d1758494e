"""Interventions on latents, whose reconstruction error is kept."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor

import patching
from featviz import FeatvizError
from featviz.models.hooks import eval_mode, is_hooked
from featviz.models.sae.normalization import Normalization
from featviz.models.sae.sparse_autoencoder import SparseAutoencoder
from featviz.models.vision_model import VisionModel
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import PatchTarget
from patching.vit.latent_layer import latent_layer
from patching.vit.residual_vit import residual_vit
from tests.patching.autoencoders import ACTIVATIONS, LATENTS, autoencoder
from tests.patching.linear_toy import linear_model
from tests.patching.models import images, model_of

KINDS = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
LAST = "blocks.2.resid_post"


def with_sae(
    site: str, activation: str = "relu", normalization: Normalization = "none"
) -> tuple[VisionModel, SparseAutoencoder]:
    """Give a model of the linear toy an autoencoder."""
    model = linear_model()
    model.module.double()
    sae = autoencoder(6, site, activation, normalization)
    return model.with_saes({"x": sae}), sae


def inputs(seed: int, count: int = 3) -> Tensor:
    return images(linear_model(), seed, count)


def stream_of(model: VisionModel, shown: Tensor) -> Tensor:
    """The residual stream after the last block."""
    vit = residual_vit(model)
    with torch.no_grad():
        return vit.run(vit.embed(shown))


def head_of(model: VisionModel) -> Tensor:
    return model.module.get_parameter("head.weight")


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_ablating_a_latent_of_a_linear_model_removes_what_its_decoder_row_writes(
    activation: str,
) -> None:
    model, sae = with_sae(LAST, activation)
    shown = inputs(1)
    latent = 3
    value = sae.encode(stream_of(model, shown))[..., latent]
    assert value.abs().max() > 0.1
    # The head reads the mean over tokens.
    right = -value.mean(1)[:, None] * (head_of(model) @ sae.decoder[latent])
    table = patching.sweep(
        model, shown, None, [0, 1, 2], site=f"sae.x:{latent}", ablate="zero"
    ).select(metric="logit")
    np.testing.assert_allclose(table.effect[0, 0], right[range(3), range(3)], atol=1e-12)
    with torch.no_grad():
        before = model(shown)
        with patching.set_latents(model, {f"sae.x:{latent}": 0.0}):
            after = model(shown)
    assert (after - before - right).abs().max() < 1e-12


@pytest.mark.parametrize("normalization", ["layer_norm", "constant_norm"])
def test_a_latent_of_a_normalized_activation_writes_at_the_scale_of_each_token(
    normalization: Normalization,
) -> None:
    model, sae = with_sae(LAST, "relu", normalization)
    shown = inputs(1)
    stream = stream_of(model, shown)
    scale = stream.std(-1) if normalization == "layer_norm" else stream.norm(dim=-1) / 6**0.5
    change = 2.5 - sae.encode(stream)[..., 3]
    right = (change * scale).mean(1)[:, None] * (head_of(model) @ sae.decoder[3])
    with torch.no_grad():
        before = model(shown)
        with patching.set_latents(model, {"sae.x:3": 2.5}):
            after = model(shown)
    assert (after - before - right).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("kind", "activation"),
    [
        ("resid_pre", "topk"),
        ("resid_mid", "jumprelu"),
        ("resid_post", "relu"),
        ("attn_out", "topk"),
        ("mlp_out", "jumprelu"),
    ],
)
def test_patched_latents_equal_those_that_a_hook_sets(kind: str, activation: str) -> None:
    """Two implementations: one by cached streams, and one by hooks on the whole model."""
    model = model_of("LayerScale").with_saes({"x": autoencoder(48, f"blocks.1.{kind}", activation)})
    vit, latents = residual_vit(model), latent_layer(model, "sae.x")
    patches = [
        (PatchTarget(kind, 1, None, None, latents),),
        (PatchTarget(kind, 1, (0, 3), (1, 4), latents),),
    ]
    first, second = images(model, 1), images(model, 2)
    with eval_mode(model.module), torch.no_grad():
        base, donor = (run_with_cache(vit, vit.embed(each), patches) for each in (first, second))
        found = patched_logits(vit, base, donor, patches)
        other = donor.values["sae.x", 1][..., 0]
        everywhere = {f"sae.x:{latent}": other[..., latent] for latent in range(LATENTS)}
        at_tokens = {
            f"sae.x:{latent}@{token}": other[:, token, latent, None]
            for latent in (1, 4)
            for token in (0, 3)
        }
        for values, patched in zip((everywhere, at_tokens), found, strict=True):
            with patching.set_latents(model, values):
                assert (patched - model(first)).abs().max() < 1e-10
        assert (found[0] - base.logits).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_patching_latents_of_the_same_run_leaves_the_logits_bit_equal(kind: str) -> None:
    model, _ = with_sae(f"blocks.1.{kind}", "topk", "layer_norm")
    vit, latents = residual_vit(model), latent_layer(model, "sae.x")
    patches = [(PatchTarget(kind, 1, None, groups, latents),) for groups in (None, (2,), (0, 5))]
    with torch.no_grad():
        # Of equal shapes and strides, so that rounding is equal too.
        run = run_with_cache(vit, vit.embed(inputs(1)).contiguous(), patches)
        patched = patched_logits(vit, run, run, patches, rows=1)
        assert torch.equal(patched, run.logits.expand(3, -1, -1))


def test_setting_latents_to_their_own_values_leaves_the_logits_bit_equal() -> None:
    model, sae = with_sae(LAST)
    shown = inputs(1)
    own = sae.encode(stream_of(model, shown), [3])[..., 0]
    with torch.no_grad():
        before = model(shown)
        with patching.set_latents(model, {"sae.x:3": own}):
            assert torch.equal(model(shown), before)


def test_restoring_all_latents_restores_all_but_the_error() -> None:
    model, sae = with_sae(LAST)
    clean, corrupted = stream_of(model, inputs(1)), stream_of(model, inputs(2))
    kept = corrupted - sae(corrupted) + sae(clean)
    right = kept.mean(1) @ head_of(model).T + model.module.get_parameter("head.bias")
    table = patching.sweep(model, inputs(1), inputs(2), [0, 1, 2], site="sae.x", by="layer")
    found = table.select(metric="logit").restored[0, 0]
    np.testing.assert_allclose(found, right[range(3), range(3)], atol=1e-10)


def test_selected_latents_have_a_row_each_or_one_together() -> None:
    model, _ = with_sae("blocks.1.mlp_out")
    run = {"clean": inputs(1), "corrupted": inputs(2), "labels": [0, 1, 2]}
    each = patching.sweep(model, **run, site="sae.x:5,0-1", tokens=["all", "0"])  # type: ignore[arg-type]
    rows = [("sae.x", 1, latent, token, 1) for token in ("all", "0") for latent in ("5", "0", "1")]
    assert list(each.sites) == rows
    together = patching.sweep(model, **run, site="sae.x:5,0-1", by="layer")  # type: ignore[arg-type]
    assert list(together.sites) == [("sae.x", 1, "5,0-1", "all", 1)]
    # All that follows is linear, so effects on logits add up.
    total = together.select(metric="logit").effect[:, 0]
    parts = each.select(metric="logit", token="all").effect.sum(1)
    np.testing.assert_allclose(total, parts, atol=1e-10)
    assert len(patching.sweep(model, **run, site="sae.x").sites) == LATENTS  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"site": "sae.y:1"}, "sae.y"),
        ({"site": "sae.x:12"}, "sae.x has latents 0-11, not 12"),
        ({"site": "sae.x:1@cls"}, "sae.x has latents 0-11; expected an index"),
        ({"site": "sae.x", "heads": 3}, "latents are selected as sae.x:0-15"),
        ({"site": "sae.x", "layers": 1}, "layers and windows do not apply"),
        ({"site": "sae.x", "window": 3}, "the window must be 1"),
        ({"site": "sae.x", "by": "neuron"}, "sae.x has no neurons; sites with neurons: mlp_act"),
        ({"site": "z", "by": "latent"}, "z has no latents; sites with latents: sae.NAME"),
    ],
)
def test_a_selection_that_does_not_fit_is_refused(options: dict[str, object], message: str) -> None:
    model, _ = with_sae(LAST)
    with pytest.raises(FeatvizError, match=re.escape(message)):
        patching.sweep(model, inputs(1), inputs(2), [0, 1, 2], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sae", "message"),
    [
        (autoencoder(6, LAST, library="transcoder"), "sae.x is a transcoder"),
        (autoencoder(10, "blocks.1.mlp_act"), "sae.x reads blocks.1.mlp_act, which is neither"),
    ],
)
def test_latents_that_do_not_write_to_the_stream_are_refused(
    sae: SparseAutoencoder, message: str
) -> None:
    model = linear_model()
    model.module.double()
    model = model.with_saes({"x": sae})
    with pytest.raises(FeatvizError, match=re.escape(message)):
        patching.sweep(model, inputs(1), inputs(2), [0, 1, 2], site="sae.x")
    with (
        pytest.raises(FeatvizError, match=re.escape(message)),
        patching.set_latents(model, {"sae.x:0": 0.0}),
    ):
        pass


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"blocks.1.mlp_act:0": 0.0}, "blocks.1.mlp_act:0 is no latent"),
        ({"sae.x:0@max": 0.0}, "sae.x:0@max names no single token"),
        ({"sae.x:0": "high"}, "the value of sae.x:0 must be a number or tensor"),
        ({"sae.x:0-2": 0.0, "sae.x:1": 1.0}, "sae.x:1 is set twice"),
    ],
)
def test_values_that_cannot_be_set_are_refused(values: dict[str, float], message: str) -> None:
    model, _ = with_sae(LAST)
    with pytest.raises(FeatvizError, match=re.escape(message)), patching.set_latents(model, values):
        pass


def test_a_model_is_left_as_found_also_after_an_exception() -> None:
    model, _ = with_sae(LAST)
    model.module.train().requires_grad_(True)
    with (
        pytest.raises(FeatvizError, match=r"shape \(7,\), which cannot be broadcast to \(3, 4\)"),
        patching.set_latents(model, {"sae.x:0": torch.zeros(7)}),
    ):
        model(inputs(1))
    assert model.module.training
    assert all(weight.requires_grad for weight in model.module.parameters())
    assert not any(map(is_hooked, model.module.modules()))
