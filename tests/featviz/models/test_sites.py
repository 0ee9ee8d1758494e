from __future__ import annotations

from typing import Any

import pytest
import torch
from timm.models.convnext import ConvNeXt
from timm.models.deit import VisionTransformerDistilled
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from featviz import load
from featviz.errors import FeatvizError
from featviz.models.sites import Site
from featviz.models.vision_model import VisionModel

HALF = (0.5, 0.5, 0.5)


def wrap(module: nn.Module, size: int) -> VisionModel:
    return VisionModel("mine", module, size, HALF, HALF)


@pytest.fixture(scope="module")
def vit() -> VisionModel:
    return load("cueworld/vit", device="cpu")


@pytest.fixture(scope="module")
def swin() -> VisionModel:
    """Windows of 2 x 2 tokens, stages of 8 x 8 and 4 x 4."""
    module = SwinTransformer(
        32, 4, num_classes=3, embed_dim=8, depths=(2, 1), num_heads=(1, 1), window_size=2
    )
    return wrap(module, 32)


def test_the_layers_of_a_vit_are_linear_and_convolutional_and_in_forward_order(
    vit: VisionModel,
) -> None:
    layers = ["attn.qk", "attn.qk_mode", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"]
    blocks = [f"blocks.{block}.{layer}" for block in range(12) for layer in layers]
    found = [path for path, site in vit.sites.items() if site.kind != "activation"]
    assert found == ["patch_embed", *blocks, "head"]
    assert len(vit.sites) == 74 + 12 * 10


def test_a_layer_of_a_vit_has_its_class_token_before_a_grid_of_patches(vit: VisionModel) -> None:
    path = "blocks.3.mlp.fc1"
    assert vit.sites[path] == Site(path, path, 512, 65, (8, 8), 1)
    path = "blocks.11.attn.qkv"
    assert vit.sites[path] == Site(path, path, 384, 65, (8, 8), 1)


def test_the_patch_embedding_has_a_short_path_and_no_class_token(vit: VisionModel) -> None:
    site = Site("patch_embed", "patch_embed.proj", 128, 64, (8, 8), 0)
    assert vit.sites["patch_embed"] == vit.sites["patch_embed.proj"] == site


def test_the_head_has_one_value_an_image(vit: VisionModel) -> None:
    assert vit.sites["head"] == Site("head", "head", 18, 0, None, 0)


def test_the_token_layers_of_a_mixer_have_channels_as_positions_and_no_grid() -> None:
    model = load("cueworld/mixer", device="cpu")
    assert list(model.sites)[:7] == [
        "stem",
        "blocks.0.resid_pre",
        "blocks.0.mlp_tokens.fc1",
        "blocks.0.mlp_tokens.fc2",
        "blocks.0.mlp_channels.fc1",
        "blocks.0.mlp_channels.fc2",
        "blocks.0.resid_post",
    ]
    path = "blocks.2.mlp_tokens.fc1"
    assert model.sites[path] == Site(path, path, 64, 128, None, 0)
    path = "blocks.2.mlp_channels.fc1"
    assert model.sites[path] == Site(path, path, 512, 64, (8, 8), 0)


def test_the_sites_of_a_resnet_are_feature_maps() -> None:
    model = load("cueworld/resnet", device="cpu")
    path = "layer2.0.conv1"
    assert model.sites[path] == Site(path, path, 48, 256, (16, 16), 0)
    path = "layer4.0.downsample.0"
    assert model.sites[path] == Site(path, path, 192, 16, (4, 4), 0)
    assert model.sites["fc"] == Site("fc", "fc", 18, 0, None, 0)
    assert list(model.sites)[:3] == ["conv1", "layer1.0.conv1", "layer1.0.conv2"]


def test_a_distilled_vit_has_two_prefix_tokens() -> None:
    make: Any = VisionTransformerDistilled
    module = make(32, 16, num_classes=3, embed_dim=8, depth=1, num_heads=1)
    site = wrap(module, 32).sites["blocks.0.mlp.fc1"]
    assert (site.positions, site.grid, site.prefix) == (6, (2, 2), 2)


@pytest.mark.parametrize(("class_token", "registers"), [(True, 4), (False, 4), (False, 0)])
def test_registers_are_prefix_tokens(class_token: bool, registers: int) -> None:
    module = VisionTransformer(
        48,
        16,
        num_classes=3,
        embed_dim=8,
        depth=1,
        num_heads=1,
        reg_tokens=registers,
        class_token=class_token,
        global_pool="avg",
    )
    prefix = class_token + registers
    site = wrap(module, 48).sites["blocks.0.mlp.fc1"]
    assert (site.positions, site.grid, site.prefix) == (9 + prefix, (3, 3), prefix)


def test_the_patches_of_a_hybrid_are_counted_after_its_stem() -> None:
    model = load("vit_tiny_r_s16_p8_224", untrained=True, device="cpu")
    site = model.sites["blocks.0.mlp.fc1"]
    assert (site.positions, site.grid, site.prefix) == (50, (7, 7), 1)
    assert model.sites["patch_embed.backbone.conv"].grid == (112, 112)


def test_positions_of_a_layer_on_channels_last_maps_are_rows_and_columns() -> None:
    module = ConvNeXt(num_classes=3, depths=(1, 1, 1, 1), dims=(4, 8, 8, 8))
    path = "stages.1.blocks.0.mlp.fc1"
    assert wrap(module, 64).sites[path] == Site(path, path, 32, 64, (8, 8), 0)


def test_attention_in_windows_is_refused_and_the_rest_of_the_model_is_not(
    swin: VisionModel,
) -> None:
    path = "layers.0.blocks.1.mlp.fc1"
    assert swin.sites[path] == Site(path, path, 32, 64, (8, 8), 0)
    path = "layers.1.blocks.0.mlp.fc2"
    assert swin.sites[path] == Site(path, path, 16, 16, (4, 4), 0)
    with pytest.raises(
        FeatvizError, match=r"layers\.0\.blocks\.1\.attn\.qkv has no units: .*windows"
    ):
        swin.sites["layers.0.blocks.1.attn.qkv"]
    assert "layers.0.blocks.1.attn.qkv" not in swin.sites


def test_googlenet_is_listed_branch_by_branch() -> None:
    sites = load("torchvision/googlenet", untrained=True, device="cpu").sites
    path = "inception4a.branch3.1.conv"
    assert sites[path] == Site(path, path, 48, 196, (14, 14), 0)
    inside = [site for site in sites if site.startswith("inception3a.")]
    branches = ["branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1"]
    assert inside == [f"inception3a.{branch}.conv" for branch in branches]


class Attention(nn.Module):
    """Attention of torch, which reads the weights of its `out_proj` without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).mT
        mixed: Tensor = self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return mixed


def test_a_layer_whose_forward_is_never_called_is_refused() -> None:
    sites = wrap(Attention(), 8).sites
    vectors = [f"attention.{name}" for name in "qkv"]
    assert list(sites) == ["embed", "attention.qk", "attention.qk_mode", *vectors]
    with pytest.raises(FeatvizError, match=r"attention\.out_proj has no units: .*never called"):
        sites["attention.out_proj"]


class Crossed(Attention):
    """Attention whose keys are not its queries."""

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).mT
        mixed: Tensor = self.attention(tokens, 2 * tokens, tokens, need_weights=False)[0]
        return mixed


def test_attention_to_something_else_has_no_logits() -> None:
    with pytest.raises(FeatvizError, match=r"attention\.qk has no units: it is cross-attention"):
        wrap(Crossed(), 8).sites["attention.qk"]


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.again = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        values: Tensor = self.again(self.again(self.embed(images)))
        return values


def test_a_layer_that_is_called_twice_is_refused() -> None:
    sites = wrap(Twice(), 4).sites
    assert list(sites) == ["embed"]
    with pytest.raises(FeatvizError, match="again has no units: it is called 2 times"):
        sites["again"]


class Backwards(nn.Module):
    """Layers that are called in another order than they were made."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.first = nn.Linear(4, 2), nn.Conv2d(3, 4, 1)

    def forward(self, images: Tensor) -> Tensor:
        values: Tensor = self.last(self.first(images).mean((2, 3)))
        return values


def test_sites_are_listed_in_the_order_of_their_calls() -> None:
    assert list(wrap(Backwards(), 4).sites) == ["first", "last"]


def test_a_convolution_over_a_sequence_has_positions_without_a_grid() -> None:
    module = nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 5, 2))
    assert wrap(module, 4).sites["1"] == Site("1", "1", 5, 15, None, 0)


def test_a_single_token_is_no_prefix_before_an_empty_grid() -> None:
    module = nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 5, 16))
    model = wrap(module, 4)
    model.prefix_tokens = 1
    assert model.sites["1"] == Site("1", "1", 5, 1, (1, 1), 0)


def test_a_module_without_weights_has_no_sites() -> None:
    assert list(wrap(nn.Identity(), 4).sites) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("blocks.0.mlp.fcl", r"no module blocks\.0\.mlp\.fcl; did you mean blocks\.0\.mlp\.fc"),
        ("blocks.0.mlp", r"a Mlp, not .*; it contains blocks\.0\.mlp\.fc1, blocks\.0\.mlp\.fc2"),
        ("blocks.0.norm1", "a LayerNorm, not a convolution or linear layer"),
    ],
)
def test_a_path_without_a_site_is_refused_with_a_reason_and_is_not_in_the_mapping(
    vit: VisionModel, path: str, said: str
) -> None:
    with pytest.raises(FeatvizError, match=said):
        vit.sites[path]
    assert path not in vit.sites
    assert vit.sites.get(path) is None


def hooks(module: nn.Module) -> list[Any]:
    return [
        {**part._forward_hooks, **part._forward_pre_hooks, **part._backward_hooks}
        for part in module.modules()
    ]


@pytest.mark.parametrize("broken", [False, True])
def test_finding_sites_changes_neither_the_module_nor_the_random_state(broken: bool) -> None:
    module = VisionTransformer(
        8, 4, num_classes=3, embed_dim=4, depth=2, num_heads=1, proj_drop_rate=0.5
    )
    module.train()
    module.blocks[0].eval()
    module.head.requires_grad_(False)
    state = torch.random.get_rng_state()
    before = [part.training for part in module.modules()], hooks(module)
    learning = [weight.requires_grad for weight in module.parameters()]
    if broken:
        with pytest.raises(FeatvizError, match=r"cannot run on RGB images of 16 x 16 pixels: Inp"):
            wrap(module, 16).sites  # noqa: B018
    else:
        assert wrap(module, 8).sites
    assert ([part.training for part in module.modules()], hooks(module)) == before
    assert [weight.requires_grad for weight in module.parameters()] == learning
    assert all(weight.grad is None for weight in module.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_finding_sites_does_not_update_batch_statistics() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert list(wrap(module, 4).sites) == ["0"]
    after = module.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_sites_are_found_in_any_precision(dtype: torch.dtype) -> None:
    module = VisionTransformer(8, 4, num_classes=3, embed_dim=4, depth=1, num_heads=1).to(dtype)
    assert wrap(module, 8).sites["blocks.0.mlp.fc1"].positions == 5


def test_the_second_name_of_a_shared_module_points_to_the_first() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 4, 4), nn.Sequential(nn.Conv2d(4, 4, 1)), nn.Identity())
    module.append(nn.Identity())
    module[2].other = module[1]
    model = wrap(module, 8)
    for second, first in (("2.other", "1"), ("2.other.0", "1.0")):
        with pytest.raises(FeatvizError, match=f"^{second} is another name of {first}; use that"):
            _ = model.sites[second]


def test_layers_and_attentions_called_by_keyword_are_sites() -> None:
    class Keywords(nn.Module):
        def __init__(self, crossed: bool) -> None:
            super().__init__()
            self.crossed = crossed
            self.patches = nn.Conv2d(3, 8, 8, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 4)

        def forward(self, images: Tensor) -> Tensor:
            tokens = self.patches(input=images).flatten(2).mT
            keys = 1 + tokens if self.crossed else tokens
            mixed, _ = self.attention(query=tokens, key=keys, value=tokens, need_weights=False)
            return self.head(input=mixed.mean(1))  # type: ignore[no-any-return]

    vectors = [f"attention.{name}" for name in "qkv"]
    sites = ["patches", "attention.qk", "attention.qk_mode", *vectors, "head"]
    assert list(wrap(Keywords(crossed=False), 32).sites) == sites
    model = wrap(Keywords(crossed=True), 32)
    assert list(model.sites) == ["patches", "head"]
    with pytest.raises(FeatvizError, match="cross-attention"):
        _ = model.sites["attention.qk"]
