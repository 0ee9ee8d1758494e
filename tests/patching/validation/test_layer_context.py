from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.planted import planted
from patching.effects.bootstrap import Floats
from patching.validation.layer_context import MAX_NEUTRAL, TRIALS, Intervention
from tests.patching.validation.worlds import group, images


def whole_model_margins(shift: torch.Tensor, indices: list[int], neuron: int) -> Floats:
    """Compute margins of the whole model with a neuron's activation shifted by a plain hook."""
    model, dataset = planted(0)
    module = model.module.double()
    batch = torch.stack([dataset.image(index, 32) for index in indices]).double()
    layer = module.get_submodule("blocks.0.mlp.fc2")

    def change(_layer: object, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        changed = inputs[0].clone()
        changed[:, :, neuron] += shift
        return (changed,)

    hook = layer.register_forward_pre_hook(change)
    with torch.no_grad():
        logits = module(model.normalize(batch)).numpy()
    hook.remove()
    others = (logits.sum(1, keepdims=True) - logits) / 3
    margins: Floats = logits - others
    return margins


def test_mean_ablation_equals_the_whole_model_with_the_neuron_at_its_reference_mean() -> None:
    context, neuron = group().context, group().neurons[0]
    own = images().tests_of(0)
    (effect,) = context.effects_of(context.ablations(neuron, 0)[:1], neuron.direction)
    indices = [images().indices[image] for image in own]
    shift = neuron.mean - neuron.activation[torch.from_numpy(own)]
    before, after = (
        whole_model_margins(each, indices, 0) for each in (torch.zeros_like(shift), shift)
    )
    # The images are drawn in single precision; everything else is double.
    assert np.abs(effect.change - (after - before)).max() < 1e-6
    assert -effect.change[:, 0].mean() > 0.3


def test_the_mean_is_that_of_reference_images_at_each_token() -> None:
    neuron = group().neurons[0]
    right = neuron.activation[torch.from_numpy(images().reference)].mean(0)
    assert (neuron.mean - right).abs().max() < 1e-12
    assert right.std() > 1e-3


def test_the_level_is_the_standard_deviation_from_that_mean() -> None:
    neuron = group().neurons[0]
    deviation = neuron.activation[torch.from_numpy(images().reference)] - neuron.mean
    assert group().levels[0] == pytest.approx(float((deviation**2).mean().sqrt()), rel=1e-9)


def test_support_is_the_first_order_effect_of_clipping_at_the_mean() -> None:
    context, neuron = group().context, group().neurons[7]
    support = context.support(neuron, neuron.direction[None])[0]
    for label in range(4):
        clipped = context.clip_at_mean(neuron, images().reference_of(label))
        small = Intervention(clipped.images, 1e-4 * clipped.shift)
        (effect,) = context.effects_of([small], neuron.direction)
        assert -effect.change[:, label].mean() / 1e-4 == pytest.approx(support[label], abs=1e-5)
    assert np.abs(support).max() > 1e-3


def test_the_class_of_a_neuron_is_the_one_that_loses_most_on_reference_images() -> None:
    context = group().context
    for index, neuron in group().neurons.items():
        if index == 2:
            continue
        support = context.support(neuron, neuron.direction[None])[0]
        losses = {}
        for label in np.argsort(-support)[:3].tolist():
            clipped = context.clip_at_mean(neuron, images().reference_of(label)[:TRIALS])
            (effect,) = context.effects_of([clipped], neuron.direction)
            losses[label] = -effect.change[:, label].mean()
        right = max(losses, key=lambda label: losses[label])
        assert context.choose_class(neuron, support) == right
    assert group().candidate(0).label == 0


def test_a_clipped_activation_is_nowhere_above_its_mean_and_nowhere_raised() -> None:
    own = images().tests_of(1)
    for neuron in group().neurons.values():
        _, shift = group().context.clip_at_mean(neuron, own)
        activation = neuron.activation[torch.from_numpy(own)]
        assert (activation + shift - neuron.mean).max() <= 1e-12
        assert ((shift == 0) | (activation > neuron.mean)).all()


def test_resample_ablation_sets_the_activation_on_the_donor() -> None:
    neuron = group().neurons[0]
    own, shift = group().context.ablations(neuron, 0)[1]
    assert own.tolist() == images().tests_of(0).tolist()
    for image, change in zip(own, shift, strict=True):
        donor = images().donors[image]
        assert (neuron.activation[image] + change - neuron.activation[donor]).abs().max() < 1e-12


def test_neutral_images_are_held_out_of_other_classes_and_do_not_activate_the_neuron() -> None:
    neuron = group().neurons[0]
    neutral = group().context.neutral_images(neuron, 0)
    assert set(neutral) <= set(images().test)
    median = np.median(neuron.image_mean[images().reference])
    assert (neuron.image_mean[neutral] <= median).all()
    assert 8 <= len(neutral) <= MAX_NEUTRAL
    assert set(images().labels[neutral]) == {1, 2, 3}


def test_a_dose_is_the_activation_on_the_reference_image_at_its_percentile() -> None:
    neuron = group().neurons[0]
    ranked = sorted(images().reference.tolist(), key=lambda image: neuron.image_mean[image])
    for percentile, rank in ((0, 0), (50, 28), (99, 54), (100, 55)):
        dose = group().context.dose(neuron, percentile)
        assert torch.equal(dose, neuron.activation[ranked[rank]])


def test_a_neuron_at_a_token_is_changed_at_that_token_only() -> None:
    found = group(3)
    neuron = found.neurons[0]
    _, shift = found.context.set_activation(neuron, np.array([1, 5]), neuron.mean)
    own = neuron.mean[3] - neuron.activation[[1, 5], 3]
    assert torch.equal(shift[:, 3], own)
    assert shift.count_nonzero() == own.count_nonzero() == 2
    deviation = neuron.activation[torch.from_numpy(images().reference), 3] - neuron.mean[3]
    assert found.levels[0] == pytest.approx(float((deviation**2).mean().sqrt()), rel=1e-9)
