from __future__ import annotations

import pytest
import torch

from benchmarks.planted import planted
from featviz import FeatvizError
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.patch_targets import PatchTarget
from patching.validation.suffix_forward import Baseline, Suffix
from patching.vit.residual_vit import residual_vit
from patching.vit.stream_units import MLPNeurons
from tests.patching.models import images, model_of, vit
from tests.patching.validation import worlds

PLAIN = ["ViT", "DeiT distilled", "DINOv2 with registers", "qk-norm", "average pooling", "BEiT"]


def test_a_baseline_advances_through_the_streams_of_unpatched_runs_and_not_back() -> None:
    model, dataset = planted(0)
    baseline = Baseline(residual_vit(model), dataset, worlds.images())
    with torch.no_grad():
        indices = worlds.images().indices
        batch = torch.stack([dataset.image(index, model.image_size) for index in indices])
        cache = run_with_cache(baseline.vit, baseline.vit.embed(batch))
    for sublayer in (0, 1, 3):
        baseline.advance_to(sublayer)
        assert (baseline.stream - cache.streams[sublayer]).abs().max() < 1e-5
    assert (baseline.final_stream - cache.streams[-1]).abs().max() < 1e-5
    with pytest.raises(ValueError, match="at sublayer 3, past 1"):
        baseline.advance_to(1)


@pytest.mark.parametrize("kind", [*PLAIN, "LayerScale", "trained ViT"])
def test_a_shift_along_the_direction_gives_the_logits_of_patching_the_neuron(kind: str) -> None:
    whole, index = vit(kind), 5
    with torch.no_grad():
        for layer in (0, whole.depth - 1):
            target = PatchTarget("neurons", layer, None, (index,))
            own, other = (
                run_with_cache(whole, whole.embed(images(model_of(kind), seed)), [(target,)])
                for seed in (1, 2)
            )
            right = patched_logits(whole, own, other, [(target,)])[0]
            neurons, suffix = MLPNeurons(whole, layer), Suffix(whole, 2 * layer + 2)
            values = [each.value(target)[:, :, index, 0] for each in (own, other)]
            found = suffix.logits(
                own.streams[target.sublayer + 1],
                torch.arange(len(right)),
                values[1] - values[0],
                neurons.directions[index],
            )
            assert (found - right).abs().max() < 1e-10
            assert (right - own.logits).abs().max() > 1e-6


def test_runs_may_repeat_images_and_write_different_directions() -> None:
    suffix, directions = Suffix(vit("ViT"), 2), MLPNeurons(vit("ViT"), 0).directions
    with torch.no_grad():
        stream = vit("ViT").run(vit("ViT").embed(images(model_of("ViT"), 3)))
        generator = torch.Generator().manual_seed(4)
        shifts = torch.randn(40, stream.shape[1], generator=generator, dtype=torch.float64)
        rows = torch.arange(40) % 3
        together = suffix.logits(stream, rows, shifts, directions[:40])
        for run in (0, 17, 39):
            alone = suffix.logits(stream, rows[[run]], shifts[[run]], directions[run])
            assert (alone[0] - together[run]).abs().max() < 1e-12


def test_activations_times_directions_plus_the_bias_are_the_output_of_the_mlp() -> None:
    whole = vit("ViT")
    with torch.no_grad():
        stream = whole.run(whole.embed(images(model_of("ViT"), 1)), 0, 1)
        neurons = MLPNeurons(whole, 0)
        found = neurons.run(stream)
        core = model_of("ViT").module.get_submodule("blocks.0.mlp.fc2")
        written = found.activations @ neurons.directions + core.bias  # type: ignore[operator]
        assert (stream + written - found.stream).abs().max() < 1e-12
        assert (found.scale == 1).all()


@pytest.mark.parametrize(
    ("kind", "words"), [("post-norm", "is post-norm"), ("EVA", "not fc1, a nonlinearity and fc2")]
)
def test_an_mlp_whose_neurons_do_not_write_separately_is_refused(kind: str, words: str) -> None:
    with pytest.raises(FeatvizError, match=words):
        MLPNeurons(vit(kind), 0)
