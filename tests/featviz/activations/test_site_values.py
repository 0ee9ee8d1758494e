"""Changing all values of a site."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import featviz
from featviz.activations.site_values import change_values
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel
from tests.featviz.toys import toy_vit

OF_BLOCK = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "mlp_act", "attn.z")
SITES = ("patch_embed", *(f"blocks.1.{name}" for name in OF_BLOCK), "blocks.1.mlp.fc1", "head")


def images_of(model: VisionModel) -> Tensor:
    shape = (2, 3, model.image_size, model.image_size)
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def run(model: VisionModel, site: str, change: object) -> Tensor:
    with (
        eval_mode(model.module),
        torch.no_grad(),
        change_values(model, model.site(site), change),  # type: ignore[arg-type]
    ):
        return model(images_of(model))


@pytest.mark.parametrize("path", SITES)
def test_the_values_are_those_of_the_units_and_returning_them_changes_nothing(path: str) -> None:
    model, seen = toy_vit(), list[Tensor]()

    def observe(values: Tensor) -> Tensor:
        seen.append(values.clone())
        return values

    output = run(model, path, observe)
    torch.testing.assert_close(output, model(images_of(model)))
    (values,) = seen
    site = model.site(path)
    assert values.shape == (2, max(1, site.positions), site.width)
    for token in range(site.positions):
        read = featviz.readout(model, f"{path}:all@{token}")(images_of(model))
        torch.testing.assert_close(values[:, token], read)


def test_values_of_a_convolution_have_channels_last() -> None:
    model = featviz.load("cueworld/resnet", device="cpu")
    factors = torch.rand(24, generator=torch.Generator().manual_seed(0))
    output = run(model, "layer1.0.conv1", lambda values: values * factors)
    layer = model.module.get_submodule("layer1.0.conv1")
    with torch.no_grad():
        layer.get_parameter("weight").mul_(factors[:, None, None, None])
    torch.testing.assert_close(output, model(images_of(model)), rtol=1e-4, atol=1e-5)


def rest_of_block(model: VisionModel, name: str, new: Tensor) -> Tensor:
    """Run what follows an activation of block 1 by hand, where it has another value."""
    module, stream = model.module, list[Tensor]()
    hook = module.get_submodule("blocks.0").register_forward_hook(
        lambda _module, _inputs, output: stream.append(output)
    )
    model(images_of(model))
    hook.remove()
    part = module.get_submodule
    before = stream[0]
    if name == "resid_pre":
        before = new
    added = new if name == "attn_out" else part("blocks.1.attn")(part("blocks.1.norm1")(before))
    middle = new if name == "resid_mid" else before + added
    written = new if name == "mlp_out" else part("blocks.1.mlp")(part("blocks.1.norm2")(middle))
    after = new if name == "resid_post" else middle + written
    for index in (2, 3):
        after = part(f"blocks.{index}")(after)
    logits: Tensor = part("head")(part("norm")(after)[:, 0])
    return logits


@pytest.mark.parametrize("name", OF_BLOCK[:5])
def test_all_that_follows_sees_the_new_values(name: str) -> None:
    model = toy_vit()
    new = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    output = run(model, f"blocks.1.{name}", lambda _: new)
    torch.testing.assert_close(output, rest_of_block(model, name, new))


@pytest.mark.parametrize("path", ["blocks.1.attn.q", "blocks.1.attn.qk"])
def test_values_that_no_module_takes_or_returns_are_refused(path: str) -> None:
    with pytest.raises(FeatvizError, match=f"{path} cannot be replaced"):
        run(toy_vit(), path, lambda values: values)
