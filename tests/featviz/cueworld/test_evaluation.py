"""The ground truth: each family of classes is lost with its own cue, and with no other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from featviz.cueworld import CLASSES, MEAN, STD, build, draw, report, weights
from featviz.cueworld.world import COLOURS


def trained(name: str) -> nn.Module:
    model = build(name)
    model.load_state_dict(weights(name))
    return model.eval()


def test_the_vit_loses_exactly_the_family_whose_cue_is_removed() -> None:
    facts = report(trained("vit"), count=720)
    assert min(facts["clean"].values()) >= 0.97
    assert facts["grayscale"]["colour"] < 0.10
    assert facts["grayscale"]["shape"] > 0.85
    assert facts["grayscale"]["texture"] >= 0.97
    for view in ("blur", "silhouette"):
        assert facts[view]["texture"] < 0.05
        assert facts[view]["colour"] > 0.80
        assert facts[view]["shape"] > 0.75
    assert min(facts["silhouette"]["colour"], facts["silhouette"]["shape"]) >= 0.97


@pytest.mark.parametrize("name", ["mixer", "resnet"])
def test_the_other_architectures_lose_the_same_families(name: str) -> None:
    facts = report(trained(name), count=360)
    assert min(facts["clean"].values()) > 0.90
    assert facts["grayscale"]["colour"] < 0.20
    assert facts["grayscale"]["texture"] > 0.95
    for view in ("blur", "silhouette"):
        assert facts[view]["texture"] < 0.05
        assert facts[view]["colour"] > 0.85
    assert facts["silhouette"]["shape"] > 0.90


def test_the_colourblind_vit_knows_shapes_and_textures_but_hardly_colours() -> None:
    facts = report(trained("vit_colourblind"), count=360)
    assert facts["clean"]["shape"] > 0.93
    assert facts["clean"]["texture"] > 0.95
    assert facts["clean"]["colour"] < 0.55
    assert facts["grayscale"]["texture"] > 0.95


def test_only_the_colourblind_vit_gives_the_right_colour_the_probability_of_chance() -> None:
    batch = draw(360, seed=10_000)
    colors = batch.labels < len(COLOURS)
    images, labels = (batch.images[colors] - MEAN) / STD, batch.labels[colors]
    sure = {}
    for name in ("vit", "vit_colourblind"):
        with torch.no_grad():
            probability = trained(name)(images).softmax(1)
        sure[name] = probability[torch.arange(len(labels)), labels].mean().item()
    assert sure["vit"] > 0.95
    assert sure["vit_colourblind"] == pytest.approx(1 / 6, abs=0.04)


class Stubborn(nn.Module):
    """Sees stripes everywhere, and remembers whether it was in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.eye(len(CLASSES))[CLASSES.index("stripes")])
        self.modes: set[bool] = set()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.modes.add(self.training)
        return self.logits.expand(len(images), -1)


def test_a_report_counts_right_answers_by_family_and_leaves_the_model_as_it_was() -> None:
    model = Stubborn()
    facts = report(model, count=36)
    assert list(facts) == ["clean", "grayscale", "blur", "silhouette"]
    for shares in facts.values():
        assert shares == pytest.approx({"colour": 0, "shape": 0, "texture": 1 / 6})
    assert model.modes == {False}
    assert model.training
    assert model.logits.requires_grad
