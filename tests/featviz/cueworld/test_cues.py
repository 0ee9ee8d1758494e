"""What removes a cue, against references and invariants."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from featviz.cueworld import blur, draw, grayscale, hide_color, silhouette
from tests.oracles.blurring import gaussian_blur


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_grayscale_is_the_bt601_luminance_in_every_channel() -> None:
    colors = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.4, 0.6]])
    gray = grayscale(colors[:, :, None, None])[:, :, 0, 0]
    luma = torch.tensor([0.299, 0.587, 0.114, 0.2 * 0.299 + 0.4 * 0.587 + 0.6 * 0.114])
    torch.testing.assert_close(gray, luma[:, None].expand(4, 3))


@pytest.mark.parametrize(("height", "width", "sigma"), [(9, 12, 1.5), (12, 9, 0.5), (7, 7, 2.2)])
def test_blur_equals_the_sum_over_taps(height: int, width: int, sigma: float) -> None:
    images = noise(2, 2, height, width)
    planes = images.double().numpy().reshape(4, height, width)
    expected = np.stack([gaussian_blur(plane, sigma) for plane in planes])
    found = blur(images, sigma).reshape(4, height, width).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


def test_blur_takes_a_24th_of_the_width_by_default() -> None:
    images = noise(1, 3, 40, 48)
    torch.testing.assert_close(blur(images), blur(images, 2.0))


@pytest.mark.parametrize("sigma", [0.0, -1.0, 4.0, float("nan")])
def test_blur_refuses_a_sigma_that_the_image_cannot_hold(sigma: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 4 pixels"):
        blur(noise(1, 3, 12, 16), sigma)


def test_a_silhouette_has_one_color_inside_and_the_image_outside() -> None:
    images = torch.tensor([[0.2, 0.6, 0.9], [0.4, 0.0, 0.1], [0.0, 1.0, 0.5]])[None, :, None]
    masks = torch.tensor([1.0, 1.0, 0.0])[None, None, None]
    expected = torch.tensor([[0.4, 0.4, 0.9], [0.2, 0.2, 0.1], [0.5, 0.5, 0.5]])[None, :, None]
    torch.testing.assert_close(silhouette(images, masks), expected)


def test_a_silhouette_of_nothing_is_the_image() -> None:
    images = noise(2, 3, 8, 8)
    assert torch.equal(silhouette(images, torch.zeros(2, 1, 8, 8)), images)


def test_hiding_color_redraws_color_labels_evenly_and_keeps_the_others() -> None:
    labels = torch.arange(18).repeat(400)
    _, hidden = hide_color(noise(len(labels), 3, 1, 1), labels, torch.Generator().manual_seed(1))
    assert torch.equal(hidden[labels >= 6], labels[labels >= 6])
    table = torch.zeros(6, 6).index_put_(
        (labels[labels < 6], hidden[labels < 6]), torch.ones(()), accumulate=True
    )
    # 36 cells of about 67 draws each: five deviations.
    assert (table - 400 / 6).abs().max() < 5 * (400 / 6 * 5 / 6) ** 0.5


def test_hiding_color_makes_half_of_the_images_gray_and_keeps_the_others() -> None:
    images = noise(2000, 3, 2, 2)
    hidden, _ = hide_color(
        images, torch.zeros(2000, dtype=torch.long), torch.Generator().manual_seed(2)
    )
    kept = (hidden == images).flatten(1).all(1)
    assert torch.equal(hidden[~kept], grayscale(images)[~kept])
    assert 900 < kept.sum() < 1100


def test_removing_a_cue_keeps_the_images_in_the_box() -> None:
    batch = draw(18, seed=5)
    views = grayscale(batch.images), blur(batch.images), silhouette(batch.images, batch.masks)
    for images in views:
        assert images.shape == batch.images.shape
        assert images.min() >= 0
        assert images.max() <= 1 + 1e-6
