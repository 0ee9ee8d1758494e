"""Random augmentations, drawn per image and fused into one `grid_sample`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from featviz._util.images import resize
from featviz._util.seeding import generator_for
from featviz.errors import FeatvizError

# An augmentation is described by this many uniform numbers in [-1, 1]: shift (y, x), zoom, angle,
# color shift (3), color gain (3), offset of the noise (y, x).
DRAWS = 12
# Noise is cropped from one field at an offset drawn per image: new noise in every step, without
# calling a generator inside the loop.
NOISE_SLACK = 64


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random augmentations; with all of them 0 an image is only cropped to its center.

    Attributes
    ----------
    shift : float
        Largest translation along each axis, in pixels of the model's input.
    zoom : float
        Largest change of scale, as a natural logarithm: 0.1 shrinks or grows by about 10 %.
    rotation : float
        Largest angle, in degrees.
    color_shift, color_gain : float
        Largest offset, and largest natural logarithm of the gain, of each RGB channel.
    noise : float
        Standard deviation of the Gaussian noise added to each pixel.
    """

    shift: float = 0.0
    zoom: float = 0.0
    rotation: float = 0.0
    color_shift: float = 0.0
    color_gain: float = 0.0
    noise: float = 0.0

    @property
    def padding(self) -> int:
        """Pixels that an image needs around the picture so that a shifted view stays inside."""
        return math.ceil(self.shift)

    def draw(self, steps: int, generator: torch.Generator) -> Tensor:
        """Draw the augmentations of all steps of one picture.

        Parameters
        ----------
        steps : int
        generator : torch.Generator
            On the CPU.

        Returns
        -------
        Tensor, shape (steps, 12)
            In [-1, 1].
        """
        return (
            2 * torch.rand(steps, DRAWS, generator=generator, dtype=torch.float32, device="cpu") - 1
        )

    def noise_field(self, size: int, generator: torch.Generator) -> Tensor | None:
        """Draw the field that noise is cropped from.

        Parameters
        ----------
        size : int
            Side of the augmented images in pixels.
        generator : torch.Generator
            On the CPU.

        Returns
        -------
        Tensor, shape (3, size + 64, size + 64), or None
            None without noise.
        """
        if not self.noise:
            return None
        side = size + NOISE_SLACK
        noise = torch.randn(3, side, side, generator=generator, dtype=torch.float32, device="cpu")
        return self.noise * noise

    def apply(self, images: Tensor, draws: Tensor, size: int, field: Tensor | None) -> Tensor:
        """Augment images.

        Parameters
        ----------
        images : Tensor, shape (N, 3, H, W)
            Pictures with their padding, H and W at least `size`.
        draws : Tensor, shape (N, 12)
            One row of what `draw` returns for each picture.
        size : int
            Side of the result in pixels.
        field : Tensor or None
            What `noise_field` returns.

        Returns
        -------
        Tensor, shape (N, 3, size, size)
            Not clipped: color changes and noise may leave [0, 1].
        """
        if self.shift or self.zoom or self.rotation:
            view = F.grid_sample(
                images,
                self._grid(images, draws, size),
                mode="bilinear",
                padding_mode="reflection",
                align_corners=False,
            )
        else:
            view = center_crop(images, size)
        if self.color_shift or self.color_gain:
            gain = (self.color_gain * draws[:, 7:10, None, None]).exp()
            view = torch.addcmul(self.color_shift * draws[:, 4:7, None, None], view, gain)
        if field is not None:
            view = view + crop_noise(field, draws[:, 10:12], size)
        return view

    def _grid(self, images: Tensor, draws: Tensor, size: int) -> Tensor:
        """Compute the sampling positions, (N, size, size, 2) in [-1, 1]."""
        height, width = images.shape[2:]
        scale = (self.zoom * draws[:, 2]).exp()
        angle = math.radians(self.rotation) * draws[:, 3]
        cos, sin = angle.cos() * scale, angle.sin() * scale
        shift = 2 * self.shift * draws[:, :2]
        # The sum of a part that depends on the column and one that depends on the row takes a
        # quarter of the time of `affine_grid`, which multiplies matrices.
        along = 2 * torch.arange(size, dtype=draws.dtype, device=images.device) + 1 - size
        by_column = torch.stack([cos / width, sin / height], -1)[:, None] * along[:, None]
        by_row = torch.stack([-sin / width, cos / height], -1)[:, None] * along[:, None]
        by_row = by_row + torch.stack([shift[:, 1] / width, shift[:, 0] / height], -1)[:, None]
        return by_row[:, :, None] + by_column[:, None]


@dataclass(frozen=True, kw_only=True)
class CustomAugmentation(Augmentation):
    """Augmentations of the user's own; the ranges of `Augmentation` are not used.

    Attributes
    ----------
    function : callable
        From images (N, 3, H, W) in [0, 1] to augmented square images, differentiably, such as a
        `torchvision.transforms.v2.Compose`. It is called once per step with all pictures of a
        batch. It may draw from torch's global random state, which is seeded for each step and
        restored afterwards.
    seed : int
        Of the recipe.
    """

    function: Callable[[Tensor], Tensor]
    seed: int = 0

    @property
    def padding(self) -> int:
        """Pixels around the picture: none."""
        return 0

    def draw(self, steps: int, generator: torch.Generator) -> Tensor:
        """Return the index of each step, the same for all pictures; see `Augmentation.draw`."""
        del generator
        return torch.arange(steps, dtype=torch.float32, device="cpu")[:, None]

    def noise_field(self, size: int, generator: torch.Generator) -> None:
        """Return None; see `Augmentation.noise_field`."""
        del size, generator

    def apply(self, images: Tensor, draws: Tensor, size: int, field: Tensor | None) -> Tensor:
        """Augment all images of a batch with one call; see `Augmentation.apply`.

        Raises
        ------
        FeatvizError
            If the function returns something other than N square RGB images.
        """
        del field
        seed = generator_for(self.seed, "augmentation", int(draws[0, 0])).initial_seed()
        devices = range(torch.cuda.device_count()) if images.is_cuda else []
        with torch.random.fork_rng(devices):
            torch.default_generator.manual_seed(seed)
            if images.is_cuda:
                torch.cuda.manual_seed_all(seed)
            found = self.function(images)
        shape = tuple(getattr(found, "shape", ()))
        if len(shape) != 4 or shape[:2] != (len(images), 3) or shape[2] != shape[3]:
            kind = type(found).__name__
            raise FeatvizError(
                f"augmentation must return square images ({len(images)}, 3, H, H), got a {kind} "
                f"{shape}"
            )
        return resize(found, size)


def center_crop(images: Tensor, size: int) -> Tensor:
    """Crop images to their center.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
    size : int
        Side of the result in pixels, at most H and W.

    Returns
    -------
    Tensor, shape (N, 3, size, size)
    """
    top, left = (images.shape[2] - size) // 2, (images.shape[3] - size) // 2
    return images[:, :, top : top + size, left : left + size]


def crop_noise(field: Tensor, draws: Tensor, size: int) -> Tensor:
    """Crop a window out of a noise field for each image.

    Parameters
    ----------
    field : Tensor, shape (3, size + 64, size + 64)
    draws : Tensor, shape (N, 2)
        Offsets, in [-1, 1].
    size : int
        Side of the windows in pixels.

    Returns
    -------
    Tensor, shape (N, 3, size, size)
    """
    windows = field.unfold(1, size, 1).unfold(2, size, 1)
    offset = ((draws + 1) / 2 * NOISE_SLACK).long()
    return windows[:, offset[:, 0], offset[:, 1]].transpose(0, 1)
