"""Cueworld: a procedural image world in which the cue that decides each class is known.

Every image shows one large object, and at most two small distractors, on a noise background. The
18 classes form three families of six; the family determines the only cue for the label:

========  ==============================  ==========================================
color     an irregular plain blob         its hue (red ... magenta)
shape     a plain object of any hue       its outline (triangle ... crescent)
texture   an irregular blob of any hue    its texture (stripes ... rings)
========  ==============================  ==========================================

Luminance is drawn independently of hue: without color, nothing separates the color classes, and all
other classes are unaffected. Blurring turns a textured blob into a plain one, and so does filling
the object with its mean color. These facts are a ground truth for images of a model's units and for
interventions on the model. One trace of hue remains in luminance: where noise moves a channel out
of [0, 1], clipping changes it slightly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from featviz.cueworld.colors import rgb_of_hue
from featviz.cueworld.outlines import blob, coverage, local, outlines
from featviz.cueworld.random_draws import Draws
from featviz.cueworld.textures import noise, textures

COLORS = ("red", "yellow", "green", "cyan", "blue", "magenta")
SHAPES = ("triangle", "square", "star", "ring", "cross", "crescent")
TEXTURES = ("stripes", "checker", "dots", "scales", "hatch", "rings")
CLASSES = COLORS + SHAPES + TEXTURES
FAMILIES = ("colour",) * 6 + ("shape",) * 6 + ("texture",) * 6
"""The family of each class, in the order of `CLASSES`."""

CUES = ("color", "shape", "texture")
"""What distinguishes the classes of a family, in the order of the families."""

SIZE = 128
"""Side in pixels of the images that the bundled models were trained on."""

_COLOR, _SHAPE, _TEXTURE = range(3)
_HUES = (0.0, 55.0, 120.0, 180.0, 235.0, 300.0)  # degrees; equal steps do not look equal
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
        Fraction of each pixel that the object covers, in [0, 1], without distractors.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor


def sample(
    labels: Tensor,
    generator: torch.Generator,
    size: int = SIZE,
    swap: str | None = None,
    steps: Tensor | int = 1,
) -> Batch:
    """Draw one image for each label.

    The random numbers do not depend on the labels: with the generator in the same state, two labels
    give the same scene except for the cue that distinguishes them.

    With `swap`, every image has another value of one cue, and everything else stays as without it.
    Where the cue decides the label, its value is that of the class `steps` further in the family.
    Elsewhere the label stays right: the hue is the opposite one, and the outline is another
    irregular one; plain objects have no texture to swap.

    Parameters
    ----------
    labels : Tensor, shape (N,), integers
        Indices into `CLASSES`, on the generator's device.
    generator : torch.Generator
        The only source of randomness; it is advanced. Images also depend on N and on its device.
    size : int
        Side of the images in pixels.
    swap : str, optional
        One of `CUES`.
    steps : Tensor, shape (N,), or int
        From 1 to 5.

    Returns
    -------
    Batch
        On the generator's device.

    Raises
    ------
    ValueError
        If a label is not the index of a class, or `swap` is not a cue.
    """
    if swap is not None and swap not in CUES:
        raise ValueError(f"swap is one of {', '.join(CUES)}, not {swap!r}")
    wrong = labels[(labels < 0) | (labels >= len(CLASSES))]
    if len(wrong):
        raise ValueError(f"cueworld labels run from 0 to {len(CLASSES) - 1}, not {int(wrong[0])}")
    draws = Draws(len(labels), generator)
    family, member = labels // 6, labels % 6
    if swap is not None:
        member = torch.where(family == CUES.index(swap), (member + steps) % 6, member)
    canonical = labels.new_tensor(_HUES, dtype=torch.float32)[member] / 360
    canonical = canonical + _HUE_SPREAD * (2 * draws() - 1)
    turn = 0.5 if swap == "color" else 0.0
    hue = torch.where(family == _COLOR, canonical, (draws() + turn) % 1)
    axis = torch.linspace(-1, 1, size, device=labels.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")

    background = draws.between(0.15, 0.85)
    luma = _contrasting(background, draws)
    image = _background(background, size, draws)
    for _ in range(2):
        image = _add_distractor(image, x, y, draws)

    center, radius = 0.7 * draws(2) - 0.35, draws.between(0.5, 0.85)
    u, v = local(x, y, center, radius, 2 * math.pi * draws())
    wobble = -draws(3, 2) if swap == "shape" else draws(3, 2)
    choices = torch.stack([blob(u, v, wobble), *outlines(u, v)], 1)
    mask = coverage(_pick(choices, torch.where(family == _SHAPE, member + 1, 0)), radius)

    angle, phase, cycles = 2 * math.pi * draws(), draws(2), draws.between(3.0, 5.0)
    s, t = _surface_coordinates(x, y, angle, phase, cycles)
    rho = (u**2 + v**2).sqrt() * (radius * cycles)[:, None, None]
    choices = torch.stack([torch.zeros_like(s), *textures(s, t, rho)], 1)
    texture = _pick(choices, torch.where(family == _TEXTURE, member + 1, 0))

    # Half of the objects whose color is not the cue are grayish.
    gray = torch.where(family == _COLOR, 0, draws() * (draws() < 0.5))
    light, dark = rgb_of_hue(hue, luma, gray), rgb_of_hue(hue, luma * 0.35, gray)
    body = torch.lerp(light[:, :, None, None], dark[:, :, None, None], texture[:, None])
    body = body * (1 + 0.12 * noise(size, 1.2, draws))
    image = torch.lerp(image, body, mask[:, None])
    return Batch(_add_lighting(image, x, y, draws), labels, mask[:, None])


def _contrasting(background: Tensor, draws: Draws) -> Tensor:
    """Luminance of the object, at least 0.18 from that of the background where possible."""
    step = draws.between(0.18, 0.40)
    up = (background + step < 0.85) & ((draws() < 0.5) | (background - step < 0.18))
    return torch.where(up, background + step, background - step).clamp(0.18, 0.85)


def _background(luma: Tensor, size: int, draws: Draws) -> Tensor:
    """Tinted noise, shape (N, 3, size, size)."""
    gray = luma[:, None, None, None].expand(-1, 3, size, size)
    tint = rgb_of_hue(draws(), luma)[:, :, None, None]
    base = torch.lerp(gray, tint, (0.7 * draws() - 0.2).clamp_min(0)[:, None, None, None])
    return base * (1 + 0.18 * noise(size, 1.4, draws))


def _add_distractor(image: Tensor, x: Tensor, y: Tensor, draws: Draws) -> Tensor:
    """Add a small blob of random color to each image with probability 0.6."""
    center, radius = 1.8 * draws(2) - 0.9, draws.between(0.06, 0.14) * (draws() < 0.6)
    radius = radius.clamp_min(1e-3)
    u, v = local(x, y, center, radius, 2 * math.pi * draws())
    mask = coverage(blob(u, v, draws(3, 2)), radius)
    color = rgb_of_hue(draws(), draws.between(0.15, 0.85), draws() * (draws() < 0.5))
    return torch.lerp(image, color[:, :, None, None], mask[:, None])


def _surface_coordinates(
    x: Tensor, y: Tensor, angle: Tensor, phase: Tensor, cycles: Tensor
) -> tuple[Tensor, Tensor]:
    """Image coordinates, rotated, scaled to `cycles` periods per unit and shifted by `phase`."""
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    s, t = x * cos + y * sin, y * cos - x * sin
    return (
        s * cycles[:, None, None] + phase[:, :1, None],
        t * cycles[:, None, None] + phase[:, 1:, None],
    )


def _add_lighting(image: Tensor, x: Tensor, y: Tensor, draws: Draws) -> Tensor:
    """Apply a random gradient of brightness and sensor noise."""
    slope_x, slope_y = (2 * draws() - 1)[:, None, None], (2 * draws() - 1)[:, None, None]
    tilt = 0.15 * (x * slope_x + y * slope_y)
    grain = 0.02 * draws.normal(*image.shape[1:])
    return (image * (1 + tilt)[:, None] + grain).clamp(0, 1)


def _pick(choices: Tensor, index: Tensor) -> Tensor:
    """Return choice `index[i]` of each image i."""
    return choices[torch.arange(len(choices), device=choices.device), index]
