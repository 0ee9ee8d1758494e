"""How a picture is made: everything that decides what it looks like, besides model and unit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from featviz.errors import FeatvizError, did_you_mean
from featviz.models.acceleration import fastest
from featviz.models.token_grid import patch_size
from featviz.optimization.augmentations import Augmentation
from featviz.optimization.presets import PRESETS, family, fit
from featviz.parametrization.base import Parametrization
from featviz.parametrization.fourier import Fourier
from featviz.parametrization.maco import Maco
from featviz.parametrization.pixel import Pixel
from featviz.parametrization.spectrum import Spectrum, of_data, power_law

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel


PARAMS = ("fourier", "pixel", "maco")
# Of Adam on phases, at the start, in radians a step. Of 0.1, 0.15, 0.3 and 0.6 it is the one that
# excites 12 neurons of cueworld/vit most in 128 steps, in the mean.
MACO_LEARNING_RATE = 0.3
# Decay rates of Adam's two moments, a step. Views change from step to step, and a short memory
# follows what they agree on: with Adam's usual 0.9 and 0.999, neurons of cueworld/vit take 512
# steps to be excited about as much as with these in 256 (measured on 48, on unseen views).
BETAS = (0.5, 0.9)
# What moves first in progressive pictures: waves of at most so many cycles across the picture.
COARSE = 4
# Cycles a pixel of the finest wave, on the diagonal.
FINEST = math.sqrt(0.5)
# Keys of a store's configuration that are not the names of the fields.
KEYS = {
    "augmentation": "views",
    "tv_weight": "smoothness",
    "frequency_schedule": "progressive",
    "cosine_power": "cosine",
}
NAMES = {key: name for name, key in KEYS.items()}
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """The configuration of a render: with model and address it fixes the picture.

    Attributes
    ----------
    preset, param, views, decay, learning_rate
        See `featviz.optimization.presets.Preset`.
    samples : int
        Pictures of each unit.
    diversity : float
        What a drop of the mean similarity of a unit's samples from 1 to 0 is worth, in parts of
        the unit's value.
    steps : int
        Adam steps.
    size : int
        Side of the pictures in pixels.
    tv_weight : float
        What one unit of total variation costs, in parts of the unit's value.
    precision : str
        ``"float32"`` or ``"bfloat16"``: of the model's forward and backward pass. The picture and
        the optimizer keep single precision, and so does the activation of the finished picture.
    seed : int
        Names the random streams of all pictures.
    split_qk : bool
        Whether query and key of a logit are read from two pictures.
    cosine_power : float
        Power of the cosine between the unit's direction and its layer's output that weighs its
        value; 0 weighs nothing.
    spectrum : Spectrum or None
        The magnitudes of Maco images; None for those that fall by `decay`.
    frequency_schedule : float
        Share of the steps along which finer and finer waves begin to move; with 0 all do from
        the start.
    betas : (float, float)
        Decay rates of Adam's mean of gradients and of its mean of their squares, a step. Those of
        torch are those of stores that tell none.
    """

    preset: str
    param: str
    augmentation: Augmentation
    decay: float
    learning_rate: float
    size: int
    samples: int = 1
    diversity: float = 0.0
    tv_weight: float = 0.0
    steps: int = 512
    precision: str = "float32"
    seed: int = 0
    spectrum: Spectrum | None = None
    split_qk: bool = False
    cosine_power: float = 0.0
    frequency_schedule: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)

    def image(self, side: int) -> Parametrization:
        """Return the image parameters for a canvas of `side` pixels."""
        if self.param == "pixel":
            return Pixel(side, side)
        if self.param == "maco":
            return Maco(side, side, self.spectrum or power_law(self.decay, side, side))
        return Fourier(side, side, self.decay)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        return self.learning_rate * (1 + math.cos(math.pi * step / self.steps)) / 2

    def finest(self, step: int) -> float:
        """Return the frequency, in cycles a pixel, up to which waves move in a step."""
        opening = self.frequency_schedule * self.steps
        if step >= opening:
            return math.inf
        coarse = COARSE / self.size
        return coarse * math.pow(FINEST / coarse, step / opening)

    def to_json(self) -> dict[str, Any]:
        """Return every setting as plain JSON values; two equal recipes give equal ones.

        Of a spectrum its name and its digest. Sides are a kind of result of their own and no
        setting.
        """
        told = dataclasses.asdict(self) | {"betas": list(self.betas)}
        del told["spectrum"], told["split_qk"]
        for name, key in KEYS.items():
            told[key] = told.pop(name)
        if self.spectrum is not None:
            told |= {"spectrum": self.spectrum.name, "spectrum_digest": self.spectrum.digest}
        return told


def make_recipe(  # noqa: PLR0913  every setting of a recipe
    model: VisionModel,
    *,
    preset: str | None = None,
    param: str | None = None,
    size: int | None = None,
    precision: str = "auto",
    samples: int = 1,
    diversity: float = 0.5,
    tv_weight: float = 0.0,
    steps: int = 512,
    seed: int = 0,
    spectrum: Spectrum | str | None = None,
    split_qk: bool = False,
    cosine_power: float = 0.0,
    frequency_schedule: float | None = None,
) -> Recipe:
    """Choose a recipe, filling in what is not given by the model's family and the preset.

    Parameters
    ----------
    spectrum : Spectrum or str, optional
        For Maco images; a text names a dataset, of which it is measured
        (`featviz.parametrization.spectrum.of_data`).
    frequency_schedule : float, optional
        If not given, the preset's for Fourier images, and 0 for others.

    Raises
    ------
    FeatvizError
        If a name is unknown, a number is out of range, a spectrum is given for other images than
        Maco's, or its dataset cannot be read.
    """
    preset = preset or family(model)
    _known("preset", preset, PRESETS)
    chosen = PRESETS[preset]
    param = param or chosen.param
    _known("param", param, PARAMS)
    _known("precision", precision, PRECISIONS)
    size = model.image_size if size is None else size
    if frequency_schedule is None:
        frequency_schedule = chosen.frequency_schedule if param == "fourier" else 0.0
    for name, value, least in (("steps", steps, 1), ("samples", samples, 1), ("size", size, 16)):
        if value < least:
            raise FeatvizError(f"{name} must be at least {least}, not {value}")
    weights = {"diversity": diversity, "smoothness": tv_weight, "cosine": cosine_power}
    for name, weight in weights.items():
        if not 0 <= weight < math.inf:
            raise FeatvizError(f"{name} must be a number from 0 up, not {weight}")
    if not 0 <= frequency_schedule <= 1:
        raise FeatvizError(f"progressive must be a number from 0 to 1, not {frequency_schedule}")
    if frequency_schedule and param == "pixel":
        raise FeatvizError("progressive is for images of waves, and these are pixel")
    if split_qk and cosine_power:
        raise FeatvizError("a cosine is for one picture a unit, and these have two sides")
    if spectrum is not None and param != "maco":
        raise FeatvizError(f"a spectrum is for --param maco, and these images are {param}")
    return Recipe(
        preset=preset,
        param=param,
        augmentation=fit(chosen.augmentation, patch_size(model)),
        decay=chosen.decay,
        learning_rate=MACO_LEARNING_RATE if param == "maco" else chosen.learning_rate,
        size=size,
        samples=samples,
        diversity=float(diversity) if samples > 1 else 0.0,
        tv_weight=float(tv_weight),
        steps=steps,
        precision=fastest(model.device) if precision == "auto" else precision,
        seed=seed,
        spectrum=of_data(spectrum, size) if isinstance(spectrum, str) else spectrum,
        split_qk=split_qk,
        cosine_power=float(cosine_power),
        frequency_schedule=float(frequency_schedule),
        betas=BETAS,
    )


def _known(what: str, name: str, known: Any) -> None:
    if name not in known:
        choices = ", ".join(known)
        raise FeatvizError(f"no {what} {name!r}: choose from {choices}{did_you_mean(name, known)}")


def recipe_from_json(told: Mapping[str, Any]) -> Recipe:
    """Make the recipe that a store tells of: the reverse of `Recipe.to_json`.

    A spectrum of a dataset is measured again.

    Raises
    ------
    FeatvizError
        If the dataset is gone or has other images now.
    """
    settings = {NAMES.get(key, key): value for key, value in told.items()}
    settings["augmentation"] = Augmentation(**told["views"])
    if "betas" in told:
        settings["betas"] = tuple(told["betas"])
    name, digest = settings.get("spectrum"), settings.pop("spectrum_digest", None)
    if name is not None:
        settings["spectrum"] = of_data(name, settings["size"])
        if settings["spectrum"].digest != digest:
            raise FeatvizError(
                f"{name} has another spectrum than when the pictures were made; without --seeds "
                "they are scored all the same"
            )
    return Recipe(**settings)
