from __future__ import annotations

import subprocess
import sys

import pytest
from timm.models.mlp_mixer import MlpMixer
from torch import nn

from featviz.models.token_grid import Grid, layout


def test_as_many_channels_as_a_square_are_no_grid_of_a_mixers_token_layers() -> None:
    module = MlpMixer(3, 32, patch_size=4, num_blocks=1, embed_dim=16)
    assert layout(module, "blocks.0.mlp_tokens.fc1", (16,), 0) == (None, 0)
    assert layout(module, "blocks.0.mlp_channels.fc1", (64,), 0) == ((8, 8), 0)


@pytest.mark.parametrize(
    ("positions", "is_map", "prefix_tokens", "grid", "prefix"),
    [
        ((), False, 1, None, 0),
        ((50,), False, 1, (7, 7), 1),
        ((49,), False, 1, (7, 7), 0),
        ((54,), False, 5, (7, 7), 5),
        ((50,), False, 0, None, 0),
        ((2,), False, 2, None, 0),
        # Rows and columns, or windows and the positions in them.
        ((6, 6), False, 0, (6, 6), 0),
        ((4, 9), False, 0, None, 0),
        ((3, 3, 2, 2), False, 0, None, 0),
        # A feature map may be rectangular.
        ((4, 9), True, 0, (4, 9), 0),
    ],
)
def test_positions_form_a_grid_where_they_can_be_nothing_else(
    positions: tuple[int, ...], is_map: bool, prefix_tokens: int, grid: Grid | None, prefix: int
) -> None:
    module = nn.Sequential(nn.Linear(2, 2))
    assert layout(module, "0", positions, prefix_tokens, is_map) == (grid, prefix)


def test_the_module_does_not_import_torch() -> None:
    code = "import sys, featviz.models.token_grid; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


class AttentionPool2d(nn.Module):
    """Named as timm's, which puts the mean of all places in front of them."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(2, 2)


def test_pooling_by_attention_has_a_prefix_that_the_model_knows_nothing_of() -> None:
    module = nn.Sequential(AttentionPool2d())
    assert layout(module, "0.q", (17,), 0) == ((4, 4), 1)
