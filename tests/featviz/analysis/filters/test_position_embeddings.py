from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import nn

import featviz
from featviz.analysis.filters.position_embeddings import patch_positions, similarities
from featviz.models.vision_model import VisionModel

HALF = (0.5, 0.5, 0.5)
SMALL: dict[str, Any] = {"num_classes": 2, "embed_dim": 8, "depth": 1, "num_heads": 2}
# timm gives it no types.
DISTILLED: nn.Module = VisionTransformerDistilled(  # type: ignore[no-untyped-call]
    img_size=32, patch_size=8, **SMALL
)


def wrap(module: nn.Module) -> VisionModel:
    return VisionModel("mine", module.eval(), 32, HALF, HALF)


def numbered(module: nn.Module) -> VisionModel:
    """Give token n the embedding (n, n, ...)."""
    weight = module.get_parameter("pos_embed")
    weight.data = torch.arange(weight.shape[1])[None, :, None].expand(weight.shape).float()
    return wrap(module)


def test_similarities_are_the_cosines_between_patches_without_the_class_token() -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    positions = patch_positions(model)
    assert positions is not None
    maps = similarities(positions).numpy()
    tokens = model.module.state_dict()["pos_embed"][0].double().numpy()
    assert (tokens.shape[0], maps.shape, maps.dtype.str) == (65, (64, 8, 8), "<f4")
    for query, row, column in [(0, 0, 0), (17, 2, 1), (17, 5, 6), (63, 0, 7), (40, 7, 3)]:
        one, other = tokens[1 + query], tokens[1 + 8 * row + column]
        cosine = one @ other / np.sqrt((one @ one) * (other @ other))
        assert maps[query, row, column] == pytest.approx(cosine, abs=1e-6)
    flat = maps.reshape(64, 64)
    np.testing.assert_allclose(flat, flat.T, atol=1e-7)
    np.testing.assert_allclose(np.diag(flat), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("module", "first"),
    [
        (VisionTransformer(32, 8, **SMALL), 1),
        (VisionTransformer(32, 8, reg_tokens=3, **SMALL), 4),
        (VisionTransformer(32, 8, no_embed_class=True, **SMALL), 0),
        (VisionTransformer(32, 8, class_token=False, global_pool="avg", **SMALL), 0),
        (DISTILLED, 2),
    ],
)
def test_any_number_of_prefix_tokens_is_left_out(module: nn.Module, first: int) -> None:
    positions = patch_positions(numbered(module))
    assert positions is not None
    assert positions[..., 0].tolist() == [
        [first + 4 * row + column for column in range(4)] for row in range(4)
    ]


def test_embeddings_are_found_by_their_name_in_torchvision() -> None:
    with torch.random.fork_rng():
        module = torchvision.models.VisionTransformer(32, 8, 1, 2, 8, 8)
    positions = patch_positions(wrap(module))
    assert positions is not None
    expected = module.state_dict()["encoder.pos_embedding"][0, 1:]
    assert torch.equal(positions.reshape(16, 8), expected)


def test_embeddings_on_a_grid_keep_it() -> None:
    module = nn.Module()
    module.pos_embed = nn.Parameter(torch.rand(1, 3, 3, 5))
    positions = patch_positions(wrap(module))
    assert positions is not None
    assert torch.equal(positions, module.pos_embed[0])


@pytest.mark.parametrize("shape", [(1, 7, 4), (1, 5, 3, 3), (2, 9, 4), (9, 4)])
def test_embeddings_that_are_not_on_a_square_grid_give_none(shape: tuple[int, ...]) -> None:
    module = nn.Module()
    module.pos_embed = nn.Parameter(torch.rand(shape))
    assert patch_positions(wrap(module)) is None


@pytest.mark.parametrize("name", ["mixer", "resnet"])
def test_models_without_position_embeddings_have_none(name: str) -> None:
    assert patch_positions(featviz.load(f"cueworld/{name}", device="cpu")) is None


def test_similarities_of_embeddings_calculated_by_hand() -> None:
    positions = torch.tensor([[[3.0, 4.0], [-6.0, -8.0]], [[4.0, -3.0], [0.0, 0.0]]])
    expected = [
        [[1, -1], [0, 0]],
        [[-1, 1], [0, 0]],
        [[0, 0], [1, 0]],
        [[0, 0], [0, 0]],
    ]
    torch.testing.assert_close(similarities(positions), torch.tensor(expected).float())
