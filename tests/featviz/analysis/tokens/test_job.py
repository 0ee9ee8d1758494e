from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import featviz
from featviz.addressing.address import Unit
from featviz.analysis.tokens import job as tokens
from featviz.analysis.tokens.gram_similarity import gram_similarity
from featviz.analysis.tokens.job import group_by_unit, score_tokens, tokens_to_store
from featviz.analysis.tokens.scores import COLUMNS, TokenScores
from featviz.errors import FeatvizError
from featviz.models.sites import Site
from featviz.models.vision_model import VisionModel
from featviz.optimization.optimize import optimize
from featviz.optimization.recipe import Recipe, make_recipe
from featviz.rendering import batches
from featviz.rendering.job import render_to_store
from featviz.store.reader import Store
from tests.cli.running import tree
from tests.featviz.toys import toy_vit

SIDE = 16
BLACK, RED, GREEN, BLUE = (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)
APART = ((1, -1, -1), (-1, 1, -1), (-1, -1, 1), (-1, -1, -1))
"""The colors that activate four tokens most: red, green, blue and black."""


class ColorTokens(nn.Module):
    """Four tokens that receive the mean color of the whole image with a sign for each channel.

    The value of a token is the sum over channels of sign times color, in [-1, 1].
    """

    signs: Tensor

    def __init__(self, signs: tuple[tuple[int, ...], ...]) -> None:
        super().__init__()
        self.register_buffer("signs", torch.tensor(signs, dtype=torch.float32))
        self.fc = nn.Linear(3, 1)
        with torch.no_grad():
            self.fc.weight.fill_(1)
            self.fc.bias.fill_(0.25)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.fc(images.mean((2, 3))[:, None] * self.signs)
        return out


def toy(signs: tuple[tuple[int, ...], ...]) -> VisionModel:
    return VisionModel("toy", ColorTokens(signs), SIDE, (0.5,) * 3, (0.5,) * 3)


def uniform(color: tuple[int, int, int]) -> np.typing.NDArray[np.uint8]:
    return np.tile(np.array(color, np.uint8), (SIDE, SIDE, 1))


def quick(model: VisionModel, **settings: object) -> Recipe:
    defaults = {"preset": "naive", "steps": 160, "size": SIDE}
    return make_recipe(model, **defaults | settings)  # type: ignore[arg-type]


# Scores with known values.


def test_scores_of_tokens_with_different_colors_equal_those_computed_by_hand() -> None:
    """The mean of the four values is -(r + g + b) / 2, so the picture over all patches is black.

    On it, the first three tokens reach 1 of the 3 that their own colors give, the last one all 3.
    """
    model = toy(APART)
    parts = featviz.units(model, "fc:0@all")
    own = np.stack([uniform(color) for color in (RED, GREEN, BLUE, BLACK)])
    scores = score_tokens(model, Unit("fc", 0), parts, uniform(BLACK), own)
    assert scores.address == "fc:0"
    assert scores.tokens.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(scores.optimum, 3, rtol=1e-6)
    np.testing.assert_allclose(scores.reached, [1, 1, 1, 3], rtol=1e-6)
    np.testing.assert_allclose(scores.share, [1 / 3, 1 / 3, 1 / 3, 1], rtol=1e-6)
    assert scores.median_share == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("signs", "ratio"), [(((1, -1, 1),) * 4, 1.0), (APART, 1 / 3)], ids=["same", "apart"]
)
def test_rendered_pictures_have_the_planted_score(
    signs: tuple[tuple[int, ...], ...], ratio: float, tmp_path: Path
) -> None:
    model = toy(signs)
    tokens_to_store(model, featviz.units(model, "fc:0@all"), quick(model), tmp_path / "s")
    scores = TokenScores.from_row(Store(tmp_path / "s").row("fc:0", "tokens"))
    assert scores.median_share == pytest.approx(ratio, abs=0.02)
    if ratio == 1:
        assert (scores.similarity > 0.999).all()


def test_a_constant_added_to_a_unit_changes_no_score() -> None:
    model = toy(APART)
    parts, own = featviz.units(model, "fc:0@all"), np.stack([uniform(RED)] * 4)
    before = score_tokens(model, Unit("fc", 0), parts, uniform(BLUE), own)
    with torch.no_grad():
        model.module.get_parameter("fc.bias").fill_(-40)
    after = score_tokens(model, Unit("fc", 0), parts, uniform(BLUE), own)
    np.testing.assert_allclose(after.share, before.share, rtol=1e-4)


def test_a_token_whose_own_picture_does_not_exceed_gray_has_no_share() -> None:
    model = toy(APART)
    parts = featviz.units(model, "fc:0@0-2")
    own = np.stack([uniform(color) for color in (BLUE, GREEN, BLUE)])
    scores = score_tokens(model, Unit("fc", 0), parts, uniform(RED), own)
    assert np.isnan(scores.share).tolist() == [True, False, False]
    # Red is below gray for the green and the blue token: -1 of 3.
    assert scores.median_share == pytest.approx(-1 / 3)
    no_token = score_tokens(model, Unit("fc", 0), parts[:1], uniform(RED), own[:1])
    assert np.isnan(no_token.median_share)


def test_scores_do_not_depend_on_the_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    model = toy_vit()
    parts = featviz.units(model, "blocks.1.mlp.fc1:3@all")
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (6, 32, 32, 3), np.uint8)
    whole = score_tokens(model, Unit("blocks.1.mlp.fc1", 3), parts, pictures[0], pictures[1:])
    monkeypatch.setattr(tokens, "BATCH", 2)
    pieces = score_tokens(model, Unit("blocks.1.mlp.fc1", 3), parts, pictures[0], pictures[1:])
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(pieces, name), getattr(whole, name), rtol=1e-4)


def test_scores_are_differences_of_values_from_a_plain_forward_pass() -> None:
    """For a vision transformer, where the value of a token depends on the whole picture."""
    model = toy_vit()
    parts = featviz.units(model, "blocks.2.mlp.fc1:5@0,1,4")
    pictures = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), np.uint8)
    scores = score_tokens(model, Unit("blocks.2.mlp.fc1", 5), parts, pictures[0], pictures[1:])
    seen: list[Tensor] = []
    model.module.get_submodule("blocks.2.mlp.fc1").register_forward_hook(
        lambda _layer, _inputs, output: seen.append(output[..., 5])
    )
    gray = np.full((1, 32, 32, 3), 127.5)
    images = torch.from_numpy(np.concatenate([pictures, gray])).permute(0, 3, 1, 2) / 255
    model.module((images.float() - 0.5) / 0.5)
    values = seen[0]
    for index, token in enumerate((0, 1, 4)):
        base = values[4, token]
        torch.testing.assert_close(
            torch.tensor([scores.optimum[index], scores.reached[index]]),
            torch.stack([values[1 + index, token] - base, values[0, token] - base]),
            rtol=1e-3,
            atol=1e-5,
        )


# Gram similarity.

LAYER = Site("fc", "fc", 1, 5, (2, 2), 1)


def test_gram_similarity_is_the_cosine_of_gram_matrices_over_the_patches() -> None:
    """Rows (1, 0) give [[1, 0], [0, 0]] and rows (1, 1) give [[1, 1], [1, 1]]: 1 / (1 * 2)."""
    first = torch.tensor([[9.0, 9.0], [1, 0], [1, 0], [0, 0], [0, 0]])
    second = torch.tensor([[-9.0, 0.0], [1, 1], [0, 0], [0, 0], [0, 0]])
    third = torch.tensor([[9.0, 9.0], [0, 2], [0, 0], [0, 1], [0, 0]])
    pairs = torch.stack([first, first, first]), torch.stack([first, second, third])
    torch.testing.assert_close(gram_similarity(*pairs, LAYER), torch.tensor([1.0, 0.5, 0.0]))


def test_gram_similarity_does_not_depend_on_positions() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 1, 5, 7, generator=generator)
    order = [0, 3, 1, 4, 2]
    moved = gram_similarity(first[:, order], second, LAYER)
    torch.testing.assert_close(moved, gram_similarity(first, second, LAYER))
    torch.testing.assert_close(gram_similarity(second, first, LAYER), moved)
    assert 0 <= float(moved) < 1


# Grouping.


def test_units_at_tokens_are_grouped_by_the_unit_over_all_patches() -> None:
    model = toy_vit()
    units = featviz.units(model, "blocks.1.mlp.fc1:3,7@2,4", "blocks.2.mlp.fc1:0@2,4")
    groups = group_by_unit(model, units)
    assert {str(whole): list(map(str, parts)) for whole, parts in groups.items()} == {
        "blocks.1.mlp.fc1:3": ["blocks.1.mlp.fc1:3@2", "blocks.1.mlp.fc1:3@4"],
        "blocks.1.mlp.fc1:7": ["blocks.1.mlp.fc1:7@2", "blocks.1.mlp.fc1:7@4"],
        "blocks.2.mlp.fc1:0": ["blocks.2.mlp.fc1:0@2", "blocks.2.mlp.fc1:0@4"],
    }


def test_the_class_token_is_token_0_and_counts_once() -> None:
    model = toy_vit()
    units = featviz.units(model, "blocks.1.mlp.fc1:3@cls", "blocks.1.mlp.fc1:3@0-1")
    ((_, parts),) = group_by_unit(model, units).items()
    assert [unit.token for unit in parts] == ["cls", 1]


@pytest.mark.parametrize(
    ("selectors", "line"),
    [
        (("blocks.1.mlp.fc1:3",), r"blocks\.1\.mlp\.fc1:3 names no token; write .*:3@all"),
        (("head:0",), "head:0 names no token"),
        (("blocks.1.attn.qk:0@q1.k2",), "is not a unit of a layer or block"),
        (("blocks.1.mlp.fc1:3@1+blocks.1.mlp.fc1:4@1",), "is not a unit of a layer or block"),
        (("blocks.1.mlp.fc1:3@1", "blocks.1.mlp.fc1:4@2"), "do not have the same tokens"),
        (("patch_embed:3@1", "blocks.1.mlp.fc1:4@1"), "do not have the same tokens"),
    ],
)
def test_units_without_tokens_to_compare_are_refused(
    selectors: tuple[str, ...], line: str, tmp_path: Path
) -> None:
    model = toy_vit()
    with pytest.raises(FeatvizError, match=line):
        tokens_to_store(model, featviz.units(model, *selectors), quick(model), tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


# The store.


def test_a_second_run_changes_no_byte_and_more_units_are_added(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "s"
    recipe = quick(model, steps=2, size=32)
    some = featviz.units(model, "blocks.1.mlp.fc1:3@0,2")
    first = tokens_to_store(model, some, recipe, store)
    assert (first.others["rendered"], first.stored, first.done) == (3, 1, 0)
    before = tree(tmp_path)
    again = tokens_to_store(model, some, recipe, store)
    assert (again.others["rendered"], again.stored, again.done) == (0, 0, 1)
    assert tree(tmp_path) == before
    more = featviz.units(model, "blocks.1.mlp.fc1:3-4@0,2")
    added = tokens_to_store(model, more, recipe, store)
    assert (added.others["rendered"], added.stored, added.done) == (3, 1, 1)
    assert Store(store).addresses("tokens") == ["blocks.1.mlp.fc1:3", "blocks.1.mlp.fc1:4"]
    assert Store(store).verify() == []


def test_stored_pictures_are_scored_and_not_rendered_again(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "s"
    recipe = quick(model, steps=2, size=32)
    parts = featviz.units(model, "blocks.1.mlp.fc1:3@0,2")
    render_to_store(model, [Unit("blocks.1.mlp.fc1", 3), *parts], recipe, store)
    summary = tokens_to_store(model, parts, recipe, store)
    assert (summary.others["rendered"], summary.stored) == (0, 1)


def test_the_best_of_several_samples_is_scored(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "s"
    recipe = quick(model, steps=2, size=32, samples=3)
    parts = featviz.units(model, "blocks.1.mlp.fc1:3@1,2")
    tokens_to_store(model, parts, recipe, store)
    opened = Store(store)
    best = [opened.row(str(part))["activation"].max() for part in parts]
    gray = featviz.readout(model, parts)(torch.full((1, 3, 32, 32), 0.5))[0]
    expected = np.array(best) - gray.detach().numpy()
    np.testing.assert_allclose(
        opened.row("blocks.1.mlp.fc1:3", "tokens")["optimum"], expected, rtol=1e-3, atol=1e-6
    )


def test_other_tokens_or_settings_are_refused_before_anything_is_rendered(tmp_path: Path) -> None:
    model, store = toy_vit(), tmp_path / "s"
    recipe = quick(model, steps=2, size=32)
    tokens_to_store(model, featviz.units(model, "blocks.1.mlp.fc1:3@0,2"), recipe, store)
    before = tree(tmp_path)
    other = featviz.units(model, "blocks.1.mlp.fc1:3@1,2")
    with pytest.raises(FeatvizError, match="tokens is"):
        tokens_to_store(model, other, recipe, store)
    assert tree(tmp_path) == before
    summary = tokens_to_store(model, other, recipe, store, force=True)
    assert (summary.others["rendered"], summary.stored) == (3, 1)
    assert set(before.values()) <= set(tree(tmp_path).values())


def test_force_sets_pictures_of_other_settings_aside(
    tmp_path: Path,
) -> None:
    model, store = toy_vit(), tmp_path / "s"
    parts = featviz.units(model, "blocks.1.mlp.fc1:3@0,2")
    render_to_store(model, parts, quick(model, steps=1, size=32), store)
    recipe = quick(model, steps=2, size=32)
    with pytest.raises(FeatvizError, match="steps is 1 there and 2 here"):
        tokens_to_store(model, parts, recipe, store)
    summary = tokens_to_store(model, parts, recipe, store, force=True)
    assert (summary.others["rendered"], summary.stored) == (3, 1)
    assert Store(store).addresses("tokens") == ["blocks.1.mlp.fc1:3"]
    assert Store(store).verify() == []


def test_a_unit_with_a_failed_picture_is_not_scored_until_it_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, store = toy_vit(), tmp_path / "s"
    recipe = quick(model, steps=2, size=32)
    parts = featviz.units(model, "blocks.1.mlp.fc1:3-4@0,2")

    def failing(model: VisionModel, units: list[Unit], *rest: object) -> object:
        if "blocks.1.mlp.fc1:4@2" in map(str, units):
            raise ValueError("broken unit")
        return optimize(model, units, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(batches, "optimize", failing)
        summary = tokens_to_store(model, parts, recipe, store)
    assert list(summary.failures) == ["blocks.1.mlp.fc1:4@2"]
    assert (summary.others["rendered"], summary.stored) == (5, 1)
    again = tokens_to_store(model, parts, recipe, store)
    assert (again.others["rendered"], again.stored, again.done) == (1, 1, 1)


def test_scoring_restores_the_model_and_the_random_state() -> None:
    model = toy_vit()
    model.module.train()
    model.module.requires_grad_(True)
    state = torch.get_rng_state()
    pictures = np.zeros((3, 32, 32, 3), np.uint8)
    parts = featviz.units(model, "blocks.1.mlp.fc1:3@0,2")
    score_tokens(model, Unit("blocks.1.mlp.fc1", 3), parts, pictures[0], pictures[1:])
    assert model.module.training
    assert all(weight.requires_grad for weight in model.module.parameters())
    assert torch.equal(torch.get_rng_state(), state)
