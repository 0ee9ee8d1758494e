"""Corruptions by name: what they do to images and to the stream, and what they depend on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from featviz import FeatvizError, VisionModel, cueworld
from featviz.data.datasets import open_data
from featviz.models.hooks import eval_mode
from patching.interventions.corruptions import Corruptor, corruption
from patching.interventions.perturbations import add_noise, occlude_patches, shuffle_patches
from patching.vit.residual_vit import ResidualViT, residual_vit
from tests.featviz.models.attention_models import TRAINED, attention_model

DATA = open_data("cueworld:54")
NUMBERS = list(range(4, 54, 2))
EXAMPLES = (
    "grayscale",
    "blur",
    "blur:2.5",
    "noise:0.2",
    "embedding:1.5",
    "silhouette",
    "mask",
    "background::blur",
    "shuffle",
    "occlude:0.4",
    "cue:color",
    "cue:shape",
    "word:star",
    "swap",
)


def bound(text: str, model: VisionModel, numbers: list[int] | None = None) -> Corruptor:
    return corruption(text).bind(model, DATA, NUMBERS[:20] if numbers is None else numbers)


def read(numbers: list[int], size: int = 64) -> Tensor:
    return torch.stack([DATA.image(number, size) for number in numbers])


@contextmanager
def vit(kind: str) -> Iterator[ResidualViT]:
    model = attention_model(kind)
    with eval_mode(model.module), torch.no_grad():
        yield residual_vit(model)


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_corruption_is_formatted_as_it_is_parsed(text: str) -> None:
    assert str(corruption(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("greyscale", "unknown corruption 'greyscale'; did you mean grayscale"),
        ("xyz", "unknown corruption 'xyz'; choose from grayscale, blur[:SIGMA], noise:AMOUNT"),
        ("grayscale:2", "expected grayscale, got 'grayscale:2'"),
        ("noise", "expected noise:AMOUNT with a number > 0, got 'noise'"),
        ("noise:", "expected noise:AMOUNT with a number > 0, got 'noise:'"),
        ("noise:loud", "expected noise:AMOUNT with a number > 0, got 'noise:loud'"),
        ("blur:0", "expected blur[:SIGMA] with a number > 0, got 'blur:0'"),
        ("embedding:-1", "expected embedding:AMOUNT with a number > 0, got 'embedding:-1'"),
        ("embedding:inf", "expected embedding:AMOUNT with a number > 0, got 'embedding:inf'"),
        ("noise:nan", "expected noise:AMOUNT with a number > 0, got 'noise:nan'"),
        ("cue:hue", "expected cue:NAME with color, shape, texture, got 'cue:hue'"),
        ("cue", "expected cue:NAME with color, shape, texture, got 'cue'"),
        ("word: ", "expected word:TEXT, got 'word: '"),
        ("mask:nowhere", "there is no folder nowhere; a mask needs DIR or DIR:mean"),
        ("mask::nowhere", "there is no folder nowhere; a mask needs DIR or DIR:mean"),
        ("occlude:1.2", "expected occlude:SHARE with a number > 0 and <= 1, got 'occlude:1.2'"),
    ],
)
def test_an_invalid_corruption_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(FeatvizError, match=f"^{re.escape(message)}") as caught:
        corruption(text)
    assert "\n" not in str(caught.value)


def test_cues_are_removed_as_cueworld_removes_them() -> None:
    model, images = attention_model("ViT"), read([4, 6, 30])
    for text, expected in (
        ("grayscale", cueworld.grayscale(images)),
        ("blur", cueworld.blur(images)),
        ("blur:2.5", cueworld.blur(images, 2.5)),
        ("silhouette", cueworld.silhouette(images, DATA.masks([4, 6, 30], 64))),
        ("embedding:1", images),
    ):
        assert torch.equal(bound(text, model).images(images, [4, 6, 30]), expected)


def test_a_blur_wider_than_the_image_is_refused() -> None:
    with pytest.raises(FeatvizError, match="blur sigma must be above 0 and below"):
        bound("blur:999", attention_model("ViT")).images(read([4]), [4])


def test_patches_are_those_of_the_model() -> None:
    for kind, side in (("ViT", 16), ("DINOv2 with registers", 14)):
        model = attention_model(kind)
        images = read([4], model.image_size)
        for text in ("shuffle", "occlude:0.4"):
            made = bound(text, model)
            found, drawn = made.images(images, [4]), made._generators([4])
            if text == "shuffle":
                expected = shuffle_patches(images, side, drawn)
            else:
                expected = occlude_patches(images, 0.4, side, drawn)
            assert torch.equal(found, expected)
            assert not torch.equal(found, images)


def test_swapped_images_are_those_of_their_partners_and_the_other_way_round() -> None:
    numbers = NUMBERS[:20]
    swap, images = bound("swap", attention_model("ViT")), read(numbers)
    swapped = swap.images(images, numbers)
    for number, image in zip(numbers, swapped, strict=True):
        partner = swap.partners[number]
        assert partner in numbers
        assert number % 18 != partner % 18
        assert torch.equal(image, DATA.image(partner, 64))
        assert swap.partners[partner] == number


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_corruption_depends_on_the_index_of_an_image_and_not_on_its_batch(text: str) -> None:
    with vit("ViT") as model:
        numbers = NUMBERS[:6]
        made = bound(text, model.model)
        whole = made.start(model, read(numbers), numbers)
        turned = bound(text, model.model).start(model, read(numbers[::-1]), numbers[::-1])
        alone = torch.cat([made.start(model, read([one]), [one]) for one in numbers])
        torch.testing.assert_close(turned.flip(0), whole, atol=1e-5, rtol=0)
        torch.testing.assert_close(alone, whole, atol=1e-5, rtol=0)
        images = [made.images(read([one]), [one]) for one in numbers]
        assert torch.equal(torch.cat(images), made.images(read(numbers), numbers))


@pytest.mark.parametrize("text", ["noise:0.2", "embedding:1.5", "shuffle", "occlude:0.4", "swap"])
def test_random_corruptions_differ_by_their_seed_and_touch_no_global_state(text: str) -> None:
    with vit("ViT") as model:
        state = torch.get_rng_state()
        images, numbers = read(NUMBERS[:4]), NUMBERS[:4]
        found = [
            corruption(text)
            .bind(model.model, DATA, NUMBERS[:20], seed)
            .start(model, images, numbers)
            for seed in (0, 0, 1)
        ]
        assert torch.equal(found[0], found[1])
        assert not torch.allclose(found[0], found[2], atol=1e-3)
        assert torch.equal(torch.get_rng_state(), state)


def test_the_masks_of_cueworld_leave_the_background_or_the_object_alone() -> None:
    numbers = [4, 6, 30]
    model, images, masks = attention_model("ViT"), read(numbers), DATA.masks(numbers, 64)
    mean = images.mean((2, 3), keepdim=True)
    for text, inside in (("mask", masks), ("background", 1 - masks)):
        found = bound(text, model).images(images, numbers)
        torch.testing.assert_close(found, images + inside * (mean - images))


def test_another_cue_is_the_same_for_equal_seeds_and_another_class_of_the_family() -> None:
    model, numbers = attention_model(TRAINED), list(range(18))
    images = read(numbers, 128)
    with torch.no_grad():
        assert (model(images).argmax(1) == torch.arange(18)).float().mean() > 0.9
        for place, cue in enumerate(("color", "shape", "texture")):
            made = corruption(f"cue:{cue}").bind(model, DATA, numbers)
            predicted = model(made.images(images, numbers)).argmax(1)
            own = torch.arange(18) // 6 == place
            # The family stays; the class changes where the cue decides it, and only there.
            assert (predicted // 6 == torch.arange(18) // 6).float().mean() > 0.9
            assert (predicted == torch.arange(18))[~own].float().mean() > 0.9
            assert not (predicted == torch.arange(18))[own].any()


def test_equal_images_of_different_indices_get_different_noise() -> None:
    image = read([4]).expand(2, -1, -1, -1)
    with vit("ViT") as model:
        for text in ("noise:0.2", "embedding:1.5"):
            one, other = bound(text, model.model).start(model, image, [4, 6])
            assert not torch.allclose(one, other, atol=1e-3)
    noisy = bound("noise:0.2", attention_model("ViT")).images(image, [4, 6])
    generators = bound("noise:9", attention_model("ViT"))._generators([4, 6])
    assert torch.equal(noisy, add_noise(image, 0.2, generators))


@pytest.mark.parametrize("kind", ["ViT", "DeiT distilled", "DINOv2 with registers", "DINOv3"])
def test_noise_on_embeddings_is_in_units_of_their_deviation_and_spares_learned_tokens(
    kind: str,
) -> None:
    with vit(kind) as model:
        numbers, size = NUMBERS[:8], model.model.image_size
        images = read(numbers, size)
        clean = model.embed(images)
        one, two = (
            bound(text, model.model).start(model, images, numbers) - clean
            for text in ("embedding:1.5", "embedding:3")
        )
        prefix = model.model.prefix_tokens
        assert not one[:, :prefix].any()
        torch.testing.assert_close(2 * one, two, atol=1e-4, rtol=0)
        embedding: nn.Module = model.model.module.patch_embed  # type: ignore[assignment]
        units = embedding(model.model.normalize(images)).flatten(1).std(1)
        deviation = one[:, prefix:].flatten(1).std(1)
        # Of 16 x 192 numbers an image: five standard errors.
        torch.testing.assert_close(deviation, 1.5 * units, rtol=5 / (2 * 16 * 192) ** 0.5, atol=0)


def test_every_image_needs_its_index() -> None:
    with pytest.raises(ValueError, match="2 images and 1 indices"):
        bound("noise:0.1", attention_model("ViT")).images(read([4, 6]), [4])


def test_all_hooks_are_removed_also_after_an_error() -> None:
    with vit("ViT") as model:
        made = bound("embedding:1", model.model)
        made.start(model, read([4]), [4])
        with pytest.raises(AssertionError, match="doesn't match model"):
            made.start(model, read([4], 32), [4])
        modules = model.model.module.modules()
        assert not any(part._forward_hooks or part._forward_pre_hooks for part in modules)


def test_what_a_corruption_lacks_is_reported_before_anything_runs(tmp_path: Path) -> None:
    model = attention_model("ViT")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    flat = open_data(f"folder:{tmp_path}")
    for text, message in (
        ("silhouette", "has no object masks; only cueworld does"),
        ("mask", "has no object masks; only cueworld does"),
        ("cue:shape", "has no cues that can be swapped; only cueworld does"),
        (f"word:{'m' * 40}", "does not fit into images of 64 pixels; use at most about"),
        ("swap", "images without labels cannot be paired"),
    ):
        with pytest.raises(FeatvizError, match=message):
            corruption(text).bind(model, flat, [0, 1])
    with pytest.raises(FeatvizError, match="an even number of images, got 25"):
        bound("swap", model, NUMBERS)
    half = (0.5, 0.5, 0.5)
    other = VisionModel("mine", nn.Flatten(), 64, half, half)
    with pytest.raises(FeatvizError, match="mine has no patch embedding to add noise to"):
        bound("embedding:1", other)


def test_every_corruption_changes_the_stream_of_the_trained_model() -> None:
    numbers = NUMBERS[:4]
    with vit(TRAINED) as model:
        images = read(numbers, 128)
        clean = model.embed(images)
        for text in EXAMPLES:
            start = bound(text, model.model).start(model, images, numbers)
            assert start.shape == clean.shape
            assert ((start - clean).abs().amax((1, 2)) > 1e-3).all(), text
