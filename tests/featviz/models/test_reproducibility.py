from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

import featviz
from featviz.errors import FeatvizError
from featviz.models.vision_model import VisionModel
from tests.featviz.toys import toy_vit

MIXED = (
    "no units: its value for an image depends on the rest of the batch; first changed layer: {}$"
)
RANDOM = "no units: two forward passes give it different values; first changed layer: {}$"


def wrap(module: nn.Module) -> VisionModel:
    return featviz.wrap(module, image_size=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def network(*middle: nn.Module) -> nn.Sequential:
    """Return a convolution, some other modules, a convolution and a head."""
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return nn.Sequential(nn.Conv2d(3, 8, 3), *middle, nn.Conv2d(8, 4, 3), head)


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(inputs)


class NoisyAttention(nn.Module):
    """An attention whose input is noisy."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(8)
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.norm(dropout(self.embed(images).flatten(2).mT))
        output: Tensor = self.attn(tokens, tokens, tokens, need_weights=False)[0]
        return output


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(8, track_running_stats=False),
        Function(lambda values: values / values.abs().max()),
        Function(lambda values: values - values.mean(0)),
    ],
    ids=["batch norm", "largest value", "mean"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layers_after_one_that_mixes_the_images_of_a_batch_are_refused(
    layer: nn.Module, dtype: torch.dtype
) -> None:
    model = wrap(network(layer, nn.ReLU()).to(dtype))
    assert list(model.sites) == ["0"]
    for path in ("3", "4.2"):
        with pytest.raises(FeatvizError, match=MIXED.format(rf"1 \({type(layer).__name__}\)")):
            featviz.units(model, f"{path}:0")


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_layers_after_dropout_that_is_always_on_are_refused(share: float) -> None:
    model = wrap(network(Function(lambda values: dropout(values, share))))
    assert list(model.sites) == ["0"]
    for path in ("2", "3.2"):
        with pytest.raises(FeatvizError, match=RANDOM.format(r"1 \(Function\)")):
            featviz.readout(model, f"{path}:0")


def test_a_layer_that_is_random_itself_is_named() -> None:
    class NoisyLinear(nn.Linear):
        def forward(self, inputs: Tensor) -> Tensor:
            return dropout(super().forward(inputs))

    model = wrap(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), NoisyLinear(8 * 14 * 14, 64)))
    assert list(model.sites) == ["0"]
    with pytest.raises(FeatvizError, match=RANDOM.format(r"2 \(NoisyLinear\)")):
        model.sites["2"]


def test_logits_of_an_attention_with_a_random_input_are_refused() -> None:
    model = wrap(NoisyAttention())
    assert list(model.sites) == ["embed"]
    for path in ("attn.qk", "attn.qk_mode"):
        with pytest.raises(FeatvizError, match=RANDOM.format(r"norm \(LayerNorm\)")):
            model.sites[path]


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(8),
        nn.GroupNorm(2, 8),
        nn.InstanceNorm2d(8),
        nn.Dropout(0.5),
        nn.LayerNorm([8, 14, 14]),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_layers_that_keep_images_apart_in_evaluation_mode_are_not_refused(
    layer: nn.Module, dtype: torch.dtype
) -> None:
    assert list(wrap(network(layer).to(dtype)).sites) == ["0", "2", "3.2"]


@pytest.mark.parametrize("name", ["cueworld/vit", "cueworld/mixer", "cueworld/resnet"])
def test_every_layer_of_the_bundled_models_has_units(name: str) -> None:
    model = featviz.load(name, device="cpu")
    model.module.train()
    layers = sum(isinstance(part, nn.Linear | nn.Conv2d) for part in model.module.modules())
    assert sum(site.kind == "layer" for site in model.sites.values()) == layers


def test_finding_layers_leaves_the_random_state_as_it_was() -> None:
    model = wrap(network(Function(dropout)))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert list(model.sites) == ["0"]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_with_weights_of_nan_has_layers() -> None:
    model = toy_vit()
    expected = list(model.sites)
    broken = toy_vit()
    for weight in broken.module.parameters():
        weight.fill_(float("nan"))
    assert list(broken.sites) == expected
