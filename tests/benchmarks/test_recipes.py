from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import featviz
from benchmarks import recipes
from featviz.data.datasets import open_data
from featviz.optimization.recipe import BETAS, Recipe
from featviz.parametrization.fourier import Fourier


@pytest.fixture(scope="module")
def vit() -> featviz.VisionModel:
    return featviz.load("cueworld/vit", device="cpu")


@pytest.fixture(scope="module")
def all_recipes(vit: featviz.VisionModel) -> dict[str, Recipe]:
    return recipes.recipes(vit, 8)


def test_cosines_are_split_by_whether_both_vectors_are_of_one_neuron() -> None:
    vectors = torch.tensor([[1.0, 0], [3, 4], [0, 2], [0, -1]])
    own, others = recipes.cosines(vectors)
    assert own == pytest.approx([0.6, -1])
    assert others == pytest.approx([0, 0, 0.8, -0.8])


def test_no_two_recipes_are_equal_and_each_has_the_settings_in_its_name(
    all_recipes: dict[str, Recipe],
) -> None:
    assert len(set(all_recipes.values())) == len(all_recipes) == 35
    for name, each in all_recipes.items():
        param, augmentation, *rest = name.split(", ")
        assert each.param == param
        assert (each.augmentation.shift > 0) == (augmentation != "none")
        assert (each.augmentation.noise > 0) == (augmentation == "vit")
        assert (each.frequency_schedule > 0) == ("progressive" in rest)
        assert (each.cooldown < 1) == ("cooldown" in rest)
        assert (each.betas == BETAS) == ("usual betas" not in rest)
        assert (each.spectrum is not None) == ("data" in rest)
        if rest and rest[0] != "data":
            assert each.decay == float(rest[0])


def test_one_step_changes_fourier_images_of_any_decay_by_the_same_amount(
    all_recipes: dict[str, Recipe],
) -> None:
    """In terms of the spread of the image after one step of Adam of every parameter."""
    spreads = []
    for decay in recipes.DECAYS:
        each = all_recipes[f"fourier, none, {decay:g}"]
        image = each.parametrization(160)
        assert isinstance(image, Fourier)
        signs = image.initial(torch.Generator().manual_seed(0)).sign()
        spreads.append(image.decode(1e-3 * each.learning_rate * signs[None])[0, 1].logit().std())
    assert torch.stack(spreads).div(spreads[0]).tolist() == pytest.approx([1] * 4, rel=0.5)


def test_the_reference_holds_mean_best_and_inputs_over_natural_images(
    vit: featviz.VisionModel,
) -> None:
    neuron = [featviz.Unit("blocks.1.mlp.fc1", 0)]
    images = torch.stack([open_data("cueworld:6").image(index, 128) for index in range(6)])
    natural = recipes.measure_natural(vit, neuron, open_data("cueworld:6"))
    layer, outputs = vit.module.get_submodule("blocks.1.mlp.fc1"), list[Tensor]()
    hook = layer.register_forward_hook(lambda _, _inputs, output: outputs.append(output))
    with torch.no_grad():
        vit.module(vit.normalize(images))
    hook.remove()
    values = outputs[0][:, 1:, 0].mean(1)
    assert natural.mean == pytest.approx({"blocks.1.mlp.fc1:0": values.mean().item()}, rel=1e-4)
    assert natural.best == pytest.approx({"blocks.1.mlp.fc1:0": values.max().item()}, rel=1e-4)
    # The mean output of a linear layer is its output for the mean input.
    (mean_input,) = natural.inputs.values()
    torch.testing.assert_close(layer(mean_input), outputs[0].mean((0, 1)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("blocks.11.mlp.fc1:3", "mlp.fc1"),
        ("blocks.1.mlp.fc1:3@cls", "mlp.fc1@cls"),
        ("blocks.2.attn.qk:0@same", "attn.qk@same"),
        ("patch_embed.proj:5", "patch_embed.proj"),
    ],
)
def test_the_kind_of_a_unit_names_neither_block_nor_index(address: str, expected: str) -> None:
    assert recipes.kind(featviz.Unit.parse(address)) == expected


def test_a_table_has_one_row_per_recipe() -> None:
    result = dict(zip(recipes.COLUMNS, (0.5, 1.234, 1.5, 0.01234, 0.2, 1, -0.1), strict=True))
    lines = recipes.table({"a": result, "b": result}).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")
    assert lines[3] == "| b | 0.50 | 1.23 | 1.50 | 0.012 | 0.2 | 1.00 | -0.10 |"


@pytest.mark.slow
def test_the_benchmark_prints_one_line_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path / "stores"), "--steps", "1", "--natural", "18"]
    words += ["--units", "blocks.1.mlp.fc1:0-1", "blocks.3.attn.qk:0-1@same"]
    words += ["--table", str(tmp_path / "table.md"), "--sheet", str(tmp_path / "sheet.webp")]
    monkeypatch.setattr(sys, "argv", ["recipes", *words])
    recipes.main()
    (line,) = capsys.readouterr().out.splitlines()
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")}
    recipes.main()
    assert capsys.readouterr().out == line + "\n"
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")} == written
    results = json.loads(line)["results"]
    assert len(results) == 35
    assert {"held_out mlp.fc1", "held_out attn.qk@same"} < results[0].keys()
    assert (tmp_path / "table.md").read_text().count("\n") == 37
    with Image.open(tmp_path / "sheet.webp") as sheet:
        assert sheet.size == (2 * (190 + 2 * 75), 24 + 18 * 75)
