"""The trainer: it learns, it keeps what it learnt, and it disturbs nothing else."""

from __future__ import annotations

import json
import math
from importlib import resources
from pathlib import Path

import torch
import torch.nn.functional as F
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from torch import Tensor, nn

from featviz.cueworld import MEAN, STD, build, draw
from featviz.cueworld.architectures import widen
from featviz.cueworld.train import main, train


def run(out: Path, *options: str) -> Result:
    return CliRunner().invoke(main, [*options, "--images", "18", "--out", str(out)])


def mean_color_classifier() -> nn.Module:
    linear = nn.Linear(3, 18)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)


def trained_weight(seed: int = 0, color_blind: bool = False) -> Tensor:
    model = train(mean_color_classifier(), 3, 4, 0.1, seed, color_blind)
    return model.get_parameter("2.weight").detach()


@torch.no_grad()
def loss(model: nn.Module) -> float:
    batch = draw(54, seed=99)
    return F.cross_entropy(model.eval()((batch.images - MEAN) / STD), batch.labels).item()


def test_a_few_steps_lower_the_loss_and_the_file_holds_what_was_learnt(tmp_path: Path) -> None:
    out, before = tmp_path / "mixer.safetensors", torch.get_rng_state()
    options = ["--arch", "mixer", "--steps", "32", "--batch", "18", "--lr", "5e-3"]
    result = run(out, *options)
    assert result.exit_code == 0, result.output
    assert torch.equal(torch.get_rng_state(), before)
    assert set(json.loads(result.stdout)["accuracy"]["clean"]) == {"colour", "shape", "texture"}
    state, model = load_file(out), build("mixer")
    assert {part.dtype for part in state.values()} == {torch.float16}
    model.load_state_dict(widen(state))
    assert loss(model) < math.log(18) - 0.1  # all classes alike cost log 18


def test_training_goes_on_from_the_weights_given(tmp_path: Path) -> None:
    start = resources.files("featviz.cueworld") / "weights" / "mixer.safetensors"
    out = tmp_path / "same.safetensors"
    options = ["--arch", "mixer", "--start", str(start), "--lr", "0", "--steps", "1"]
    result = run(out, *options, "--batch", "1")
    assert result.exit_code == 0, result.output
    expected, found = load_file(str(start)), load_file(out)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "precious.safetensors"
    out.write_text("precious")
    result = run(out, "--arch", "vit")
    assert result.exit_code == 2
    assert "must be a new file" in result.output
    assert out.read_text() == "precious"


def test_a_missing_folder_is_refused_before_training(tmp_path: Path) -> None:
    result = run(tmp_path / "missing" / "vit.safetensors", "--arch", "vit")
    assert result.exit_code == 2
    assert "existing folder" in result.output


def test_a_seed_names_what_is_learnt() -> None:
    assert torch.equal(trained_weight(seed=1), trained_weight(seed=1))
    assert not torch.equal(trained_weight(seed=1), trained_weight(seed=2))
    assert not torch.equal(trained_weight(seed=1), trained_weight(seed=1, color_blind=True))


def test_the_result_is_the_moving_average_of_the_weights_after_each_step() -> None:
    model, steps = mean_color_classifier(), 20
    after: list[Tensor] = []
    model.register_forward_pre_hook(
        lambda *_: after.append(model.get_parameter("2.weight").detach().clone())
    )
    average = train(model, steps, 2, 0.1, 0).get_parameter("2.weight")
    after = [*after[1:], model.get_parameter("2.weight").detach()]
    expected = after[0]
    for weight in after[1:]:
        expected = 0.5 * expected + 0.5 * weight  # 1 - 10 / steps
    torch.testing.assert_close(average, expected)


def test_training_needs_no_global_randomness() -> None:
    model, before = mean_color_classifier(), torch.get_rng_state()
    train(model, 2, 4, 0.1, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
