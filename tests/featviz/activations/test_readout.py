from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from featviz import load
from featviz.activations.readout import readout
from featviz.addressing.address import Unit
from featviz.addressing.selectors import units
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from tests.oracles.naive_readout import naive_readout

SIZE = 32
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)
SITES = ["patch_embed", "blocks.0.attn.qkv", "blocks.1.mlp.fc1", "blocks.2.mlp.fc2", "head"]


@pytest.fixture
def model() -> VisionModel:
    """A ViT with a class token, one register and 4 x 4 patches, in float64."""
    torch.manual_seed(0)
    module = VisionTransformer(
        SIZE, 8, num_classes=5, embed_dim=8, depth=3, num_heads=2, reg_tokens=1, proj_drop_rate=0.5
    )
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.3)
    return VisionModel("tiny", module.double().eval(), SIZE, MEAN, STD)


def pictures(count: int = 3) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, dtype=torch.float64)


def expected(model: VisionModel, wanted: list[Unit], images: Tensor) -> Tensor:
    mean, std = (torch.tensor(x, dtype=torch.float64)[:, None, None] for x in (MEAN, STD))
    columns = []
    for unit in wanted:
        owner = "patch_embed.proj" if unit.site == "patch_embed" else unit.site
        prefix = 2 if unit.site.startswith("blocks") else 0
        columns.append(naive_readout(model.module, (images - mean) / std, unit, owner, prefix))
    return torch.stack(columns, 1)


def some_units(model: VisionModel, site: str) -> list[Unit]:
    tokens = {"head": [""], "patch_embed": ["", "@0", "@7"]}.get(site, ["", "@cls", "@1", "@9"])
    return [unit for token in tokens for unit in units(model, f"{site}:4,0{token}")]


@pytest.mark.parametrize("site", SITES)
def test_values_and_gradients_equal_those_of_hooks_on_the_whole_model(
    model: VisionModel, site: str
) -> None:
    wanted = some_units(model, site)
    images = pictures(len(wanted)).requires_grad_()
    values, right = readout(model, wanted)(images), expected(model, wanted, images)
    torch.testing.assert_close(values, right, rtol=1e-9, atol=1e-11)
    weights = torch.randn_like(right)
    (gradient,) = torch.autograd.grad((values * weights).sum(), images)
    (right_gradient,) = torch.autograd.grad((right * weights).sum(), images)
    torch.testing.assert_close(gradient, right_gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("site", SITES)
def test_paired_values_and_gradients_are_those_of_unit_i_on_image_i(
    model: VisionModel, site: str
) -> None:
    wanted = some_units(model, site)
    images = pictures(len(wanted)).requires_grad_()
    values = readout(model, wanted).paired(images)
    right = expected(model, wanted, images).diagonal()
    torch.testing.assert_close(values, right, rtol=1e-9, atol=1e-11)
    (gradient,) = torch.autograd.grad(values.sum(), images)
    (right_gradient,) = torch.autograd.grad(right.sum(), images)
    torch.testing.assert_close(gradient, right_gradient, rtol=1e-9, atol=1e-11)


def test_units_of_several_sites_are_read_in_the_order_asked_for(model: VisionModel) -> None:
    wanted = [unit for site in reversed(SITES) for unit in some_units(model, site)][::-3]
    assert len({unit.site for unit in wanted}) == len(SITES)
    images = pictures()
    torch.testing.assert_close(
        readout(model, wanted)(images), expected(model, wanted, images), rtol=1e-9, atol=1e-11
    )


@pytest.mark.parametrize("name", ["cueworld/vit", "cueworld/mixer", "cueworld/resnet"])
def test_a_readout_of_a_trained_model_is_the_hooked_value_to_rounding(name: str) -> None:
    trained = load(name, device="cpu")
    layers = [site for site in trained.sites.values() if site.kind == "layer"]
    sites = [site for site in layers if site.path not in ("stem", "patch_embed")]
    images = torch.rand(2, 3, 128, 128)
    for site in (sites[1], sites[len(sites) // 2], sites[-1]):
        wanted = units(trained, f"{site.path}:0-3")
        right = torch.stack(
            [
                naive_readout(trained.module, (images - 0.5) / 0.5, unit, site.owner, site.prefix)
                for unit in wanted
            ],
            1,
        )
        wrong = (readout(trained, wanted)(images) - right).abs().max()
        assert wrong <= 1e-5 * right.abs().max()


def test_a_patch_embedding_unit_at_a_token_is_that_row_of_the_embedding(
    model: VisionModel,
) -> None:
    embedding: Any = model.module.patch_embed
    images = pictures(2)
    row = embedding(model.normalize(images))[:, 7]
    values = readout(model, units(model, "patch_embed:all@7"))(images)
    torch.testing.assert_close(values, row, rtol=1e-9, atol=1e-11)


def count_calls(module: nn.Module) -> Counter[str]:
    calls: Counter[str] = Counter()

    def wrap(path: str, forward: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            calls[path] += 1
            return forward(*arguments, **named)

        return counted

    # Layers are counted by a hook, because one with a replaced forward is run in full.
    for path, part in module.named_modules():
        if not isinstance(part, nn.Linear | nn.Conv2d):
            part.forward = wrap(path, part.forward)
    for path, part in module.named_modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.register_forward_hook(lambda *_, path=path: calls.update([path]))
    return calls


@pytest.mark.parametrize("paired", [False, True])
def test_neither_the_layer_of_the_units_nor_any_later_layer_runs(
    model: VisionModel, paired: bool
) -> None:
    read = readout(model, units(model, "blocks.1.mlp.fc1:0-2@cls"))
    calls = count_calls(model.module)
    (read.paired if paired else read)(pictures())
    assert calls["blocks.0"] == calls["blocks.0.mlp.fc2"] == calls["blocks.1.attn.proj"] == 1
    late = [f"blocks.1.mlp.{part}" for part in ("fc1", "act", "fc2")]
    late += ["blocks.2", "norm", "head", "head_drop", "fc_norm"]
    assert [calls[path] for path in late] == [0] * len(late)
    assert not any(path.startswith("blocks.2") for path in calls)


def trace(module: nn.Module) -> list[Any]:
    parts = [
        (part.training, dict(part._forward_hooks), dict(part._forward_pre_hooks))
        for part in module.modules()
    ]
    return [*parts, *((weight.requires_grad, weight.grad) for weight in module.parameters())]


@pytest.mark.parametrize("paired", [False, True])
def test_a_model_in_training_is_read_as_in_evaluation_and_left_in_training(
    model: VisionModel, paired: bool
) -> None:
    read = readout(model, units(model, "blocks.2.mlp.fc1:0-2"))
    call = read.paired if paired else read
    images = pictures().requires_grad_()
    right = call(images)
    model.module.train()
    blocks: Any = model.module.blocks
    blocks[1].eval()
    blocks[0].requires_grad_(False)
    before, state = trace(model.module), torch.random.get_rng_state()
    values = call(images)
    torch.autograd.backward(values.sum())
    assert torch.equal(values, right)
    assert trace(model.module) == before
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("paired", [False, True])
def test_an_exception_in_the_model_propagates_and_leaves_no_trace(
    model: VisionModel, paired: bool
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    read = readout(model, units(model, "blocks.1.mlp.fc1:0-2"))
    model.module.train()
    handle = model.module.get_submodule("blocks.1.norm1").register_forward_hook(fail)
    before = trace(model.module)
    with pytest.raises(ZeroDivisionError):
        (read.paired if paired else read)(pictures())
    assert trace(model.module) == before
    handle.remove()
    assert (read.paired if paired else read)(pictures()).isfinite().all()


def test_hooks_of_the_user_fire_once_and_what_they_change_is_read(model: VisionModel) -> None:
    fired = []

    def double(_layer: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        fired.append(1)
        return (2 * inputs[0],)

    wanted, images = some_units(model, "blocks.1.mlp.fc1"), pictures(8)
    plain = readout(model, wanted)(images)
    handle = model.module.get_submodule("blocks.1.mlp.fc1").register_forward_pre_hook(double)
    values = readout(model, wanted)(images)
    assert fired == [1]
    torch.testing.assert_close(values, expected(model, wanted, images), rtol=1e-9, atol=1e-11)
    assert not torch.allclose(values, plain)
    assert list(model.module.get_submodule("blocks.1.mlp.fc1")._forward_pre_hooks) == [handle.id]


class InPlace(nn.Module):
    """A layer whose input is changed in place after the layer has run."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        values: Tensor = self.first(images)
        values += self.second(images.mul_(2))
        return values


def test_a_later_change_of_the_input_in_place_does_not_change_the_value() -> None:
    model = VisionModel("in place", InPlace(), 4, (0.0,) * 3, (1.0,) * 3)
    images = torch.rand(2, 3, 4, 4)
    alone = readout(model, [Unit("first", 0)])(images)
    both = readout(model, [Unit("first", 0), Unit("second", 0)])(images)
    assert torch.equal(both[:, :1], alone)


def test_readouts_work_without_gradients_and_after_inference_mode(model: VisionModel) -> None:
    wanted, images = some_units(model, "blocks.1.mlp.fc1"), pictures(8)
    right = readout(model, wanted)(images)
    with torch.no_grad():
        assert torch.equal(readout(model, wanted)(images), right)
    with torch.inference_mode():
        made_in_inference_mode = readout(model, wanted)
        assert torch.equal(made_in_inference_mode(images), right)
    images.requires_grad_()
    (gradient,) = torch.autograd.grad(made_in_inference_mode.paired(images).sum(), images)
    assert gradient.abs().amax((1, 2, 3)).min() > 0


def test_gradients_pass_through_a_frozen_checkpointed_model(model: VisionModel) -> None:
    model.module.requires_grad_(False)
    read = readout(model, units(model, "blocks.2.mlp.fc1:0-2"))
    images = pictures().requires_grad_()
    (right,) = torch.autograd.grad(read.paired(images).sum(), images)
    module: Any = model.module
    module.set_grad_checkpointing(True)
    (gradient,) = torch.autograd.grad(read.paired(images).sum(), images)
    torch.testing.assert_close(gradient, right, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_values_have_the_dtype_of_the_images_whatever_that_of_the_weights(
    model: VisionModel, dtype: torch.dtype, paired: bool
) -> None:
    right = readout(model, units(model, "blocks.1.mlp.fc1:0-2"))
    images = pictures()
    near = (right.paired if paired else right)(images)
    model.module.to(dtype)
    read = readout(model, units(model, "blocks.1.mlp.fc1:0-2"))
    values = (read.paired if paired else read)(images.float())
    assert values.dtype == torch.float32
    rough = 0.05 if dtype == torch.bfloat16 else 1e-5
    assert (values - near).abs().max() <= rough * near.abs().max()


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 1, SIZE, SIZE),
        torch.zeros(2, 3, SIZE, SIZE + 1),
        torch.zeros(3, SIZE, SIZE),
        torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8),
        torch.zeros(2),
    ],
)
@pytest.mark.parametrize("paired", [False, True])
def test_images_of_another_shape_or_kind_are_refused(
    model: VisionModel, images: Tensor, paired: bool
) -> None:
    read = readout(model, units(model, "head:0-2")[: len(images)])
    with pytest.raises(FeatvizError, match=r"reads floating-point images \(N, 3, 32, 32\), not "):
        (read.paired if paired else read)(images)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_pairs_need_as_many_images_as_units(model: VisionModel, count: int) -> None:
    read = readout(model, units(model, "blocks.0.mlp.fc1:0-1"))
    with pytest.raises(FeatvizError, match=f"2 units need 2 images, not {count}"):
        read.paired(pictures(count))


def test_pairs_may_be_of_several_sites(model: VisionModel) -> None:
    read = readout(model, units(model, "head:0", "patch_embed:0@3", "blocks.0.mlp.fc1:1"))
    images = pictures(3)
    torch.testing.assert_close(read.paired(images), read(images).diagonal())


def test_a_readout_without_units_refuses_pairs(model: VisionModel) -> None:
    with pytest.raises(FeatvizError, match="there is no unit to read"):
        readout(model, []).paired(pictures(0))


@pytest.mark.parametrize(
    "unit",
    [
        Unit("head", 5),
        Unit("head", -1),
        Unit("head", 0, "cls"),
        Unit("patch_embed", 0, "cls"),
        Unit("blocks.0.mlp.fc1", 0, -1),
        Unit("blocks.0.mlp.fc1", 0, 18),
        Unit("nowhere", 0),
    ],
)
def test_units_that_do_not_exist_are_refused_when_the_readout_is_made(
    model: VisionModel, unit: Unit
) -> None:
    with pytest.raises(FeatvizError):
        readout(model, [unit])


def test_the_output_of_a_block_and_what_is_inside_it_are_read_together(model: VisionModel) -> None:
    inside = ["blocks.1.resid_post:3@2", "blocks.1.mlp.fc1:4@cls", "blocks.1.attn.qk:0@q1.k3"]
    images = pictures()
    for selectors in (inside, [*inside, "head:0"], inside[::-1]):
        together = readout(model, units(model, *selectors))(images)
        alone = [readout(model, units(model, each))(images) for each in selectors]
        torch.testing.assert_close(together, torch.cat(alone, 1))
