from __future__ import annotations

import pytest
import torch

from featviz import FeatvizError
from patching.effects.metrics import margins
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.interventions.targets import PatchTarget
from patching.validation.suffix import Suffix
from tests.patching.models import images, model_of, vit

PLAIN = ["ViT", "DeiT distilled", "DINOv2 with registers", "qk-norm", "average pooling", "BEiT"]


@pytest.mark.parametrize("kind", [*PLAIN, "LayerScale", "trained ViT"])
def test_a_change_of_rank_one_gives_the_logits_of_patching_a_neuron(kind: str) -> None:
    whole, number = vit(kind), 5
    with torch.no_grad():
        for layer in (0, whole.depth - 1):
            target = PatchTarget("neurons", layer, None, (number,))
            own, other = (
                run_with_cache(whole, whole.embed(images(model_of(kind), seed)), [(target,)])
                for seed in (1, 2)
            )
            right = patched_logits(whole, own, other, [(target,)])[0]
            suffix = Suffix(whole, layer)
            values = [each.value(target)[:, :, number, 0] for each in (own, other)]
            found = suffix.logits(
                own.streams[target.sublayer + 1],
                torch.arange(len(right)),
                values[1] - values[0],
                suffix.directions[number],
            )
            assert (found - right).abs().max() < 1e-10
            assert (right - own.logits).abs().max() > 1e-6


def test_rows_may_repeat_images_and_write_different_directions() -> None:
    suffix = Suffix(vit("ViT"), 0)
    with torch.no_grad():
        behind = vit("ViT").run(vit("ViT").embed(images(model_of("ViT"), 3)))
        generator = torch.Generator().manual_seed(4)
        shifts = torch.randn(40, behind.shape[1], generator=generator, dtype=torch.float64)
        rows = torch.arange(40) % 3
        numbers = torch.arange(40)
        together = suffix.logits(behind, rows, shifts, suffix.directions[numbers])
        for row in (0, 17, 39):
            alone = suffix.logits(behind, rows[[row]], shifts[[row]], suffix.directions[row])
            assert (alone[0] - together[row]).abs().max() < 1e-12


def test_what_neurons_write_adds_up_to_what_the_mlp_adds_but_its_bias() -> None:
    whole = vit("ViT")
    with torch.no_grad():
        stream = whole.embed(images(model_of("ViT"), 1))
        stream = stream + whole.sublayers[0].branch(stream)
        suffix = Suffix(whole, 0)
        reading = suffix.read(stream)
        core = model_of("ViT").module.get_submodule("blocks.0.mlp.fc2")
        written = reading.neurons @ suffix.directions + core.bias  # type: ignore[operator]
        assert (written - reading.branch).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("kind", "words"), [("post-norm", "norm behind it"), ("EVA", "not fc1, a nonlinearity and fc2")]
)
def test_an_mlp_whose_neurons_do_not_write_alone_is_refused(kind: str, words: str) -> None:
    with pytest.raises(FeatvizError, match=words):
        Suffix(vit(kind), 0)


def test_a_margin_is_a_logit_less_the_mean_of_the_others() -> None:
    logits = torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, -3.0]])
    assert margins(logits, [2, 0]).tolist() == [[4.5, -3.0], [-3.0, 1.5]]
