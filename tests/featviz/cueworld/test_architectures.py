"""The bundled models and weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from featviz.cueworld import WEIGHTS, build, weights

PARAMETERS = {
    "vit": 2_488_722,
    "vit_colourblind": 2_488_722,
    "mixer": 1_225_362,
    "resnet": 1_595_810,
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_bundled_weights_fill_their_architecture(name: str) -> None:
    model, state = build(name), weights(name)
    model.load_state_dict(state)
    assert sum(weight.numel() for weight in model.parameters()) == PARAMETERS[name]
    assert all(part.dtype == torch.float32 for part in state.values() if part.is_floating_point())
    assert model.eval()(torch.zeros(1, 3, 128, 128)).shape == (1, 18)


def test_the_vit_has_twelve_blocks_four_heads_and_a_class_token() -> None:
    model = build("vit")
    heads = [part.num_heads for name, part in model.named_modules() if name.endswith(".attn")]
    assert heads == [4] * 12
    assert model.get_parameter("pos_embed").shape == (1, 1 + 8 * 8, 128)


@pytest.mark.parametrize("make", [build, weights])
@pytest.mark.parametrize("name", ["vti", "../../secret"])
def test_an_unknown_model_gets_the_list(make: Callable[[str], object], name: str) -> None:
    with pytest.raises(ValueError, match="available are vit, vit_colourblind, mixer, resnet"):
        make(name)
