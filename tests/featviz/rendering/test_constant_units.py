"""Units that do not depend on the image: a gray picture, and a line that names them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from featviz.activations.readout import Readout
from featviz.addressing.selectors import units
from featviz.analysis.scores.job import scores_to_store
from featviz.analysis.scores.metrics import converged
from featviz.models.vision_model import VisionModel
from featviz.optimization.recipe import make_recipe
from featviz.rendering.job import render_to_store
from featviz.rendering.render import Rendering, render
from featviz.store.reader import Store
from gallery import export
from tests.featviz.toys import toy_vit

STEPS = 4
DEAD, SILENT, ALIVE = (f"blocks.2.mlp.fc1:{index}" for index in range(3))


@pytest.fixture(scope="module")
def model() -> VisionModel:
    """A model with a neuron that is always 0.37, and one that is always 0."""
    made = toy_vit()
    layer = made.module.get_submodule("blocks.2.mlp.fc1")
    assert isinstance(layer, nn.Linear)
    layer.weight[:2] = 0
    layer.bias[:2] = torch.tensor([0.37, 0])
    return made


def rendered(model: VisionModel, *selectors: str, **settings: Any) -> Rendering:
    return render(model, units(model, *selectors), steps=STEPS, **settings)


def is_gray(rendering: Rendering) -> list[bool]:
    return [bool((images == 128).all()) for images in rendering.images]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"samples": 3},  # the diversity term moves the picture
        {"tv_weight": 1.0},
        {"cosine_power": 2.0},
        {"precision": "bfloat16"},
        {"preset": "naive", "param": "pixel", "frequency_schedule": 0},
    ],
)
def test_units_without_weights_are_named_and_have_gray_pictures(
    model: VisionModel, settings: dict[str, Any]
) -> None:
    found = rendered(model, "blocks.2.mlp.fc1:0-2", **settings)
    assert list(map(str, found.constants)) == [DEAD, SILENT]
    assert is_gray(found) == [True, True, False]
    np.testing.assert_allclose(found.activation[:2, 0], [0.37, 0], rtol=1e-6)
    assert found.failures == {}


def test_the_class_token_before_the_first_attention_does_not_depend_on_the_image(
    model: VisionModel,
) -> None:
    first, second = "blocks.0.attn.qk:0@q0.k0", "blocks.0.attn.qk:0@q0.k3"
    found = rendered(model, first, second, "blocks.0.attn.qkv:3@cls")
    assert list(map(str, found.constants)) == [first, "blocks.0.attn.qkv:3@cls"]
    sides = rendered(model, first, second, split_qk=True)
    assert list(map(str, sides.constants)) == [first]
    assert is_gray(sides) == [True, False]


def test_a_value_of_zero_and_another_constant_have_their_own_reasons(model: VisionModel) -> None:
    reasons = list(rendered(model, "blocks.2.mlp.fc1:0-2").constants.values())
    assert reasons == [
        "it does not depend on the image: one value in all 4 steps, and no gradient",
        "activation and gradient are 0 in all 4 steps: zero weights, or a closed ReLU",
    ]


@pytest.mark.parametrize("seed", range(5, 9))
def test_a_unit_that_only_closed_relus_reach_is_constant_where_it_starts(seed: int) -> None:
    """Its weights are not zero, but no start image and no step opens the ReLU."""
    torch.manual_seed(seed)
    relu = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3), nn.Flatten(), nn.ReLU())
    module = relu.requires_grad_(False)
    conv = module[0]
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    conv.bias[:] = -100
    closed = VisionModel("closed", module, 16, (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(Exception, match="does not depend on the image"):
        rendered(closed, "2:0")
    conv.bias[:] = torch.tensor([-100.0, -100, -100, 0])
    last = module[2]
    assert isinstance(last, nn.Conv2d)
    last.weight[0, 3] = 0
    open_now = VisionModel("open", module, 16, (0.5,) * 3, (0.5,) * 3)
    assert list(map(str, rendered(open_now, "2:0-1").constants)) == ["2:0"]


def with_relus() -> VisionModel:
    """A model with ReLUs, of whose neurons 0 and 1 in block 2 are closed, and 1 has no weights."""
    made = toy_vit()
    mlp: Any = made.module.get_submodule("blocks.2.mlp")
    mlp.act = nn.ReLU()
    mlp.fc1.bias[:2] = -100
    mlp.fc1.weight[1] = 0
    mlp.fc1.bias[2] = 100
    return made


def test_a_closed_neuron_is_optimized_through_its_pre_activation_and_named() -> None:
    made = with_relus()
    closed, dead, alive = (f"blocks.2.mlp_act:{index}" for index in range(3))
    found = render(made, "blocks.2.mlp_act:0-2", steps=48)
    assert is_gray(found) == [False, True, False]
    reasons = {str(unit): reason for unit, reason in found.constants.items()}
    assert reasons == {
        closed: "activation is 0 in all 48 steps (a closed ReLU): its pre-activation was optimized",
        dead: "activation and gradient are 0 in all 48 steps: zero weights, or a closed ReLU",
    }
    assert alive not in reasons
    assert not found.activation[:2].any()
    with torch.no_grad():
        read = Readout(made, "blocks.2.mlp.fc1:0")
        pictures = torch.from_numpy(found.images[:, 0]).movedim(-1, 1) / 255
        before, gray = read(torch.stack([pictures[0], torch.full_like(pictures[0], 0.5)]))[:, 0]
    assert before > gray


def test_a_neuron_that_opens_during_the_optimization_is_not_named() -> None:
    made = with_relus()
    mlp: Any = made.module.get_submodule("blocks.2.mlp")
    gray = torch.full((1, 3, 32, 32), 0.5)
    with torch.no_grad():
        before = float(Readout(made, "blocks.2.mlp.fc1:5@max")(gray))
        mlp.fc1.bias[5] -= before + 0.02
    found = render(made, "blocks.2.mlp_act:5@max", steps=64)
    assert not found.trajectory[0, 0, 0]
    assert found.trajectory[0, 0].max() > 0
    assert found.constants == {}


def test_pictures_of_other_units_are_the_same_with_and_without_a_constant_unit(
    model: VisionModel,
) -> None:
    both, alone = rendered(model, "blocks.2.mlp.fc1:0-2"), rendered(model, ALIVE)
    assert np.abs(both.images[2].astype(int) - alone.images[0]).max() <= 1
    assert alone.constants == {}


@pytest.mark.parametrize(
    ("objective", "constant"),
    [
        (lambda _images, activations: 2 * activations, [DEAD, SILENT]),
        (lambda images, activations: activations - images.mean((1, 2, 3)), []),
    ],
)
def test_an_objective_that_reads_the_image_keeps_its_picture(
    model: VisionModel, objective: Callable[[Tensor, Tensor], Tensor], constant: list[str]
) -> None:
    found = rendered(model, "blocks.2.mlp.fc1:0-1", objective=objective)
    assert list(map(str, found.constants)) == constant
    assert is_gray(found) == [bool(constant)] * 2


def test_a_value_that_rounding_keeps_constant_has_a_gradient() -> None:
    """A large bias hides the changes from the value, not from the gradient."""
    biased = toy_vit()
    layer = biased.module.get_submodule("blocks.2.mlp.fc1")
    assert isinstance(layer, nn.Linear)
    layer.bias[5] = 1e9
    found = rendered(biased, "blocks.2.mlp.fc1:5")
    assert len(np.unique(found.trajectory)) == 1
    assert found.constants == {}
    assert is_gray(found) == [False]


@pytest.fixture(scope="module")
def store(model: VisionModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("constant") / "store"
    chosen = units(model, "blocks.2.mlp.fc1:0-2")
    summary = render_to_store(model, chosen, make_recipe(model, steps=STEPS), path)
    assert list(summary.constants) == [DEAD, SILENT]
    assert summary.failures == {}
    return path


def test_the_store_holds_the_picture_and_the_reason(store: Path) -> None:
    opened = Store(store)
    assert opened.verify() == []
    assert (len(opened), list(opened.constants), opened.failures) == (3, [DEAD, SILENT], {})
    assert opened.info()["constants"] == opened.constants
    assert "zero weights" in opened.constants[SILENT]


def test_constant_units_are_not_rendered_again(model: VisionModel, store: Path) -> None:
    chosen = units(model, "blocks.2.mlp.fc1:0-2")
    again = render_to_store(model, chosen, make_recipe(model, steps=STEPS), store)
    assert (again.stored, again.done) == (0, 3)


def test_scores_do_not_call_a_constant_unit_converged(model: VisionModel, store: Path) -> None:
    assert scores_to_store(model, store).failures == {}
    rows = {row["address"]: row for row in Store(store).rows("scores")}
    for address in (DEAD, SILENT):
        assert np.isnan(rows[address]["rise"]).all()
        assert not converged(rows[address]["rise"]).any()


def test_the_gallery_shows_constant_units(store: Path, tmp_path: Path) -> None:
    exported = export([store], tmp_path / "site")
    assert (exported.units, exported.warnings) == (3, ())
