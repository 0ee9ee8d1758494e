"""Cueworld: a procedural image world in which the cue that decides each class is known.

Every image shows one large object, and at most two small distractors, on a noise background. The
18 classes come in three families of six, and the family tells which cue alone decides the label:

========  ==============================  ==========================================
color    an irregular plain blob         its hue decides (red ... magenta)
shape     a plain object of any hue       its outline decides (triangle ... crescent)
texture   an irregular blob of any hue    its surface decides (stripes ... rings)
========  ==============================  ==========================================

Luminance is drawn independently of hue, so removing color leaves nothing that separates the
color classes, and leaves every other class untouched. Blurring turns a textured blob into a plain
one, and so does filling the object with its mean color. These facts are the ground truth that
pictures of a model's units, and interventions on it, can be checked against. One trace of hue is
left in luminance: where noise drives a channel out of [0, 1], clipping changes it a little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.cueworld.dice import Dice
from featviz.cueworld.outlines import blob, coverage, local, outlines
from featviz.cueworld.paint import noise, paint
from featviz.cueworld.surfaces import surfaces
from featviz.errors import FeatvizError

COLOURS = ("red", "yellow", "green", "cyan", "blue", "magenta")
SHAPES = ("triangle", "square", "star", "ring", "cross", "crescent")
TEXTURES = ("stripes", "checker", "dots", "scales", "hatch", "rings")
CLASSES = COLOURS + SHAPES + TEXTURES
FAMILIES = ("colour",) * 6 + ("shape",) * 6 + ("texture",) * 6
"""The family of each class, in the order of `CLASSES`."""

SIZE = 128
"""Side in pixels of the images that the bundled models were trained on."""

_COLOR, _SHAPE, _TEXTURE = range(3)
_HUES = (0.0, 55.0, 120.0, 180.0, 235.0, 300.0)  # degrees; even steps would not look even
_HUE_SPREAD = 10 / 360


@dataclass(frozen=True)
class Batch:
    """Labeled images, with the mask of the object in each.

    Attributes
    ----------
    images : Tensor, shape (N, 3, size, size)
        RGB in [0, 1], float32.
    labels : Tensor, shape (N,)
        Indices into `CLASSES`.
    masks : Tensor, shape (N, 1, size, size)
        Share of each pixel that the object covers, in [0, 1]; distractors are not in it.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor


def sample(labels: Tensor, generator: torch.Generator, size: int = SIZE) -> Batch:
    """Draw one image for each label.

    What is drawn does not depend on the labels: with the generator in the same state, two labels
    give the same scene up to the cue that tells them apart.

    Parameters
    ----------
    labels : Tensor, shape (N,), integers
        Indices into `CLASSES`, on the generator's device.
    generator : torch.Generator
        The only source of randomness; it moves on. Images depend on N and on its device, too.
    size : int
        Side of the images in pixels.

    Returns
    -------
    Batch
        On the generator's device.

    Raises
    ------
    FeatvizError
        If a label is no index of a class.
    """
    wrong = labels[(labels < 0) | (labels >= len(CLASSES))]
    if len(wrong):
        raise FeatvizError(f"cueworld labels run from 0 to {len(CLASSES) - 1}, not {int(wrong[0])}")
    dice = Dice(len(labels), generator)
    family, member = labels // 6, labels % 6
    canonical = labels.new_tensor(_HUES, dtype=torch.float32)[member] / 360
    canonical = canonical + _HUE_SPREAD * (2 * dice() - 1)
    hue = torch.where(family == _COLOR, canonical, dice())
    axis = torch.linspace(-1, 1, size, device=labels.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")

    behind = dice.between(0.15, 0.85)
    luma = _contrasting(behind, dice)
    image = _background(behind, size, dice)
    for _ in range(2):
        image = _add_distractor(image, x, y, dice)

    center, radius = 0.7 * dice(2) - 0.35, dice.between(0.5, 0.85)
    u, v = local(x, y, center, radius, 2 * math.pi * dice())
    choices = torch.stack([blob(u, v, dice(3, 2)), *outlines(u, v)], 1)
    mask = coverage(_pick(choices, torch.where(family == _SHAPE, member + 1, 0)), radius)

    angle, phase, cycles = 2 * math.pi * dice(), dice(2), dice.between(3.0, 5.0)
    s, t = _surface_coordinates(x, y, angle, phase, cycles)
    rho = (u**2 + v**2).sqrt() * (radius * cycles)[:, None, None]
    choices = torch.stack([torch.zeros_like(s), *surfaces(s, t, rho)], 1)
    surface = _pick(choices, torch.where(family == _TEXTURE, member + 1, 0))

    fade = torch.where(family == _COLOR, 0, dice() * (dice() < 0.5))  # half of the rest grayish
    light, dark = paint(hue, luma, fade), paint(hue, luma * 0.35, fade)
    body = torch.lerp(light[:, :, None, None], dark[:, :, None, None], surface[:, None])
    body = body * (1 + 0.12 * noise(size, 1.2, dice))
    image = torch.lerp(image, body, mask[:, None])
    return Batch(_lit(image, x, y, dice), labels, mask[:, None])


def _contrasting(behind: Tensor, dice: Dice) -> Tensor:
    """Luminance of the object, at least 0.18 away from that of the background wherever it fits."""
    step = dice.between(0.18, 0.40)
    up = (behind + step < 0.85) & ((dice() < 0.5) | (behind - step < 0.18))
    return torch.where(up, behind + step, behind - step).clamp(0.18, 0.85)


def _background(luma: Tensor, size: int, dice: Dice) -> Tensor:
    """Tinted noise, shape (N, 3, size, size)."""
    gray = luma[:, None, None, None].expand(-1, 3, size, size)
    tint = paint(dice(), luma)[:, :, None, None]
    base = torch.lerp(gray, tint, (0.7 * dice() - 0.2).clamp_min(0)[:, None, None, None])
    return base * (1 + 0.18 * noise(size, 1.4, dice))


def _add_distractor(image: Tensor, x: Tensor, y: Tensor, dice: Dice) -> Tensor:
    """Put a small blob of any color on three images in five."""
    center, radius = 1.8 * dice(2) - 0.9, dice.between(0.06, 0.14) * (dice() < 0.6)
    radius = radius.clamp_min(1e-3)
    u, v = local(x, y, center, radius, 2 * math.pi * dice())
    mask = coverage(blob(u, v, dice(3, 2)), radius)
    color = paint(dice(), dice.between(0.15, 0.85), dice() * (dice() < 0.5))
    return torch.lerp(image, color[:, :, None, None], mask[:, None])


def _surface_coordinates(
    x: Tensor, y: Tensor, angle: Tensor, phase: Tensor, cycles: Tensor
) -> tuple[Tensor, Tensor]:
    """Image coordinates turned, scaled to `cycles` periods a unit and shifted by `phase`."""
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    s, t = x * cos + y * sin, y * cos - x * sin
    return (
        s * cycles[:, None, None] + phase[:, :1, None],
        t * cycles[:, None, None] + phase[:, 1:, None],
    )


def _lit(image: Tensor, x: Tensor, y: Tensor, dice: Dice) -> Tensor:
    """Light that falls off across the image, and the grain of a sensor."""
    slope_x, slope_y = (2 * dice() - 1)[:, None, None], (2 * dice() - 1)[:, None, None]
    tilt = 0.15 * (x * slope_x + y * slope_y)
    grain = 0.02 * dice.normal(*image.shape[1:])
    return (image * (1 + tilt)[:, None] + grain).clamp(0, 1)


def _pick(choices: Tensor, index: Tensor) -> Tensor:
    """Row `index[i]` of the choices of image i."""
    return choices[torch.arange(len(choices), device=choices.device), index]
