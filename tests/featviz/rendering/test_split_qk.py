"""Query-key logits with `split_qk`: query from one image, key from another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import plan, render_to_store
from featviz.store.jobs import open_writer
from featviz.store.reader import Store
from tests.featviz.models.attention_models import EVERY, TRAINED, attention_model
from tests.featviz.toys import toy_vit

BLOCK = "blocks.1.attn"
SELECTORS = (f"{BLOCK}.qk:0@q2.k3", f"{BLOCK}.qk:1-2@same", f"{BLOCK}.qk:2@shift.0.1")


def pictures(model: VisionModel, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(count, 3, model.image_size, model.image_size, generator=generator)


@pytest.mark.parametrize("kind", EVERY)
def test_with_the_same_image_twice_the_value_is_that_of_the_image(kind: str) -> None:
    model = attention_model(kind)
    chosen = units(model, *SELECTORS)
    images = pictures(model, len(chosen))
    read = featviz.readout(model, chosen)
    values = read.read_split(torch.cat([images, images])).values
    torch.testing.assert_close(values, read.paired(images), rtol=1e-4, atol=1e-4)


def test_the_query_is_read_from_the_first_image_and_the_key_from_the_second() -> None:
    model = attention_model(TRAINED)
    attention = model.module.get_submodule(BLOCK)
    images = pictures(model, 2)
    outputs: list[Tensor] = []
    hook = attention.get_submodule("qkv").register_forward_hook(lambda *a: outputs.append(a[2]))
    with torch.no_grad():
        model.module(model.normalize(images))
    hook.remove()
    # (image, token, q k or v, head, channel)
    parts = outputs[0].reshape(2, -1, 3, 4, 32)
    query, key = parts[0, :, 0, 1], parts[1, :, 1, 1]
    pair = (query[5] @ key[9]) / 32**0.5
    same = (query[1:] * key[1:]).sum(-1).mean() / 32**0.5
    chosen = units(model, f"{BLOCK}.qk:1@q5.k9", f"{BLOCK}.qk:1@same")
    both = images[[0, 0, 1, 1]]
    values = featviz.readout(model, chosen).read_split(both).values
    torch.testing.assert_close(values, torch.stack([pair, same]), rtol=1e-4, atol=1e-4)


def test_neurons_cannot_be_split() -> None:
    model = attention_model(TRAINED)
    read = featviz.readout(model, units(model, "blocks.1.mlp.fc1:0"))
    with pytest.raises(FeatvizError, match=r"blocks\.1\.mlp\.fc1:0 has no query and key"):
        read.read_split(pictures(model, 2))


def test_a_split_job_refuses_neurons_before_it_starts(tmp_path: Path) -> None:
    model = toy_vit()
    recipe = make_recipe(model, steps=1, split_qk=True)
    chosen = units(model, "blocks.1.attn.qk:0@same", "blocks.1.attn.qk:0@same+head:1")
    for job in (render_to_store, plan):
        with pytest.raises(FeatvizError, match=r"same\+head:1 has no query and key"):
            job(model, chosen, recipe, tmp_path / "store")
    with pytest.raises(FeatvizError, match="has no query and key"):
        featviz.render(model, chosen, steps=1, split_qk=True)
    assert not (tmp_path / "store").exists()


def test_a_unit_with_split_pictures_is_no_longer_a_failure(tmp_path: Path) -> None:
    model = toy_vit()
    recipe = make_recipe(model, steps=1, split_qk=True)
    (unit,) = units(model, "blocks.1.attn.qk:0@same")
    failed = {"address": [str(unit)], "error": ["out of memory"]}
    open_writer(model, tmp_path, "sides", recipe.to_json()).add(failed, "failures")
    assert Store(tmp_path).failures == {str(unit): "out of memory"}
    render_to_store(model, [unit], recipe, tmp_path)
    assert Store(tmp_path).failures == {}


def test_a_split_readout_needs_two_images_per_unit() -> None:
    model = attention_model(TRAINED)
    read = featviz.readout(model, units(model, f"{BLOCK}.qk:0-1@same"))
    with pytest.raises(FeatvizError, match="2 units need 4 images, not 2"):
        read.read_split(pictures(model, 2))


def test_query_and_key_images_are_stored_together_and_their_activation_uses_both() -> None:
    model = toy_vit()
    chosen = units(model, "blocks.2.attn.qk:0-1@same", "blocks.2.attn.qk:1@q3.k1")
    recipe = make_recipe(model, samples=2, steps=6, split_qk=True)
    found = optimize(model, chosen, recipe)
    assert found.images.shape == (3, 2, 2, 32, 32, 3)
    for index, unit in enumerate(chosen):
        pixels = found.images[index].permute(1, 0, 4, 2, 3).flatten(0, 1) / 255
        values = featviz.readout(model, [unit, unit]).read_split(pixels).values
        torch.testing.assert_close(found.activation[index], values, rtol=1e-4, atol=1e-5)
    first = found.images[0, 0]
    assert not torch.equal(first[0], first[1])


def test_a_split_picture_does_not_depend_on_its_batch() -> None:
    model = toy_vit()
    chosen = units(model, "blocks.2.attn.qk:0-1@same", "blocks.2.attn.qk:1@q3.k1")
    recipe = make_recipe(model, samples=2, steps=6, split_qk=True)
    together, alone = optimize(model, chosen, recipe), optimize(model, chosen[1:2], recipe)
    difference = together.images[1].int() - alone.images[0].int()
    assert int(difference.abs().max()) <= 1


def test_a_split_picture_can_exceed_one_picture() -> None:
    """A head with opposite query and key weights needs two images for a positive logit."""
    model = toy_vit()
    attention = model.module.get_submodule("blocks.0.attn.qkv")
    assert isinstance(attention, nn.Linear)
    with torch.no_grad():
        width = attention.in_features
        attention.weight[width : width + 8] = -attention.weight[:8]
        attention.bias[width : width + 8] = -attention.bias[:8]
    chosen = units(model, "blocks.0.attn.qk:0@same")
    one, split = (
        featviz.render(model, chosen, steps=60, split_qk=split_qk).activation.item()
        for split_qk in (False, True)
    )
    assert one <= 0  # minus the square of the query
    assert split > 0
