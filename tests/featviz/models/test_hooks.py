from __future__ import annotations

import pytest
from torch import nn

from featviz.models.hooks import eval_mode


def module() -> nn.Sequential:
    """A module of which one part trains, and one weight learns."""
    layers = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 2)).eval()
    layers.requires_grad_(False)
    layers[1].train()
    layers[2].bias.requires_grad_(True)
    return layers


def flags(layers: nn.Module) -> list[bool]:
    training = [part.training for part in layers.modules()]
    return training + [weight.requires_grad for weight in layers.parameters()]


def test_inside_nothing_trains_and_no_weight_learns() -> None:
    layers = module()
    with eval_mode(layers):
        assert not any(flags(layers))


def test_afterwards_every_flag_is_as_it_was() -> None:
    layers = module()
    before = flags(layers)
    with eval_mode(layers):
        pass
    assert flags(layers) == before
    assert any(before)
    assert not all(before)


def test_every_flag_is_as_it_was_after_an_exception_too() -> None:
    layers = module()
    before = flags(layers)
    with pytest.raises(KeyboardInterrupt), eval_mode(layers):
        raise KeyboardInterrupt
    assert flags(layers) == before


def test_nested_uses_restore_the_outermost_state() -> None:
    layers = module()
    before = flags(layers)
    with eval_mode(layers):
        with eval_mode(layers):
            pass
        assert not any(flags(layers))
    assert flags(layers) == before
