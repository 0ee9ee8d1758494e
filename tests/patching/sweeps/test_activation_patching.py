"""Sweeps of images in memory, compared with hooks on the model's own forward pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz import FeatvizError, VisionModel
from patching import sweep as sweep_of_images
from patching.effects.table import Table
from patching.forward.batched_patching import patched_logits
from patching.forward.cache import run_with_cache
from patching.forward.memory import BATCH
from patching.forward.stream_norms import frozen_norms
from patching.interventions.patch_targets import PatchTarget
from patching.settings import METRICS
from patching.vit.residual_vit import residual_vit
from tests.patching.models import MODELS, images, model_of

LABELS = torch.tensor([3, 0, 700])


def sweep(model: VisionModel, clean: Tensor, corrupted: Tensor | None, **choices: Any) -> Table:
    return sweep_of_images(model, clean, corrupted, LABELS % _classes(model), **choices)


def _classes(model: VisionModel) -> int:
    # A model without a classifier outputs features.
    return logits_of(model, torch.zeros(1, 3, *(model.image_size,) * 2).double()).shape[1]


def two(model: VisionModel) -> tuple[Tensor, Tensor]:
    return images(model, 1), images(model, 2)


def probability(logits: Tensor) -> NDArray[np.float64]:
    chosen = logits.softmax(-1)[torch.arange(3), LABELS % logits.shape[1]]
    return np.asarray(chosen.detach().numpy())


@contextmanager
def replaced(model: VisionModel, outputs: dict[str, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Replace the outputs of modules."""
    hooks = [
        model.module.get_submodule(path).register_forward_hook(
            lambda _module, _inputs, output, change=change: change(output)
        )
        for path, change in outputs.items()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def logits_of(model: VisionModel, pixels: Tensor) -> Tensor:
    with torch.no_grad():
        return model(pixels)


def outputs_of(model: VisionModel, pixels: Tensor, *paths: str) -> dict[str, Tensor]:
    """Outputs of modules on images."""
    found: dict[str, Tensor] = {}

    def keep(path: str) -> Callable[[Tensor], Tensor]:
        return lambda output: found.setdefault(path, output)

    with replaced(model, {path: keep(path) for path in paths}):
        logits_of(model, pixels)
    return found


def test_effects_are_those_of_hooks_on_the_model_itself() -> None:
    model = model_of("ViT")
    clean, corrupted = two(model)
    table = sweep(model, clean, corrupted, site="attn", window=[1, 2])
    assert table.sites.window.tolist() == [1, 1, 2, 2]
    kept = outputs_of(model, clean, "blocks.0.attn", "blocks.1.attn")
    windows = [["blocks.0.attn"], ["blocks.1.attn"], [*kept], ["blocks.1.attn"]]
    for site, paths in enumerate(windows):
        with replaced(model, {path: lambda _, path=path: kept[path] for path in paths}):  # type: ignore[misc]
            expected = probability(logits_of(model, corrupted))
        np.testing.assert_allclose(table.restored[0, site], expected, rtol=1e-9)
    np.testing.assert_allclose(table.clean[0], probability(logits_of(model, clean)), rtol=1e-9)
    np.testing.assert_allclose(
        table.corrupted[0], probability(logits_of(model, corrupted)), rtol=1e-9
    )
    assert table.metric == METRICS
    assert np.ptp(table.effect[0]) > 1e-6


def test_noising_patches_corrupted_activations_into_the_clean_run() -> None:
    model = model_of("ViT")
    clean, corrupted = two(model)
    table = sweep(model, clean, corrupted, site="mlp", direction="noising", layers="1")
    kept = outputs_of(model, corrupted, "blocks.1.mlp")
    with replaced(model, {"blocks.1.mlp": lambda _: kept["blocks.1.mlp"]}):
        expected = probability(logits_of(model, clean))
    np.testing.assert_allclose(table.restored[0, 0], expected, rtol=1e-9)
    np.testing.assert_array_equal(table.base, table.clean)


def test_swapped_roles_swap_the_baselines() -> None:
    model = model_of("DeiT distilled")
    clean, corrupted = two(model)
    one = sweep(model, clean, corrupted, site="head").select(metric="probability")
    other = sweep(model, corrupted, clean, site="head", direction="noising")
    other = other.select(metric="probability")
    np.testing.assert_allclose(one.restored, other.restored, rtol=1e-9)
    np.testing.assert_allclose(one.clean, other.corrupted, rtol=1e-9)


@pytest.mark.parametrize("kind", MODELS)
def test_restoring_everything_gives_the_clean_run(kind: str) -> None:
    model = model_of(kind)
    clean, corrupted = two(model)
    table = sweep(model, clean, corrupted, site="resid", layers=str(len(_blocks(model)) - 1))
    np.testing.assert_allclose(table.restored[:, 0], table.clean, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(table.effect[:, 0], table.total, rtol=1e-7, atol=1e-12)


def _blocks(model: VisionModel) -> Any:
    return model.module.blocks


def test_equal_images_have_no_effect() -> None:
    model = model_of("LayerScale")
    clean, _ = two(model)
    table = sweep(model, clean, clean, site="q", by="head")
    assert len(table.sites) == 6
    np.testing.assert_allclose(table.effect, 0, atol=1e-12)


def test_a_donor_of_the_same_weights_is_the_model_itself() -> None:
    model = model_of("qk-norm")
    twin = copy.deepcopy(model)
    clean, corrupted = two(model)
    own = sweep(model, clean, corrupted, site="head")
    lent = sweep(model, clean, corrupted, site="head", donor=twin)
    np.testing.assert_array_equal(own.restored, lent.restored)


def test_a_donors_activations_of_the_same_images_need_no_corruption() -> None:
    model = model_of("ViT")
    donor = copy.deepcopy(model)
    with torch.no_grad():
        donor.module.blocks[0].attn.proj.weight.mul_(1.5)  # type: ignore[index, union-attr]
    clean, _ = two(model)
    table = sweep(model, clean, None, site="attn", donor=donor)
    np.testing.assert_allclose(table.corrupted[0], probability(logits_of(model, clean)), rtol=1e-9)
    np.testing.assert_allclose(table.clean[0], probability(logits_of(donor, clean)), rtol=1e-9)
    # The models differ in this attention only.
    np.testing.assert_allclose(table.effect[:, 0], table.total, rtol=1e-7, atol=1e-12)
    assert np.abs(table.total[0]).max() > 1e-6
    back = sweep(model, clean, None, site="attn", donor=donor, direction="noising")
    np.testing.assert_allclose(back.clean, table.corrupted[:, :], rtol=1e-6, atol=1)
    np.testing.assert_allclose(back.clean[0], table.corrupted[0], rtol=1e-9)


def test_zero_ablation_is_a_hook_that_outputs_zeros() -> None:
    model = model_of("ViT")
    clean, _ = two(model)
    table = sweep(model, clean, None, site="attn", ablate="zero")
    for layer in (0, 1):
        with replaced(model, {f"blocks.{layer}.attn": torch.zeros_like}):
            expected = probability(logits_of(model, clean))
        np.testing.assert_allclose(table.restored[0, layer], expected, rtol=1e-9)
    assert table.mode == "noising"


def test_mean_ablation_takes_the_mean_over_all_images_at_each_token() -> None:
    model = model_of("ViT")
    clean, _ = two(model)
    table = sweep(model, clean, None, site="mlp", ablate="mean")
    kept = outputs_of(model, clean, "blocks.0.mlp", "blocks.1.mlp")
    for layer in (0, 1):
        mean = kept[f"blocks.{layer}.mlp"].mean(0, keepdim=True)
        with replaced(model, {f"blocks.{layer}.mlp": mean.expand_as}):
            expected = probability(logits_of(model, clean))
        np.testing.assert_allclose(table.restored[0, layer], expected, rtol=1e-9)


@pytest.mark.parametrize("ablate", ["zero", "mean"])
def test_ablating_the_last_stream_has_the_total_effect(ablate: str) -> None:
    model = model_of("average pooling")
    clean, _ = two(model)
    table = sweep(model, clean, None, site="resid", layers="1", ablate=ablate)
    np.testing.assert_allclose(table.effect[:, 0], table.total, rtol=1e-7, atol=1e-12)


def test_resampling_is_noising_with_other_images() -> None:
    model = model_of("ViT")
    clean, other = two(model)
    one = sweep(model, clean, other, site="v", by="head", ablate="resample")
    two_ = sweep(model, clean, other, site="v", by="head", direction="noising")
    np.testing.assert_array_equal(one.restored, two_.restored)
    assert one.mode == two_.mode == "noising"


def test_frozen_norms_keep_the_scale_of_the_patched_run() -> None:
    model = model_of("ViT")
    clean, corrupted = two(model)
    table = sweep(model, clean, corrupted, site="attn", layers="0", frozen=True)
    vit = residual_vit(model)
    patch = (PatchTarget("attn_out", 0),)
    base, donor = (run_with_cache(vit, vit.embed(pixels), [patch]) for pixels in (corrupted, clean))
    with frozen_norms(vit, base), torch.no_grad():
        expected = patched_logits(vit, base, donor, [patch])[0]
    np.testing.assert_allclose(table.restored[0, 0], probability(expected), rtol=1e-9)
    free = sweep(model, clean, corrupted, site="attn", layers="0")
    assert np.abs(free.restored - table.restored)[0].max() > 1e-6


def test_the_batch_size_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("ViT")
    clean, corrupted = two(model)
    whole = sweep(model, clean, corrupted, site="head")
    mean = sweep(model, clean, None, ablate="mean")
    monkeypatch.setitem(BATCH, "cpu", 2)
    parts = sweep(model, clean, corrupted, site="head")
    np.testing.assert_allclose(whole.restored, parts.restored, rtol=1e-9, atol=1e-12)
    assert parts.image.tolist() == [0, 1, 2]
    mean_parts = sweep(model, clean, None, ablate="mean")
    np.testing.assert_allclose(mean.restored, mean_parts.restored, rtol=1e-9, atol=1e-12)


def test_a_model_is_left_as_it_was_found() -> None:
    model = copy.deepcopy(model_of("ViT"))
    model.module.train().requires_grad_(True)
    clean, corrupted = two(model)
    sweep(model, clean, corrupted, site="pattern", by="head")
    assert all(part.training for part in model.module.modules())
    assert all(weight.requires_grad for weight in model.module.parameters())
    assert all(weight.grad is None for weight in model.module.parameters())
    for part in model.module.modules():
        assert not part._forward_hooks
        assert not part._forward_pre_hooks


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"corrupted": None}, "nothing to patch with: give a corruption, a donor or an ablation"),
        ({"direction": "noise"}, "got 'noise'; did you mean noising"),
        ({"ablate": "means", "corrupted": None}, "unknown ablation 'means'; did you mean mean"),
        ({"ablate": "mean"}, "mean ablation takes clean images only"),
        ({"ablate": "resample", "corrupted": None}, "resample ablation needs other images"),
        ({"ablate": "zero", "corrupted": None, "donor": "itself"}, "cannot be combined"),
        ({"labels": torch.tensor([1, 2])}, r"labels need shape \(3,\), got \(2,\)"),
        ({"labels": torch.tensor([1, 2, -1])}, "an image has no label"),
        ({"labels": torch.tensor([1, 2, 1000])}, "an image is of class 1000"),
        (
            {"corrupted": torch.zeros(2, 3, 64, 64)},
            r"needs corrupted images of shape \(3, 3, 64, 64\), got \(2, 3",
        ),
        (
            {"clean": torch.zeros(3, 3, 32, 32)},
            r"reads floating-point clean images \(N, 3, 64, 64\), not float32 \(3, 3, 32",
        ),
        ({"clean": torch.zeros(0, 3, 64, 64)}, "there are no images"),
    ],
)
def test_contradicting_settings_are_refused_in_one_line(
    choices: dict[str, Any], message: str
) -> None:
    model = model_of("ViT")
    clean, corrupted = two(model)
    wanted = {"clean": clean, "corrupted": corrupted, "labels": LABELS, **choices}
    if wanted.get("donor") == "itself":
        wanted["donor"] = model
    with pytest.raises(FeatvizError, match=message) as caught:
        sweep_of_images(model, **wanted)
    assert "\n" not in str(caught.value)
