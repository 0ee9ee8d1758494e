"""Random views: what a picture must survive, drawn per image and applied in one resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# A view is described by this many uniform numbers in [-1, 1]: shift (y, x), zoom, angle,
# color shift (3), color gain (3), offset of the noise (y, x).
DRAWS = 12
# Noise is cut from one field at offsets that each picture draws for itself: new noise every step
# without a call of a generator inside the loop.
NOISE_SLACK = 64


@dataclass(frozen=True)
class Augmentation:
    """How much the views of a picture vary; with all zero the view is the picture's center.

    Attributes
    ----------
    shift : float
        Largest displacement along each axis, in pixels of the view.
    zoom : float
        Largest change of scale, as a natural logarithm: 0.1 shrinks or grows by about 10 %.
    rotation : float
        Largest angle, in degrees.
    colour_shift, colour_gain : float
        Largest offset, and largest natural logarithm of the gain, of each RGB channel.
    noise : float
        Standard deviation of the Gaussian noise added to each pixel.
    """

    shift: float = 0.0
    zoom: float = 0.0
    rotation: float = 0.0
    colour_shift: float = 0.0
    colour_gain: float = 0.0
    noise: float = 0.0

    @property
    def margin(self) -> int:
        """Pixels that a canvas needs around the picture so that shifted views stay on it."""
        return math.ceil(self.shift)

    def draw(self, steps: int, generator: torch.Generator) -> Tensor:
        """Draw the whole schedule of one picture's views, shape (steps, 12), in [-1, 1]."""
        return 2 * torch.rand(steps, DRAWS, generator=generator) - 1

    def noise_field(self, size: int, generator: torch.Generator) -> Tensor | None:
        """Draw the field from which noise is cut, shape (3, size + 64, size + 64)."""
        if not self.noise:
            return None
        side = size + NOISE_SLACK
        return self.noise * torch.randn(3, side, side, generator=generator)

    def apply(self, canvas: Tensor, draws: Tensor, size: int, field: Tensor | None) -> Tensor:
        """Look at each canvas as its draws say.

        Parameters
        ----------
        canvas : Tensor, shape (N, 3, H, W)
            Pictures with their margins, H and W at least `size`.
        draws : Tensor, shape (N, 12)
            One row of each picture's schedule.
        size : int
            Side of the views, in pixels.
        field : Tensor or None
            What `noise_field` made.

        Returns
        -------
        Tensor, shape (N, 3, size, size)
            Not clamped: colors and noise may leave [0, 1].
        """
        if self.shift or self.zoom or self.rotation:
            view = F.grid_sample(
                canvas,
                self._grid(canvas, draws, size),
                mode="bilinear",
                padding_mode="reflection",
                align_corners=False,
            )
        else:
            view = center(canvas, size)
        if self.colour_shift or self.colour_gain:
            gain = (self.colour_gain * draws[:, 7:10, None, None]).exp()
            view = torch.addcmul(self.colour_shift * draws[:, 4:7, None, None], view, gain)
        if field is not None:
            view = view + cut(field, draws[:, 10:12], size)
        return view

    def _grid(self, canvas: Tensor, draws: Tensor, size: int) -> Tensor:
        """Find where each pixel of the views lies in its canvas, (N, size, size, 2) in [-1, 1]."""
        height, width = canvas.shape[2:]
        scale = (self.zoom * draws[:, 2]).exp()
        angle = math.radians(self.rotation) * draws[:, 3]
        cos, sin = angle.cos() * scale, angle.sin() * scale
        shift = 2 * self.shift * draws[:, :2]
        # A part that depends on the column and one that depends on the row: their sums take a
        # quarter of the time of `affine_grid`, which multiplies matrices.
        along = 2.0 * torch.arange(size, device=canvas.device) + 1 - size
        by_column = torch.stack([cos / width, sin / height], -1)[:, None] * along[:, None]
        by_row = torch.stack([-sin / width, cos / height], -1)[:, None] * along[:, None]
        by_row = by_row + torch.stack([shift[:, 1] / width, shift[:, 0] / height], -1)[:, None]
        return by_row[:, :, None] + by_column[:, None]


def center(canvas: Tensor, size: int) -> Tensor:
    """Cut the middle (N, 3, size, size) out of (N, 3, H, W)."""
    top, left = (canvas.shape[2] - size) // 2, (canvas.shape[3] - size) // 2
    return canvas[:, :, top : top + size, left : left + size]


def cut(field: Tensor, draws: Tensor, size: int) -> Tensor:
    """Cut a window (3, size, size) for each row of `draws` (N, 2) out of a noise field."""
    windows = field.unfold(1, size, 1).unfold(2, size, 1)
    offset = ((draws + 1) / 2 * NOISE_SLACK).long()
    return windows[:, offset[:, 0], offset[:, 1]].transpose(0, 1)
