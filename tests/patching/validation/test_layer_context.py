from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.planted import planted
from patching.validation.control_test import Floats
from patching.validation.layer_context import NEUTRAL, TRIALS
from tests.patching.validation.worlds import group, images


def whole_model_margins(shift: torch.Tensor, numbers: list[int], neuron: int) -> Floats:
    """Add a change to a neuron's activation in the whole model, by a hook of our own."""
    model, dataset = planted(0)
    module = model.module.double()
    pictures = torch.stack([dataset.image(number, 32) for number in numbers]).double()
    layer = module.get_submodule("blocks.0.mlp.fc2")

    def change(_layer: object, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        changed = inputs[0].clone()
        changed[:, :, neuron] += shift
        return (changed,)

    hook = layer.register_forward_pre_hook(change)
    with torch.no_grad():
        logits = module(model.normalize(pictures)).numpy()
    hook.remove()
    others = (logits.sum(1, keepdims=True) - logits) / 3
    margins: Floats = logits - others
    return margins


def test_ablation_is_what_the_whole_model_does_with_the_neuron_at_its_reference_mean() -> None:
    found, neuron = group(), group().neurons[0]
    own = found.context.tests_of(0)
    (effect,) = found.context.run([found.context.put(neuron, own, neuron.mean)], neuron.direction)
    numbers = [images().numbers[image] for image in own]
    shift = neuron.mean - neuron.activation[torch.from_numpy(own)]
    before, after = (
        whole_model_margins(each, numbers, 0) for each in (torch.zeros_like(shift), shift)
    )
    # The images are drawn in single precision, and all else is double.
    assert np.abs(effect.change - (after - before)).max() < 1e-6
    assert -effect.change[:, 0].mean() > 0.3


def test_the_mean_is_that_of_reference_images_at_each_token() -> None:
    neuron = group().neurons[0]
    right = neuron.activation[torch.from_numpy(images().reference)].mean(0)
    assert (neuron.mean - right).abs().max() < 1e-12
    assert right.std() > 1e-3


def test_the_level_is_the_deviation_from_that_mean() -> None:
    neuron = group().neurons[0]
    above = neuron.activation[torch.from_numpy(images().reference)] - neuron.mean
    assert group().levels[0] == pytest.approx(float((above**2).mean().sqrt()), rel=1e-9)


def test_support_is_the_first_order_effect_of_a_small_cut_towards_the_mean() -> None:
    found = group()
    context, neuron = found.context, found.neurons[7]
    support = context.support(neuron, neuron.direction[None])[0]
    for place in range(4):
        own = context.reference_of(place)
        some, shift = context.cut_off(neuron, own)
        (effect,) = context.run([(some, 1e-4 * shift)], neuron.direction)
        assert -effect.change[:, place].mean() / 1e-4 == pytest.approx(support[place], abs=1e-5)
    assert np.abs(support).max() > 1e-3


def test_the_class_of_a_neuron_is_the_one_that_loses_most_on_reference_images() -> None:
    found = group()
    context = found.context
    for number, neuron in found.neurons.items():
        if number == 2:
            continue
        support = context.support(neuron, neuron.direction[None])[0]
        losses = {}
        for place in np.argsort(-support)[:3].tolist():
            change = context.cut_off(neuron, context.reference_of(place)[:TRIALS])
            losses[place] = -context.run([change], neuron.direction)[0].change[:, place].mean()
        assert context.choose(neuron, support) == max(losses, key=lambda place: losses[place])
    assert found.tested(0).place == 0


def test_cut_off_an_activation_is_nowhere_above_its_mean_and_nowhere_raised() -> None:
    found = group()
    for neuron in found.neurons.values():
        own = found.context.tests_of(1)
        _, shift = found.context.cut_off(neuron, own)
        activation = neuron.activation[torch.from_numpy(own)]
        assert (activation + shift - neuron.mean).max() <= 1e-12
        assert ((shift == 0) | (activation > neuron.mean)).all()


def test_resampling_takes_the_activation_on_the_donor() -> None:
    found = group()
    neuron = found.neurons[0]
    own = found.context.tests_of(0)
    _, shift = found.context.resample(neuron, own)
    for image, change in zip(own, shift, strict=True):
        donor = images().donors[image]
        assert (neuron.activation[image] + change - neuron.activation[donor]).abs().max() < 1e-12


def test_neutral_images_are_of_other_classes_and_do_not_excite_the_unit() -> None:
    found = group()
    neuron = found.neurons[0]
    neutral = found.context.neutral(neuron, 0)
    assert set(neutral) <= set(images().test)
    assert 0 not in images().place[neutral]
    median = np.median(neuron.value[images().reference])
    assert (neuron.value[neutral] <= median).all()
    assert 8 <= len(neutral) <= NEUTRAL
    assert set(images().place[neutral]) == {1, 2, 3}


def test_a_dose_is_the_activation_on_the_reference_image_at_its_percentile() -> None:
    found = group()
    neuron = found.neurons[0]
    ranked = sorted(images().reference.tolist(), key=lambda image: neuron.value[image])
    for percent, place in ((0, 0), (50, 28), (99, 54), (100, 55)):
        dose = found.context.at_quantile(neuron, percent)
        assert torch.equal(dose, neuron.activation[ranked[place]])


def test_a_neuron_at_a_token_is_changed_there_alone() -> None:
    found = group(3)
    neuron = found.neurons[0]
    _, shift = found.context.put(neuron, np.array([1, 5]), neuron.mean)
    own = neuron.mean[3] - neuron.activation[[1, 5], 3]
    assert torch.equal(shift[:, 3], own)
    assert shift.count_nonzero() == own.count_nonzero() == 2
    above = neuron.activation[torch.from_numpy(images().reference), 3] - neuron.mean[3]
    assert found.levels[0] == pytest.approx(float((above**2).mean().sqrt()), rel=1e-9)
