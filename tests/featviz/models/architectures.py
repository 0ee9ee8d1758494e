"""Layers and token grids of models of other architectures, from their papers and code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grid = tuple[int, int]


@dataclass(frozen=True)
class Layer:
    """A layer whose channels are units.

    Attributes
    ----------
    path : str
    width : int
        Number of channels.
    positions : int
        Number of positions, with prefix tokens; 0 for none.
    grid : (int, int) or None
        Rows and columns of the token grid, if the positions have one.
    prefix : int
        Number of tokens before the grid.
    moves : str or None
        Where the output changes when some patches of the image change: "only" at their positions,
        "most" at one of them, "near" one of them (after overlapping convolutions), or "elsewhere",
        if positions are not in row-major order.
    """

    path: str
    width: int
    positions: int
    grid: Grid | None = None
    prefix: int = 0
    moves: Literal["only", "most", "near", "elsewhere", None] = None


@dataclass(frozen=True)
class Architecture:
    """A model that `featviz.load` knows, without trained weights."""

    name: str
    side: int
    preset: str
    patch: int
    has_class_token: bool
    layers: tuple[Layer, ...]
    refused: tuple[tuple[str, str], ...] = ()


WINDOWS = "does not keep one row for each image"
UNCALLED = "its forward is never called as a module"
BLIND = "its input does not depend on the image"

FAST = [
    Architecture(
        "mixer_s32_224",
        224,
        "vit",
        32,
        False,
        (
            Layer("stem", 512, 49, (7, 7), 0, "only"),
            Layer("blocks.0.mlp_tokens.fc1", 256, 512),
            Layer("blocks.0.mlp_channels.fc1", 2048, 49, (7, 7), 0, "most"),
            Layer("blocks.7.mlp_channels.fc2", 512, 49, (7, 7), 0, "most"),
            Layer("head", 1000, 0),
        ),
    ),
    Architecture(
        "resmlp_12_224",
        224,
        "vit",
        16,
        False,
        (
            Layer("blocks.0.linear_tokens", 196, 384),
            Layer("blocks.2.mlp_channels.fc1", 1536, 196, (14, 14), 0, "most"),
        ),
    ),
    Architecture(
        "gmlp_ti16_224",
        224,
        "vit",
        16,
        False,
        (
            Layer("blocks.0.mlp_channels.fc1", 768, 196, (14, 14), 0, "only"),
            Layer("blocks.0.mlp_channels.gate.proj", 196, 384),
        ),
    ),
    Architecture(
        "torchvision/googlenet",
        224,
        "cnn",
        1,
        False,
        (
            Layer("conv1.conv", 64, 12544, (112, 112), 0, "most"),
            Layer("inception3a.branch1.conv", 64, 784, (28, 28), 0, "most"),
            Layer("inception4a.branch3.1.conv", 48, 196, (14, 14)),
            Layer("fc", 1000, 0),
        ),
    ),
    Architecture(
        "test_resnet",
        160,
        "cnn",
        1,
        False,
        (
            Layer("conv1.0", 16, 6400, (80, 80), 0, "most"),
            Layer("layer2.0.conv1", 48, 400, (20, 20), 0, "most"),
            Layer("fc", 1000, 0),
        ),
    ),
    Architecture(
        "test_convnext",
        160,
        "cnn",
        1,
        False,
        (
            Layer("stem.0", 24, 1600, (40, 40), 0, "only"),
            Layer("stages.0.blocks.0.conv_dw", 24, 1600, (40, 40), 0, "most"),
            # A linear layer on (N, rows, columns, channels) ...
            Layer("stages.1.blocks.0.mlp.fc1", 128, 400, (20, 20), 0, "near"),
        ),
    ),
    Architecture(
        "convnext_zepto_rms",
        224,
        "cnn",
        1,
        False,
        # ... and a convolution on (N, channels, rows, columns).
        (Layer("stages.1.blocks.0.mlp.fc1", 256, 784, (28, 28), 0, "near"),),
    ),
    Architecture(
        "swin_tiny_patch4_window7_224",
        224,
        "vit",
        4,
        False,
        (
            Layer("patch_embed", 96, 3136, (56, 56), 0, "only"),
            Layer("layers.0.blocks.1.mlp.fc1", 384, 3136, (56, 56), 0, "most"),
            Layer("layers.1.downsample.reduction", 192, 784, (28, 28), 0, "most"),
            Layer("layers.2.blocks.0.mlp.fc1", 1536, 196, (14, 14), 0, "most"),
            # The last stage is a single window.
            Layer("layers.3.blocks.1.attn.qkv", 2304, 49, (7, 7)),
        ),
        (("layers.0.blocks.0.attn.qkv", WINDOWS), ("layers.2.blocks.5.attn.proj", WINDOWS)),
    ),
    Architecture(
        "test_vit",
        160,
        "vit",
        16,
        True,
        (
            Layer("patch_embed", 64, 100, (10, 10), 0, "only"),
            Layer("blocks.0.attn.qkv", 192, 101, (10, 10), 1, "only"),
            Layer("blocks.0.mlp.fc1", 192, 101, (10, 10), 1, "most"),
            Layer("blocks.5.mlp.fc2", 64, 101, (10, 10), 1, "most"),
            Layer("head", 1000, 0),
        ),
    ),
    Architecture(
        "test_vit3",  # a register, no class token, pooling by attention
        160,
        "vit",
        16,
        False,
        (
            Layer("blocks.0.attn.qkv", 288, 101, (10, 10), 1, "only"),
            Layer("attn_pool.kv", 192, 101, (10, 10), 1, "most"),
            Layer("attn_pool.mlp.fc1", 192, 1, (1, 1)),
        ),
        # The query of the pooling is learned.
        (("attn_pool.q", BLIND),),
    ),
    Architecture(
        "vit_xsmall_patch16_clip_224",
        224,
        "vit",
        16,
        True,
        (
            Layer("patch_embed", 256, 196, (14, 14), 0, "only"),
            Layer("blocks.1.mlp.fc1", 1024, 197, (14, 14), 1, "most"),
            Layer("head", 512, 0),
        ),
    ),
    Architecture(
        "deit_tiny_distilled_patch16_224",
        224,
        "vit",
        16,
        True,
        (
            Layer("blocks.0.attn.qkv", 576, 198, (14, 14), 2, "only"),
            Layer("blocks.1.mlp.fc1", 768, 198, (14, 14), 2, "most"),
            Layer("head_dist", 1000, 0),
        ),
    ),
    Architecture(
        "eva02_tiny_patch14_224",
        224,
        "vit",
        14,
        True,
        (
            Layer("patch_embed", 192, 256, (16, 16), 0, "only"),
            # Both parts of a gated MLP, 2 x 512 channels.
            Layer("blocks.0.mlp.fc1", 1024, 257, (16, 16), 1, "most"),
        ),
        (("blocks.0.attn.qkv", UNCALLED),),
    ),
    Architecture(
        "vit_tiny_patch16_dinov3_qkvb",
        256,
        "vit",
        16,
        True,
        (
            Layer("patch_embed", 192, 256, (16, 16), 0, "only"),
            Layer("blocks.0.mlp.fc1", 768, 261, (16, 16), 5, "most"),
            Layer("blocks.11.mlp.fc1", 768, 261, (16, 16), 5, "most"),
        ),
    ),
    Architecture(
        "cait_xxs24_224",
        224,
        "vit",
        16,
        True,
        (
            # The class token is added in the last two blocks only.
            Layer("blocks.0.attn.qkv", 576, 196, (14, 14), 0, "only"),
            Layer("blocks.0.mlp.fc1", 768, 196, (14, 14), 0, "most"),
            Layer("blocks_token_only.0.attn.k", 192, 197, (14, 14), 1, "most"),
            Layer("blocks_token_only.0.mlp.fc1", 768, 1, (1, 1)),
            # One channel per head, query and key.
            Layer("blocks.0.attn.proj_l", 4, 196 * 196),
            Layer("blocks.0.attn.proj_w", 4, 196 * 196),
        ),
        (("blocks_token_only.0.attn.q", BLIND),),
    ),
    Architecture(
        "xcit_nano_12_p16_224",
        224,
        "vit",
        16,
        True,
        (
            Layer("patch_embed.proj.6.0", 128, 196, (14, 14), 0, "near"),
            Layer("blocks.0.mlp.fc1", 512, 196, (14, 14), 0, "near"),
            Layer("blocks.0.local_mp.conv1", 128, 196, (14, 14), 0, "near"),
            Layer("cls_attn_blocks.0.attn.k", 128, 197, (14, 14), 1, "near"),
        ),
        (("pos_embed.token_projection", WINDOWS),),
    ),
    Architecture(
        "coat_lite_tiny",
        224,
        "vit",
        4,
        True,
        (
            # Each stage has its own class token.
            Layer("serial_blocks1.0.mlp.fc1", 512, 3137, (56, 56), 1, "most"),
            Layer("patch_embed2", 128, 784, (28, 28), 0, "most"),
            Layer("serial_blocks4.1.mlp.fc1", 1280, 50, (7, 7), 1, "most"),
        ),
        (("cpe1.proj", "it is called 2 times in one forward pass"),),
    ),
    Architecture(
        "crossvit_9_240",
        240,
        "vit",
        12,
        True,
        (
            # Two branches: patches of 12 pixels, and of 16 pixels in a downscaled image.
            Layer("patch_embed.0.proj", 128, 400, (20, 20), 0, "only"),
            Layer("blocks.0.blocks.0.0.mlp.fc1", 384, 401, (20, 20), 1, "most"),
            Layer("blocks.0.blocks.1.0.attn.qkv", 768, 197, (14, 14), 1, "most"),
            Layer("blocks.0.fusion.0.attn.wk", 256, 197, (14, 14), 1),
        ),
    ),
    Architecture(
        "pit_ti_distilled_224",
        224,
        "vit",
        8,
        True,
        (
            # Patches of 16 pixels that overlap by half.
            Layer("patch_embed.conv", 64, 729, (27, 27), 0, "most"),
            Layer("transformers.0.blocks.0.mlp.fc1", 256, 731, (27, 27), 2, "most"),
            Layer("transformers.1.pool.fc", 128, 2),
            Layer("transformers.2.blocks.0.mlp.fc1", 1024, 51, (7, 7), 2, "most"),
        ),
    ),
    Architecture(
        "pvt_v2_b0",
        224,
        "vit",
        4,
        False,
        (
            Layer("patch_embed.proj", 32, 3136, (56, 56), 0, "most"),
            Layer("stages.1.blocks.0.mlp.fc1", 512, 784, (28, 28), 0, "most"),
            Layer("stages.1.blocks.0.attn.kv", 128, 49, (7, 7), 0, "most"),
        ),
    ),
    Architecture(
        "hiera_tiny_224",
        224,
        "vit",
        4,
        False,
        (
            Layer("patch_embed.proj", 96, 3136, (56, 56), 0, "most"),
            Layer("blocks.0.mlp.fc1", 384, 3136, None, 0, "elsewhere"),
            Layer("blocks.4.mlp.fc1", 1536, 196, None, 0, "elsewhere"),
        ),
    ),
    Architecture(
        "convit_tiny",
        224,
        "vit",
        16,
        True,
        (
            Layer("blocks.0.mlp.fc1", 768, 196, (14, 14), 0, "most"),
            Layer("blocks.10.mlp.fc1", 768, 197, (14, 14), 1),
        ),
        (("blocks.0.attn.pos_proj", BLIND),),
    ),
    Architecture(
        "test_maxvit",
        160,
        "cnn",
        1,
        False,
        (
            Layer("stages.0.blocks.0.attn_block.mlp.fc1", 128, 1600, (40, 40), 0, "most"),
            Layer("stages.1.blocks.0.attn_grid.mlp.fc1", 256, 400, (20, 20), 0, "most"),
        ),
        (("stages.0.blocks.0.attn_block.attn.qkv", WINDOWS),),
    ),
    Architecture(
        "mobilevit_xxs",
        256,
        "cnn",
        1,
        False,
        (
            Layer("stages.0.0.conv2_kxk.conv", 32, 16384, (128, 128), 0, "near"),
            Layer("stages.2.1.conv_proj.conv", 48, 1024, (32, 32), 0, "most"),
        ),
        (("stages.2.1.transformer.0.mlp.fc1", WINDOWS),),
    ),
    Architecture(
        "mobilevitv2_050",
        256,
        "cnn",
        1,
        False,
        (
            Layer("stem.conv", 16, 16384, (128, 128), 0, "most"),
            Layer("stages.2.1.conv_1x1", 64, 1024, (32, 32), 0, "most"),
            # Four positions of a window (rows) by 256 windows.
            Layer("stages.2.1.transformer.0.mlp.fc1", 128, 1024, None, 0, "elsewhere"),
            Layer("stages.2.1.conv_proj.conv", 128, 1024, (32, 32), 0, "most"),
        ),
    ),
    Architecture(
        "test_efficientnet",
        160,
        "cnn",
        1,
        False,
        (
            Layer("conv_stem", 24, 6400, (80, 80), 0, "most"),
            Layer("blocks.3.0.conv_dw", 128, 100, (10, 10), 0, "most"),
            Layer("blocks.3.0.se.conv_reduce", 8, 1, (1, 1)),
            Layer("classifier", 1000, 0),
        ),
    ),
    Architecture(
        "levit_128s",
        224,
        "cnn",
        1,
        False,
        (
            Layer("stages.0.blocks.0.mlp.ln1.linear", 256, 196, (14, 14), 0, "near"),
            Layer("stages.1.downsample.attn_downsample.q.ln.linear", 128, 49, (7, 7), 0, "near"),
        ),
    ),
]

SLOW = [
    Architecture(
        "vit_small_patch14_reg4_dinov2",
        518,
        "vit",
        14,
        True,
        (
            Layer("patch_embed", 384, 1369, (37, 37), 0, "only"),
            Layer("blocks.0.attn.qkv", 1152, 1374, (37, 37), 5, "only"),
            Layer("blocks.1.mlp.fc1", 1536, 1374, (37, 37), 5, "most"),
        ),
    ),
    Architecture(
        "deit3_small_patch16_224",
        224,
        "vit",
        16,
        True,
        (Layer("blocks.1.mlp.fc1", 1536, 197, (14, 14), 1, "most"),),
    ),
    Architecture(
        "beit_base_patch16_224",
        224,
        "vit",
        16,
        True,
        (
            Layer("blocks.0.attn.proj", 768, 197, (14, 14), 1),
            Layer("blocks.1.mlp.fc1", 3072, 197, (14, 14), 1, "most"),
        ),
        (("blocks.0.attn.qkv", UNCALLED),),
    ),
    Architecture(
        "volo_d1_224",
        224,
        "vit",
        8,
        True,
        (
            Layer("patch_embed.proj", 192, 784, (28, 28), 0, "most"),
            Layer("network.0.0.mlp.fc1", 576, 784, (28, 28), 0, "most"),
            Layer("network.0.0.attn.attn", 486, 196, (14, 14), 0, "most"),
            Layer("post_network.0.attn.kv", 768, 197, (14, 14), 1),
            Layer("aux_head", 1000, 196, (14, 14)),
        ),
    ),
    Architecture(
        "vit_base_patch32_siglip_256",
        256,
        "vit",
        32,
        False,
        (
            Layer("blocks.0.attn.qkv", 2304, 64, (8, 8), 0, "only"),
            Layer("blocks.1.mlp.fc1", 3072, 64, (8, 8), 0, "most"),
            Layer("attn_pool.kv", 1536, 64, (8, 8), 0),
        ),
    ),
    Architecture(
        "naflexvit_base_patch16_gap",
        384,
        "vit",
        16,
        False,
        (
            Layer("embeds.proj", 768, 576, (24, 24), 0, "only"),
            Layer("blocks.0.attn.qkv", 2304, 580, (24, 24), 4, "only"),
            Layer("blocks.1.mlp.fc1", 3072, 580, (24, 24), 4, "most"),
        ),
    ),
    Architecture(
        "coat_tiny",
        224,
        "vit",
        4,
        True,
        (
            Layer("patch_embed1", 152, 3136, (56, 56), 0, "only"),
            Layer("parallel_blocks.0.factoratt_crpe3.qkv", 456, 197, (14, 14), 1),
            Layer("aggregate", 1, 152),
        ),
        (("parallel_blocks.0.mlp2.fc1", "it is called 3 times in one forward pass"),),
    ),
    Architecture(
        "torchvision/maxvit_t",
        224,
        "cnn",
        1,
        False,
        (
            Layer(
                "blocks.0.layers.0.layers.window_attention.mlp_layer.1",
                256,
                3136,
                None,
                0,
                "elsewhere",
            ),
        ),
    ),
    Architecture(
        "torchvision/vit_b_32",
        224,
        "vit",
        32,
        True,
        (
            Layer("conv_proj", 768, 49, (7, 7), 0, "only"),
            Layer("encoder.layers.encoder_layer_1.mlp.0", 3072, 50, (7, 7), 1, "most"),
        ),
        (("encoder.layers.encoder_layer_0.self_attention.out_proj", UNCALLED),),
    ),
    Architecture(
        "resnet50_clip",
        224,
        "cnn",
        1,
        False,
        (
            Layer("stages.0.0.conv2_kxk.conv", 64, 3136, (56, 56), 0, "most"),
            # Attention pooling: the mean over all positions precedes them.
            Layer("head.q", 2048, 50, (7, 7), 1, "most"),
            Layer("head.proj", 1024, 50, (7, 7), 1),
        ),
    ),
    Architecture(
        "nest_tiny",
        224,
        "vit",
        4,
        False,
        (
            Layer("levels.0.transformer_encoder.0.mlp.fc1", 384, 3136, None, 0, "elsewhere"),
            Layer("levels.1.pool.conv", 192, 3136, (56, 56), 0, "most"),
        ),
    ),
    Architecture(
        "twins_svt_small",
        224,
        "vit",
        4,
        False,
        (
            Layer("blocks.0.0.attn.qkv", 192, 3136, None, 0, "elsewhere"),
            Layer("blocks.0.0.mlp.fc1", 256, 3136, (56, 56), 0, "most"),
        ),
    ),
]
