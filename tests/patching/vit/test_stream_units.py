from __future__ import annotations

import pytest
import torch

from featviz.models.hooks import eval_mode
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import PatchTarget
from patching.validation.suffix_forward import Suffix
from patching.vit.latent_layer import latent_layer
from patching.vit.residual_vit import residual_vit
from patching.vit.stream_units import Latents
from tests.patching.autoencoders import autoencoder
from tests.patching.models import images, model_of


@pytest.mark.parametrize("kind", ["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"])
def test_a_shift_along_the_decoder_row_gives_the_logits_of_patching_the_latent(kind: str) -> None:
    """In the last block, with an autoencoder that restores the scale of each token."""
    sae = autoencoder(48, f"blocks.1.{kind}", "relu", "layer_norm")
    model = model_of("average pooling").with_saes({"x": sae})
    vit, found = residual_vit(model), latent_layer(model, "sae.x")
    layer, every = Latents(vit, found), (PatchTarget(kind, 1, None, None, found),)
    with eval_mode(model.module), torch.no_grad():
        own, other = (
            run_with_cache(vit, vit.embed(images(model, seed)), [every]) for seed in (1, 2)
        )
        changes = (other.values["sae.x", 1] - own.values["sae.x", 1])[..., 0]
        latent = int(changes.abs().mean((0, 1)).argmax())
        patch = (PatchTarget(kind, 1, None, (latent,), found),)
        right = patched_logits(vit, own, other, [patch])[0]
        run = layer.run(own.streams[layer.before])
        assert (run.stream - own.streams[layer.after]).abs().max() < 1e-12
        assert (run.activations - own.values["sae.x", 1][..., 0]).abs().max() < 1e-12
        logits = Suffix(vit, layer.after).logits(
            run.stream,
            torch.arange(len(right)),
            changes[..., latent] * run.scale[..., 0],
            layer.directions[latent],
        )
    assert (logits - right).abs().max() < 1e-10
    assert (right - own.logits).abs().max() > 1e-3
