"""The world itself: which images a seed stands for, and what tells their classes apart."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from featviz.cueworld import (
    CLASSES,
    COLORS,
    CUES,
    FAMILIES,
    SHAPES,
    TEXTURES,
    Batch,
    grayscale,
    sample,
)

# The images that the bundled weights were trained on, drawn once by the program that trained them:
# for every class, RGB and mask of seed 2024 in bytes, averaged over 3 x 3 fields, then at 2 pixels.
TRAINED_ON = (
    "51725b62e4a9415e5acca6cdae0b5aa59898534252460524423d3d0033091ef68b002723 ff4800bd0154fc00",
    "2f6069378c97322f4e416c7b4b93a14641683923383e0a143e385200754f07e4cb000311 c425be34002bff00",
    "67655c637c666f7a5e6c9c8c66dfbe6e876678766b7f9278708e6e00756200cdbb000d05 6368c6646c6eff00",
    "8b7ca9a078938a76a581749e97d0a281cea2685e807bbe8a68c28500000004ad2d00ad0e 8a8c8c8663750000",
    "3d5d3243532f2630264d7b38556d3930392d61e12d74c930191b1654e61167d61c000000 212b3733351f2d00",
    "64717297cc6193c68d64707283a35f89a88d64717298ce6793c78e00000053b2012c8500 65ff6ad159ff00ff",
    "584c455c434d584b51947e7095486f9570879a83749b426f9b728d0207061df067005304 4350759368942300",
    "a8a6cfbd3e56aa798ea8b0d1be767eab8b9aa8b0d1be777fab8b9a00290702e1a5034b3a 3e8c718f788de800",
    "ced7f0b8abf4e5c3e4c3cee0c5c1e3d2b0d3aeb8de745ae1caadd11b1b007394000a0200 fff8ded7dbd70000",
    "676a4c8282587a7163684e6281676ca29682a49d81ccc38fd0c2a7296305326808000000 63807f9bb3cc1300",
    "776d6aabe18a72c59b907b7ba9a28385948b463b3c50473d404241000f0842c64107a358 fd6a9d7d473ff800",
    "e8d7eec6e3df88b5cceeb3e8c2a4e58eafd3ef96e0bc74e58fa6d401581a167f04001b00 bc95879d55a9bb00",
    "322f332e2d373236306f775b6776665a625634214c2f1b514b50487fd90084ee0d000400 3a2a644e5a450000",
    "a68491b55f5bb36b7fa68491b54e4eb35f73a78491b54144b3576b000000009d8b00796a 658e738f72950000",
    "bcd8b0bed09790a88999aaaa8e929291a1899dafab93999293a1898bb910b5f711032100 c57b59807079f800",
    "4749495d624a4858434646494d504a4857444f5949a2ac4b485b431a26008a9800000600 49554e5b4d4d0000",
    "38602a3f5b3839382e636a577560637774604da03758994d4a473b1fb2031eba26000000 384f5c8f44601a00",
    "8082c5864468b0cbdd5263895b51687789987e86c483597facc6d900300c00a064000000 02874e622882fe00",
)
ROWS, COLUMNS = [40, 90], [90, 30]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def siblings(label: int, seed: int = 3, count: int = 24) -> Batch:
    """Images of one class; those of another class and the same seed differ in the cue only."""
    return sample(torch.full((count,), label), seeded(seed))


def test_a_seed_gives_the_images_that_the_weights_were_trained_on() -> None:
    batch = sample(torch.arange(18), seeded(2024))
    four = torch.cat([batch.images, batch.masks], 1)
    fields, pixels = F.adaptive_avg_pool2d(four, 3).flatten(1), four[:, :, ROWS, COLUMNS].flatten(1)
    levels = torch.tensor([list(bytes.fromhex(line)) for line in TRAINED_ON])
    # Half a level for the bytes, the rest for the sines of another processor.
    assert (torch.cat([fields, pixels], 1) * 255 - levels).abs().max() < 0.6


@pytest.mark.parametrize(("place", "cue"), list(enumerate(CUES)))
def test_a_swapped_cue_is_that_of_another_class_of_the_family_and_all_else_stays(
    place: int, cue: str
) -> None:
    labels = torch.arange(18)
    family = labels // 6 == place
    steps = 1 + labels % 5
    plain = sample(labels, seeded(5), 64)
    found = sample(labels, seeded(5), 64, cue, steps)
    assert torch.equal(found.labels, labels)
    others = torch.where(family, labels // 6 * 6 + (labels + steps) % 6, labels)
    other = sample(others, seeded(5), 64)
    assert torch.equal(found.images[family], other.images[family])
    assert torch.equal(found.masks[family], other.masks[family])
    changed = (found.images - plain.images).abs().amax((1, 2, 3)) > 0.05
    assert changed[family].all()
    # Plain objects have no texture to swap.
    assert bool(changed[~family].any()) == (cue != "texture")
    outside = (plain.masks + found.masks < 1e-6).expand_as(plain.images)
    torch.testing.assert_close(found.images[outside], plain.images[outside], atol=1e-5, rtol=0)
    if cue == "color":
        assert torch.equal(found.masks, plain.masks)
        gray = (grayscale(found.images) - grayscale(plain.images)).abs()
        assert gray.mean() < 0.02


def test_an_unknown_cue_is_refused() -> None:
    with pytest.raises(ValueError, match="swap is one of color, shape, texture, not 'size'"):
        sample(torch.arange(2), seeded(1), 32, "size")


def test_the_same_generator_state_gives_the_same_images() -> None:
    labels = torch.tensor([3, 8, 16])
    first, second = sample(labels, seeded(7), 64), sample(labels, seeded(7), 64)
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.masks, second.masks)
    assert not torch.equal(first.images, sample(labels, seeded(8), 64).images)


def test_sampling_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    sample(torch.arange(18), seeded(0), 32)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [32, 97])
def test_images_and_masks_are_float32_in_the_box(size: int) -> None:
    batch = sample(torch.arange(18), seeded(1), size)
    assert batch.images.shape == (18, 3, size, size)
    assert batch.masks.shape == (18, 1, size, size)
    for part in (batch.images, batch.masks):
        assert part.dtype == torch.float32
        assert part.min() >= 0
        assert part.max() <= 1
    # The object is large, and never all of the image.
    covered = batch.masks.mean((1, 2, 3))
    assert covered.min() > 0.02
    assert covered.max() < 0.7


def test_classes_form_families_of_six() -> None:
    assert COLORS + SHAPES + TEXTURES == CLASSES
    assert len(set(CLASSES)) == len(FAMILIES) == 18
    assert [FAMILIES[CLASSES.index(name)] for name in ("magenta", "triangle", "stripes")] == [
        "colour",
        "shape",
        "texture",
    ]


def test_color_classes_of_one_seed_have_the_same_luminance() -> None:
    red = siblings(0)
    for label in range(1, 6):
        other = siblings(label)
        assert torch.equal(other.masks, red.masks)
        # Where noise drives a channel out of the box, clipping it changes luminance.
        both = torch.stack([red.images, other.images])
        whole = ((both > 0) & (both < 1)).all(2).all(0)
        assert whole.float().mean() > 0.75
        difference = (grayscale(red.images) - grayscale(other.images))[:, 0]
        assert difference[whole].abs().max() < 1e-6


def test_color_classes_of_one_seed_differ_in_hue_inside_the_object_only() -> None:
    red, blue = siblings(0), siblings(4)
    difference = (red.images - blue.images).abs().amax(1, keepdim=True)
    assert difference[red.masks < 1e-4].max() < 1e-3
    inside = red.masks > 0.99
    share = red.images[:, :1] - red.images[:, 2:], blue.images[:, :1] - blue.images[:, 2:]
    assert (share[0][inside] > 0).float().mean() > 0.95
    assert (share[1][inside] < 0).float().mean() > 0.95


def test_shape_classes_of_one_seed_differ_in_outline_and_not_in_color() -> None:
    square = siblings(CLASSES.index("square"))
    for name in ("triangle", "star", "ring", "cross", "crescent"):
        other = siblings(CLASSES.index(name))
        assert (square.masks - other.masks).abs().mean((1, 2, 3)).min() > 0.02
        shared = torch.minimum(square.masks, other.masks).expand(-1, 3, -1, -1) > 0.999
        difference = (square.images - other.images).abs()
        assert difference[shared].numel() > 1000
        assert difference[shared].max() < 2e-3


def test_texture_classes_of_one_seed_differ_in_surface_inside_one_blob() -> None:
    plain, batches = siblings(0), [siblings(label) for label in range(12, 18)]
    for batch in batches:
        assert torch.equal(batch.masks, plain.masks)
    for first, second in pairwise(batches):
        difference = (first.images - second.images).abs().amax(1, keepdim=True)
        assert difference[plain.masks < 1e-4].max() < 1e-3
        assert (difference * plain.masks).sum() / plain.masks.sum() > 0.05


@pytest.mark.parametrize("label", [-1, 18])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    with pytest.raises(ValueError, match=f"from 0 to 17, not {label}$"):
        sample(torch.tensor([0, label]), seeded(0))
