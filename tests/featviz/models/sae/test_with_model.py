"""Latents of the activations of a model."""

from __future__ import annotations

from pathlib import Path

import torch

from featviz import load, load_sae, readout, units
from tests.featviz.models.sae.files import random_state, saev_header, write_saev


def test_latents_of_a_readout_are_those_of_a_hooked_block_and_have_gradients(
    tmp_path: Path,
) -> None:
    model = load("cueworld/vit", device="cpu")
    width, latents = model.site("blocks.5.resid_post").width, 16
    shapes = {
        "W_enc": (width, latents),
        "b_enc": (latents,),
        "W_dec": (latents, width),
        "b_dec": (width,),
    }
    state = random_state(shapes)
    state["b_enc"] -= 1000  # every latent is closed
    header = saev_header(5, "Relu")
    header["cfg"] |= {"d_model": width, "d_sae": latents}
    sae = load_sae(write_saev(tmp_path / "sae.pt", header, state), site="blocks.5.resid_post")

    images = torch.rand(2, 3, model.image_size, model.image_size, requires_grad=True)
    stream: list[torch.Tensor] = []
    hook = model.module.get_submodule("blocks.5").register_forward_hook(
        lambda _module, _inputs, output: stream.append(output)
    )
    model(images)
    hook.remove()
    read = readout(model, units(model, f"{sae.site}:all@7"))
    found = sae.pre_activations(read(images), [3, 5])
    rows = state["W_enc"].T[[3, 5]]
    wanted = stream[0][:, 7] @ rows.T + state["b_enc"][[3, 5]]
    torch.testing.assert_close(found, wanted)

    # A closed latent has no gradient; its pre-activation has.
    (gradient,) = torch.autograd.grad(found.sum(), images)
    assert gradient.abs().sum() > 0
    (closed,) = torch.autograd.grad(sae.encode(read(images)).sum(), images)
    assert not closed.any()
