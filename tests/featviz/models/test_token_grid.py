from __future__ import annotations

import pytest
from timm.models.mlp_mixer import MlpMixer
from torch import nn

from featviz.models.token_grid import Grid, layout


def test_as_many_channels_as_a_square_are_no_grid_of_a_mixers_token_layers() -> None:
    module = MlpMixer(3, 32, patch_size=4, num_blocks=1, embed_dim=16)
    assert layout(module, "blocks.0.mlp_tokens.fc1", (16,), 0) == (None, 0)
    assert layout(module, "blocks.0.mlp_channels.fc1", (64,), 0) == ((8, 8), 0)


@pytest.mark.parametrize(
    ("layer", "places", "prefix_tokens", "grid", "prefix"),
    [
        (nn.Linear(2, 2), (), 1, None, 0),
        (nn.Linear(2, 2), (50,), 1, (7, 7), 1),
        (nn.Linear(2, 2), (49,), 1, (7, 7), 0),
        (nn.Linear(2, 2), (54,), 5, (7, 7), 5),
        (nn.Linear(2, 2), (50,), 0, None, 0),
        (nn.Linear(2, 2), (2,), 2, None, 0),
        # Rows and columns, or windows and the places in them.
        (nn.Linear(2, 2), (6, 6), 0, (6, 6), 0),
        (nn.Linear(2, 2), (4, 9), 0, None, 0),
        (nn.Linear(2, 2), (3, 3, 2, 2), 0, None, 0),
        # A map of places may be oblong.
        (nn.Conv2d(2, 2, 1), (4, 9), 0, (4, 9), 0),
    ],
)
def test_positions_are_places_where_they_can_be_no_others(
    layer: nn.Module, places: tuple[int, ...], prefix_tokens: int, grid: Grid | None, prefix: int
) -> None:
    assert layout(nn.Sequential(layer), "0", places, prefix_tokens) == (grid, prefix)


class AttentionPool2d(nn.Module):
    """Named as timm's, which puts the mean of all places in front of them."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(2, 2)


def test_pooling_by_attention_has_a_prefix_that_the_model_knows_nothing_of() -> None:
    module = nn.Sequential(AttentionPool2d())
    assert layout(module, "0.q", (17,), 0) == ((4, 4), 1)
