from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import featviz
from patching.validation.neurons import Target, targets
from patching.vit.residual_vit import trunk_of


def test_an_address_that_cannot_be_read_is_skipped_and_the_neurons_beside_it_are_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    monkeypatch.chdir(tmp_path)
    np.save("probe.npy", np.ones(model.sites["blocks.3.mlp.fc2"].width, np.float32))
    (direction,) = map(str, featviz.units(model, "blocks.3.mlp.fc2:probe.npy"))
    addresses = ["blocks.3.mlp.fc1:1@cls", direction, "blocks.2.mlp.fc1:5"]
    there, skipped = targets(model, trunk_of(model), addresses)
    assert there == [Target(addresses[2], 2, 5, None), Target(addresses[0], 3, 1, 0)]
    assert skipped == {direction: "it is no neuron of an MLP (blocks.L.mlp.fc1:N)"}
    Path("probe.npy").unlink()
    gone, skipped = targets(model, trunk_of(model), addresses)
    assert gone == there
    assert list(skipped) == [direction]
    assert "probe.npy" in skipped[direction]
