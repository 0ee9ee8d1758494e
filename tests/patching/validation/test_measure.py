"""Columns of a row, against interventions on the whole model."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from benchmarks.planted import planted, store_renders
from featviz import Store
from featviz.store.columns import Row
from patching.effects.bootstrap import Indices
from patching.validation.class_profile import IMAGES_PER_CLASS, images_per_class
from patching.validation.job import validate_to_store
from tests.patching.validation.worlds import group, images


@cache
def row(neuron: int = 0) -> Row:
    model, dataset = planted(0)
    with TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        # Double, like the references below: rounding can change which images are neutral.
        model.module.double()
        store_renders(model, dataset, store, [0, 1])
        validate_to_store(model, store, dataset)
        return Store(store).row(f"blocks.0.mlp.fc1:{neuron}", "validations")


def logits(pixels: Tensor, frozen: int | None = None) -> Tensor:
    """Run the whole model, with a neuron frozen at its reference mean if one is given."""
    model, _ = planted(0)
    module = model.module.double()

    def freeze(_layer: object, inputs: tuple[Tensor]) -> tuple[Tensor]:
        assert frozen is not None
        changed = inputs[0].clone()
        changed[:, :, frozen] = group().neurons[frozen].mean
        return (changed,)

    hooks = []
    if frozen is not None:
        layer = module.get_submodule("blocks.0.mlp.fc2")
        hooks.append(layer.register_forward_pre_hook(freeze))
    with torch.no_grad():
        found: Tensor = module(model.normalize(pixels))
    for hook in hooks:
        hook.remove()
    return found


def margin(found: Tensor) -> float:
    return float((found[:, 0] - found[:, 1:].mean(1)).mean())


def render() -> Tensor:
    _, dataset = planted(0)
    return (dataset.image(0, 32) * 255).round().byte().double()[None] / 255


def natural(of_split: Indices) -> Tensor:
    _, dataset = planted(0)
    indices = [images().indices[image] for image in of_split]
    return torch.stack([dataset.image(index, 32) for index in indices]).double()


def test_mediation_is_the_share_of_the_margin_that_is_lost_with_the_neuron_frozen() -> None:
    neutral = group().context.neutral_images(group().neurons[0], 0)
    baseline = margin(logits(natural(neutral)))
    gains = [margin(logits(render(), frozen)) - baseline for frozen in (None, 0)]
    assert row()["mediation"] == pytest.approx(1 - gains[1] / gains[0], abs=1e-4)
    assert gains[0] > 0.3


def test_the_effect_on_each_class_is_measured_on_images_of_that_class() -> None:
    for label in range(4):
        own = images().tests_of(label)[:IMAGES_PER_CLASS]
        before, after = (logits(natural(own), frozen) for frozen in (None, 0))
        change = before - after
        others = [each for each in range(4) if each != label]
        loss = (change[:, label] - change[:, others].mean(1)).mean()
        assert row()["total"][label] == pytest.approx(float(loss), abs=1e-5)


def test_the_direct_effect_of_ablation_bypasses_the_later_block() -> None:
    model, _ = planted(0)
    module: Any = model.module.double()
    neuron = group().neurons[0]
    streams: list[Tensor] = []
    hook = module.norm.register_forward_pre_hook(lambda _m, inputs: streams.append(inputs[0]))
    own = images().tests_of(0)[:IMAGES_PER_CLASS]
    with torch.no_grad():
        before = module(model.normalize(natural(own)))
        hook.remove()
        shift = neuron.mean - neuron.activation[torch.from_numpy(own)]
        moved = streams[0] + shift[..., None] * module.blocks[0].mlp.fc2.weight[:, 0]
        after = module.head(module.norm(moved).mean(1))
    assert row()["direct"][0] == pytest.approx(margin(before) - margin(after), abs=1e-5)
    assert row()["direct"][0] != pytest.approx(row()["total"][0], abs=0.01)


def test_the_agreement_is_that_of_the_three_rankings_of_classes() -> None:
    found = row()
    pairs = (("total", "induced"), ("total", "direct"), ("induced", "direct"))
    right = [spearmanr(found[one], found[other]).statistic for one, other in pairs]
    assert found["agreement"] == pytest.approx(right)


def test_a_dose_is_the_mean_activation_that_is_set() -> None:
    found = row()
    neuron = group().neurons[0]
    for column, percentile in enumerate((50, 90, 99)):
        dose = group().context.dose(neuron, percentile).mean()
        assert found["dose"][column] == pytest.approx(float(dose), abs=1e-5)
    # Its own render shows class 0, the other neuron's class 1.
    assert found["dose"][3] > 0.5
    assert found["dose"][4] < 0.1
    assert found["picture_p"] < 0.01
    assert found["sufficiency"][3] > found["sufficiency"][4]
    assert row(1)["dose"][3] < 0.1
    assert row(1)["dose"][4] > 0.5


def test_random_directions_are_tested_only_if_the_comparison_with_neurons_succeeds() -> None:
    assert np.isfinite(row()["necessity_p"]).all()
    assert (row(1)["necessity_p"][:, 0] > 0.05).any()
    assert row(1)["sufficiency_p"][0] > 0.05
    assert np.isnan(row(1)["necessity_p"][:, 1]).all()
    assert np.isnan(row(1)["sufficiency_level"][1])


def test_a_profile_of_many_classes_runs_fewer_images_of_each() -> None:
    counts = {classes: images_per_class(classes) for classes in (2, 18, 25, 26, 50, 51, 1000)}
    assert counts == {2: 4, 18: 4, 25: 4, 26: 3, 50: 2, 51: 1, 1000: 1}


def test_intervals_contain_their_estimates() -> None:
    for name in ("necessity", "sufficiency"):
        low, high = row()[f"{name}_interval"].T
        assert (low < row()[name]).all()
        assert (row()[name] < high).all()
