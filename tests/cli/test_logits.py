from __future__ import annotations

import json
from pathlib import Path

import pytest

from featviz.analysis.logits.direct_effects import direct_effects
from featviz.models.vision_model import VisionModel
from tests.cli.running import Run, tree


def test_the_classes_that_each_unit_raises_and_lowers_most_are_printed(
    run: Run, tmp_path: Path, vit: VisionModel
) -> None:
    words = ["cueworld/vit", "blocks.9.mlp.fc1:0-1", "patch_embed:0-2", "-o", tmp_path / "s"]
    report = json.loads(run("logits", *words, "--json").out)
    effects = direct_effects(vit, "blocks.9.mlp.fc1:0-1").effects
    for unit, own in zip(report["units"], effects, strict=True):
        ranked = sorted(zip(own.tolist(), vit.classes, strict=True))
        assert [each["effect"] for each in unit["lowers"]] == pytest.approx(
            [value for value, _ in ranked[:5]]
        )
        assert [each["class"] for each in unit["raises"]] == [
            name for _, name in reversed(ranked[-5:])
        ]
    assert list(report["skipped"]) == ["patch_embed:0", "patch_embed:1", "patch_embed:2"]
    again = run("logits", *words)
    assert again.out.splitlines()[0].split() == ["unit", "raises", "effect", "lowers", "effect"]
    assert "skipped: patch_embed:0 and 2 more: no neuron of an MLP" in again.err
    assert "0 units stored, 2 already stored" in again.err


def test_units_that_write_as_a_latent_does_are_printed(run: Run, tmp_path: Path) -> None:
    words = ["cueworld/vit", "sae.s:167", "blocks.9.mlp.fc1:0", "--sae", "s=cueworld/sae"]
    words += ["-o", str(tmp_path / "s")]
    latent, neuron = json.loads(run("logits", *words, "--json").out)["units"]
    assert latent["raises"][0]["class"] == "yellow"
    for kind in ("nearest_latents", "nearest_neurons"):
        cosines = [each["cosine"] for each in latent[kind]]
        assert len(cosines) == 5
        assert cosines == sorted(cosines, reverse=True)
        assert 0 < cosines[-1] <= cosines[0] < 1
    assert "nearest_latents" not in neuron
    lines = run("logits", *words).out.split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["latent", "sae.s:167"]
    assert latent["nearest_neurons"][0]["address"] in lines[1]


def test_models_without_residual_stream_are_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    result = run("logits", "cueworld/resnet", "layer1.0.conv1:0", "-o", tmp_path / "s")
    assert "no residual stream" in result.refusal()
    assert tree(tmp_path) == {}
