from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import featviz
from patching.validation.neurons import MLPNeuron, mlp_neurons
from patching.vit.residual_vit import residual_vit


def test_an_address_that_cannot_be_read_is_skipped_and_the_neurons_beside_it_are_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = featviz.load("cueworld/vit", device="cpu")
    monkeypatch.chdir(tmp_path)
    np.save("probe.npy", np.ones(model.sites["blocks.3.mlp.fc2"].width, np.float32))
    (direction,) = map(str, featviz.units(model, "blocks.3.mlp.fc2:probe.npy"))
    addresses = ["blocks.3.mlp.fc1:1@cls", direction, "blocks.2.mlp.fc1:5"]
    there, skipped = mlp_neurons(model, residual_vit(model), addresses)
    assert there == [MLPNeuron(addresses[2], 2, 5, None), MLPNeuron(addresses[0], 3, 1, 0)]
    assert skipped == {direction: "it is no neuron of an MLP (blocks.L.mlp.fc1:N)"}
    Path("probe.npy").unlink()
    gone, skipped = mlp_neurons(model, residual_vit(model), addresses)
    assert gone == there
    assert list(skipped) == [direction]
    assert "probe.npy" in skipped[direction]
