from __future__ import annotations

import pytest
import torch
from torch import nn

import featviz
from featviz.analysis.compare.representations import representations
from featviz.data.datasets import open_data
from featviz.models.blocks.representations import find_layers, pool
from featviz.models.vision_model import VisionModel
from tests.featviz.toys import toy_vit


def test_the_layers_of_a_transformer_are_its_stem_its_blocks_and_its_head() -> None:
    expected = ["patch_embed", *(f"blocks.{block}" for block in range(4)), "head"]
    assert find_layers(toy_vit()) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cueworld/resnet", "conv1 layer1.0 layer1.1 layer2.0 layer2.1 layer3.0 layer3.1 layer4.0"),
        ("cueworld/mixer", "stem blocks.0 blocks.1 blocks.2"),
        ("convnext_atto", "stem.0 stages.0.blocks.0 stages.0.blocks.1 stages.1.downsample.1"),
        ("efficientnet_b0", "conv_stem blocks.0.0 blocks.1.0 blocks.1.1 blocks.2.0"),
        ("torchvision/mobilenet_v3_small", "features.0.0 features.1 features.2 features.3"),
        ("torchvision/googlenet", "conv1 conv2 conv3 inception3a inception3b inception4a"),
    ],
)
def test_the_layers_of_other_models_are_blocks_and_not_their_parts(
    name: str, expected: str
) -> None:
    model = featviz.load(name, untrained=not name.startswith("cueworld/"), device="cpu")
    wanted = expected.split()
    assert find_layers(model)[: len(wanted)] == wanted


class Odd(nn.Module):
    """One layer is run twice, one never, one on rows that are no images, one as it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.never = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.split, self.once = nn.Linear(8, 8), nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        images = self.twice(self.twice(images))
        images = self.split(images.flatten(0, 1)).unflatten(0, (len(images), 3))
        logits: torch.Tensor = self.once(images.mean((2, 3)))
        return logits


def test_only_layers_that_see_each_image_once_are_layers() -> None:
    model = VisionModel("odd", Odd(), 8, (0, 0, 0), (1, 1, 1))
    assert find_layers(model) == ["once"]


def test_representations_are_means_over_patches_of_what_the_layers_put_out() -> None:
    model, data = toy_vit(), open_data("cueworld:5")
    found = representations(model, data, ["patch_embed", "blocks.1", "head"], batch=2)
    images = torch.cat([images for images, _ in data.batches(32)])
    vit = model.module
    assert isinstance(vit.blocks, nn.Sequential)
    with torch.no_grad():
        patches = vit.patch_embed(model.normalize(images))  # type: ignore[operator]
        tokens = torch.cat([vit.cls_token.expand(5, -1, -1), patches], 1) + vit.pos_embed  # type: ignore[operator]
        second = vit.blocks[1](vit.blocks[0](tokens))
        logits = vit(model.normalize(images))
    close = {"patch_embed": patches.mean(1), "blocks.1": second[:, 1:].mean(1), "head": logits}
    assert list(found) == list(close)
    for path, expected in close.items():
        torch.testing.assert_close(found[path], expected)


def test_maps_are_averaged_over_positions_wherever_the_channels_are() -> None:
    maps = torch.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4)
    expected = maps.mean((2, 3))
    assert torch.equal(pool(maps, 0), expected)
    assert torch.equal(pool(maps.permute(0, 2, 3, 1), 0), expected)
    assert torch.equal(pool(maps[:, :, :1, :1], 0), maps[:, :, 0, 0])


def test_tokens_are_averaged_without_class_and_register_tokens() -> None:
    tokens = torch.arange(12.0).reshape(1, 6, 2)
    assert pool(tokens, 2).tolist() == [[7, 8]]
    assert pool(tokens[:, :4], 2).tolist() == [[3, 4]]  # a square without any prefix


def test_the_model_is_left_as_found() -> None:
    model = toy_vit()
    model.module.train()
    representations(model, open_data("cueworld:2"), find_layers(model))
    assert model.module.training
    assert not any(part._forward_hooks for part in model.module.modules())
