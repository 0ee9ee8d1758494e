"""Layers that compute more than their weights say: adapters, hooks and computed weights."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz import VisionModel
from featviz.activations.readout import readout
from featviz.activations.single_token_attention import needs_single_token
from featviz.errors import FeatvizError
from featviz.models.acceleration import in_precision
from featviz.models.hooks import eval_mode, replace
from tests.featviz.toys import toy_vit

FC1 = "blocks.1.mlp.fc1"


class Adapter(nn.Linear):
    """A linear layer with a low-rank addition, as LoRA makes."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__(base.in_features, base.out_features)
        self.load_state_dict(base.state_dict())
        generator = torch.Generator().manual_seed(0)
        self.down = nn.Parameter(torch.randn(2, self.in_features, generator=generator))
        self.up = nn.Parameter(torch.randn(self.out_features, 2, generator=generator))

    def forward(self, inputs: Tensor) -> Tensor:
        return super().forward(inputs) + inputs @ self.down.T @ self.up.T

    def merged(self) -> nn.Linear:
        layer = nn.Linear(self.in_features, self.out_features)
        layer.weight.data = self.weight.data + self.up.data @ self.down.data
        layer.bias.data = self.bias.data
        return layer


def adapted(*names: str) -> tuple[VisionModel, VisionModel]:
    """A ViT with adapters on the layers `names` of all blocks, and the same with merged weights."""
    one, other = toy_vit(), toy_vit()
    for block, twin in zip(one.module.blocks, other.module.blocks, strict=True):  # type: ignore[arg-type]
        for name in names:
            parent, _, leaf = name.rpartition(".")
            adapter = Adapter(block.get_submodule(name))
            setattr(block.get_submodule(parent), leaf, adapter)
            setattr(twin.get_submodule(parent), leaf, adapter.merged())
    return one, other


def pictures(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def output_of(model: VisionModel, path: str, images: Tensor) -> Tensor:
    """Output of a layer as users see it: with its hooks, in evaluation mode."""
    found: list[Tensor] = []
    handle = model.module.get_submodule(path).register_forward_hook(
        lambda _module, _inputs, output: found.append(output)
    )
    with eval_mode(model.module):
        model(images)
    handle.remove()
    return found[0].detach()


def mean_of(model: VisionModel, path: str, images: Tensor, index: int) -> Tensor:
    return output_of(model, path, images)[:, 1:, index].mean(1)


@pytest.mark.parametrize("selector", [f"{FC1}:3", "blocks.3.mlp.fc1:3@cls", "head:1"])
def test_adapters_count_in_values_and_pictures(selector: str) -> None:
    one, other = adapted("attn.qkv", "attn.proj", "mlp.fc1")
    values, expected = (readout(model, selector)(pictures()) for model in (one, other))
    torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-5)
    first, second = (
        featviz.render(model, selector, steps=3, size=32, precision="float32")
        for model in (one, other)
    )
    torch.testing.assert_close(
        torch.from_numpy(first.trajectory),
        torch.from_numpy(second.trajectory),
        rtol=1e-3,
        atol=1e-4,
    )


@pytest.mark.parametrize("quantity", ["qk:0@same", "qk_mode:0.0"])
def test_logits_of_an_adapted_projection_are_refused_with_what_would_be_right(
    quantity: str,
) -> None:
    model, merged = adapted("attn.qkv")
    assert readout(merged, f"blocks.1.attn.{quantity}")(pictures()).shape == (2, 1)
    with pytest.raises(
        FeatvizError,
        match=r"is Attention, and its qkv is a Adapter, not a torch.nn.Linear; merge adapters",
    ):
        featviz.units(model, f"blocks.1.attn.{quantity}")


def test_logits_are_refused_once_a_hook_changes_queries_and_keys() -> None:
    model = toy_vit()
    units = featviz.units(model, "blocks.1.attn.qk:0@same")
    qkv = model.module.get_submodule("blocks.1.attn.qkv")
    with (
        replace(qkv, lambda call: 0 * call.output),
        pytest.raises(FeatvizError, match=r"it is Attention, and its qkv has hooks$"),
    ):
        readout(model, units)
    assert readout(model, units)(pictures()).shape == (2, 1)


def test_a_single_token_is_not_enough_if_the_projection_is_adapted_or_timms_class_patched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, (model, _) = toy_vit(), adapted("attn.qkv")
    (unit,) = featviz.units(plain, f"{FC1}:3@cls")
    assert needs_single_token(plain, unit)
    assert not needs_single_token(model, unit)
    kind: Any = type(plain.module.get_submodule("blocks.1.attn"))
    forward = kind.forward
    monkeypatch.setattr(kind, "forward", lambda *args, **named: 2 * forward(*args, **named))
    assert not needs_single_token(plain, unit)


def test_a_hook_of_the_user_on_the_layer_that_is_read_counts() -> None:
    model, images = toy_vit(), pictures().requires_grad_()
    layer = model.module.get_submodule(FC1)
    layer.register_forward_pre_hook(lambda _module, inputs: (2 * inputs[0],))
    layer.register_forward_hook(lambda _module, _inputs, output: output.square())
    values = readout(model, f"{FC1}:3")(images)
    torch.testing.assert_close(values[:, 0], mean_of(model, FC1, images, 3))
    paired = readout(model, [f"{FC1}:3", f"{FC1}:4"]).paired(images)
    torch.testing.assert_close(paired[1], mean_of(model, FC1, images, 4)[1])
    assert torch.autograd.grad(values.sum(), images)[0].any()


def test_a_class_patched_by_the_user_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, forward = toy_vit(), nn.Linear.forward
    monkeypatch.setattr(nn.Linear, "forward", lambda layer, inputs: forward(layer, inputs) / 2)
    expected = mean_of(model, FC1, pictures(), 3)
    torch.testing.assert_close(readout(model, f"{FC1}:3")(pictures())[:, 0], expected)


def test_a_convolution_with_another_kernel_counts() -> None:
    class Flipped(nn.Conv2d):
        def _conv_forward(self, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return super()._conv_forward(inputs, -weight, bias)  # type: ignore[no-any-return]

    wrapped = VisionModel("net", nn.Sequential(Flipped(3, 4, 8, 8)), 32, (0.5,) * 3, (0.5,) * 3)
    expected = wrapped(pictures())[:, 1].mean((1, 2))
    torch.testing.assert_close(readout(wrapped, "0:1")(pictures())[:, 0], expected)


@pytest.fixture
def normed() -> VisionModel:
    """A model whose last layer has the weight norm of old, which a hook computes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        last = nn.utils.weight_norm(nn.Linear(64, 4))
    module = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.Flatten(), last)
    return VisionModel("net", module, 32, (0.5,) * 3, (0.5,) * 3)


def test_weights_that_a_hook_computes_are_those_of_the_present_state(normed: VisionModel) -> None:
    read = readout(normed, "2:1")
    state = {name: 1.5 * weight for name, weight in normed.module.state_dict().items()}
    normed.module.load_state_dict(state)
    expected = normed(pictures())[:, 1].detach()
    values = read(pictures())[:, 0]
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(readout(normed, "2:1")(pictures())[:, 0], expected)


def test_weights_that_a_hook_computes_can_be_converted(normed: VisionModel) -> None:
    expected = normed(pictures())
    found = in_precision(normed, "bfloat16")(pictures())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05)


def test_making_a_readout_of_a_training_model_changes_no_buffer() -> None:
    model = toy_vit()
    nn.utils.parametrizations.spectral_norm(model.module.get_submodule(FC1))
    model.module.train()
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    expected = mean_of(model, FC1, pictures(), 3)
    torch.testing.assert_close(readout(model, f"{FC1}:3")(pictures())[:, 0], expected)
    for name, value in model.module.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    "selector", [f"{FC1}:3", "patch_embed:2", "head:1", "blocks.1.attn.qk:0@same"]
)
def test_values_inside_autocast_are_close_and_of_the_images_dtype(selector: str) -> None:
    read = readout(toy_vit(), selector)
    expected = read(pictures())
    with torch.autocast("cpu", torch.bfloat16):
        values = read(pictures())
    assert values.dtype == torch.float32
    assert not torch.equal(values, expected)
    torch.testing.assert_close(values, expected, rtol=0.1, atol=0.02)


def test_gradient_checkpointing_of_a_trainable_model_changes_no_gradient() -> None:
    model, gradients = toy_vit(), []
    model.module.train().requires_grad_(True)
    for enabled in (False, True):
        model.module.set_grad_checkpointing(enabled)  # type: ignore[operator]
        images = pictures().requires_grad_()
        readout(model, "head:1")(images).sum().backward()  # type: ignore[no-untyped-call]
        gradients.append(images.grad)
    assert gradients[0] is not None
    torch.testing.assert_close(*gradients)
    assert all(weight.grad is None for weight in model.module.parameters())


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize(
    "gradient",
    [
        lambda read, images: torch.func.grad(lambda given: read(given).sum())(images),
        lambda read, images: torch.func.vmap(torch.func.grad(lambda x: read(x[None]).sum()))(
            images
        ),
    ],
    ids=["grad", "vmap of grad"],
)
def test_function_transforms_give_the_gradients_of_autograd(
    gradient: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor],
) -> None:
    model, images = toy_vit(), pictures().requires_grad_()
    model.module.requires_grad_(True)
    read = readout(model, [f"{FC1}:3", "head:1"])
    (expected,) = torch.autograd.grad(read(images).sum(), images)
    torch.testing.assert_close(gradient(read, images.detach()), expected)


def test_a_layer_that_runs_without_gradients_is_named() -> None:
    class Frozen(nn.Sequential):
        def forward(self, images: Tensor) -> Tensor:
            with torch.no_grad():
                return super().forward(images)  # type: ignore[no-any-return,no-untyped-call]

    layers = nn.Conv2d(3, 4, 8, 8), nn.Flatten(), nn.Linear(64, 2), nn.Linear(2, 2)
    model = VisionModel("net", Frozen(*layers), 32, (0.5,) * 3, (0.5,) * 3)
    read = readout(model, ["2:1", "3:1"])
    assert read(pictures()).shape == (2, 2)
    with pytest.raises(FeatvizError, match=r"^2 of net runs without gradients, as inside"):
        read(pictures().requires_grad_())


def test_threads_that_share_a_model_read_their_own_images() -> None:
    model = toy_vit()
    model.module.train()
    read = readout(model, [f"{FC1}:3", "blocks.3.mlp.fc1:5"])
    batches = [pictures(), 1 - pictures()]
    expected = [read(images) for images in batches]
    same: list[bool] = []

    def work(images: Tensor, values: Tensor) -> None:
        same.extend(torch.equal(read(images), values) for _ in range(20))

    threads = [Thread(target=work, args=pair) for pair in zip(batches, expected, strict=True)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert same == [True] * 40
    assert all(part.training for part in model.module.modules())
