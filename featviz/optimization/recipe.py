"""Recipes: all that decides what a picture looks like, besides the model and the unit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from featviz._util.arguments import choice, described, instance, real_number, whole_number
from featviz.errors import FeatvizError
from featviz.models.acceleration import fastest_precision
from featviz.models.token_grid import patch_size
from featviz.models.vision_model import check_model
from featviz.optimization.augmentations import Augmentation, CustomAugmentation
from featviz.optimization.objectives import Objective
from featviz.optimization.presets import PRESETS, Preset, fit, preset_for
from featviz.optimization.settings import KEYS as SETTING_KEYS
from featviz.optimization.settings import PARAMS, PRECISIONS, Settings, settings_from
from featviz.parametrization.base import Parametrization
from featviz.parametrization.fourier import Fourier
from featviz.parametrization.maco import Maco
from featviz.parametrization.pixel import Pixel
from featviz.parametrization.spectrum import Spectrum, power_law, spectrum_of_dataset

if TYPE_CHECKING:
    from featviz.models.vision_model import VisionModel

# Initial learning rate of MaCo's phases, in radians per step. Of 0.1, 0.15, 0.3 and 0.6 it gives 12
# neurons of cueworld/vit the highest mean activation after 128 steps.
MACO_LEARNING_RATE = 0.3
# Decay rates of Adam's moments. Augmentations change from step to step, and a short memory follows
# the gradient that they share: with the usual 0.9 and 0.999, neurons of cueworld/vit need 512 steps
# for the activation that these reach in 256 (48 neurons, on held-out augmentations).
BETAS = (0.5, 0.9)
# Keys in the configuration of a store, and of the fields of `Augmentation` in it.
KEYS = SETTING_KEYS | {"augmentation": "views"}
AUGMENTATION_KEYS = {"color_shift": "colour_shift", "color_gain": "colour_gain"}
# Fields that a preset decides and no setting changes.
CONSTANTS = ("decay", "learning_rate", "cooldown", "betas", "augmentation")
# What exists only in memory: no store records it.
IN_MEMORY = ("objective", "start")


@dataclass(frozen=True)
class Recipe:
    """The complete configuration of a render.

    Attributes
    ----------
    preset, param, decay, learning_rate, cooldown
        See `featviz.optimization.presets.Preset`; `param` may also be a callable from height and
        width to a `featviz.parametrization.base.Parametrization`.
    augmentation : Augmentation
    size, samples, diversity, tv_weight, steps, seed, cosine_power, frequency_schedule, split_qk
        See `featviz.optimization.settings.Settings`.
    precision : str
        ``"float32"`` or ``"bfloat16"``: of the model's forward and backward pass. Parameters, their
        updates, and the activation of the finished picture are float32.
    spectrum : Spectrum or None
        The magnitudes of MaCo images; None for a power law with exponent `decay`.
    betas : (float, float)
        Decay rates of Adam's moments. The defaults of `betas` and `cooldown` are those of stores in
        which they are not recorded.
    objective : callable or None
        See `featviz.optimization.objectives.Objective`; None for the activation.
    start : Tensor, shape (3, H, H), or None
        Start image, RGB in [0, 1]; None for noise.
    """

    preset: str
    param: str | Callable[[int, int], Parametrization]
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
    cooldown: float = 1.0
    objective: Objective | None = None
    start: Tensor | None = field(default=None, compare=False)

    @property
    def own_parts(self) -> list[str]:
        """Arguments that are Python objects of the user's own, which no store can record."""
        own = [name for name in IN_MEMORY if getattr(self, name) is not None]
        own += ["param"] if callable(self.param) else []
        return own + (["augmentation"] if isinstance(self.augmentation, CustomAugmentation) else [])

    @property
    def kind(self) -> str:
        """The kind under which a store holds the pictures."""
        return "sides" if self.split_qk else "renders"

    def parametrization(self, side: int) -> Parametrization:
        """Make the parametrization of a square image.

        Parameters
        ----------
        side : int
            In pixels, padding included.

        Returns
        -------
        Parametrization
        """
        if callable(self.param):
            return self.param(side, side)
        if self.param == "pixel":
            return Pixel(side, side)
        if self.param == "maco":
            return Maco(side, side, self.spectrum or power_law(self.decay, side, side))
        return Fourier(side, side, self.decay)

    def to_json(self) -> dict[str, Any]:
        """Return the configuration that a store records; equal recipes have equal ones.

        A spectrum is recorded by its name and digest. `split_qk` is recorded as the kind of the
        results.

        Raises
        ------
        FeatvizError
            If the recipe holds Python objects, which a store cannot record.
        """
        if self.own_parts:
            raise FeatvizError(
                f"{self.own_parts[0]} is a Python object, which a store cannot record; use "
                "featviz.render, which returns the pictures"
            )
        ranges = dataclasses.asdict(self.augmentation)
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)} | {
            "augmentation": {AUGMENTATION_KEYS.get(k, k): value for k, value in ranges.items()},
            "betas": list(self.betas),
        }
        found = {
            KEYS.get(name, name): value
            for name, value in values.items()
            if name not in {"spectrum", "split_qk", *IN_MEMORY}
        }
        # Stores that older versions made have none.
        if self.cooldown == 1:
            del found["cooldown"]
        if self.spectrum is not None:
            found |= {"spectrum": self.spectrum.name, "spectrum_digest": self.spectrum.digest}
        return found

    @classmethod
    def from_json(cls, configuration: Mapping[str, Any]) -> Recipe:
        """Make the recipe of renders that `to_json` recorded.

        The spectrum of a dataset is measured again.

        Parameters
        ----------
        configuration : mapping
            Of a store, also of an older one, which records fewer settings.

        Returns
        -------
        Recipe

        Raises
        ------
        FeatvizError
            If the configuration has an unknown setting, or the dataset of the spectrum is missing
            or has changed.
        """
        names = {key: name for name, key in KEYS.items()}
        own = {value: key for key, value in AUGMENTATION_KEYS.items()}
        values = {names.get(key, key): value for key, value in configuration.items()}
        ranges = {own.get(key, key): value for key, value in values["augmentation"].items()}
        values["augmentation"] = Augmentation(**ranges)
        if "betas" in values:
            values["betas"] = tuple(values["betas"])
        name, digest = values.get("spectrum"), values.pop("spectrum_digest", None)
        if name is not None:
            values["spectrum"] = spectrum_of_dataset(name, values["size"])
            if values["spectrum"].digest != digest:
                raise FeatvizError(
                    f"the spectrum of {name} has changed since the pictures were made, so they "
                    "cannot be rendered from other seeds; scoring works without --seeds"
                )
        unknown = values.keys() - {each.name for each in dataclasses.fields(cls)}
        if unknown:
            raise FeatvizError(
                f"the pictures have a setting {min(unknown)!r} that this version of featviz does "
                "not know; use the version that rendered them, or a newer one"
            )
        return cls(**values)


def make_recipe(
    model: VisionModel,
    *,
    augmentation: Augmentation | Callable[[Tensor], Tensor] | None = None,
    objective: Objective | None = None,
    start: Tensor | None = None,
    **settings: Any,
) -> Recipe:
    """Complete settings to a recipe, by the model and the preset.

    Parameters
    ----------
    model : VisionModel
    augmentation : Augmentation or callable, optional
        In place of the preset's; see `featviz.optimization.augmentations.CustomAugmentation`.
    objective : callable, optional
        In place of the activation; see `featviz.optimization.objectives.Objective`.
    start : Tensor, shape (3, H, H), optional
        Start image, RGB in [0, 1], in place of noise; resized to the size of the picture.
    **settings
        Fields of `featviz.optimization.settings.Settings`. `param` may also be a callable from
        height and width to a `featviz.parametrization.base.Parametrization`.

    Returns
    -------
    Recipe

    Raises
    ------
    FeatvizError
        If a name is unknown, a value is out of range, settings exclude each other, or the dataset
        of a spectrum cannot be read.
    """
    check_model(model)
    chosen = _with_numbers(settings_from(settings))
    name = preset_for(model) if chosen.preset is None else choice("preset", chosen.preset, PRESETS)
    preset = PRESETS[name]
    param: Any = chosen.param or preset.param
    _check(chosen, param)
    _check_objective(objective, chosen)
    _check_start(start)
    size = model.image_size if chosen.size is None else chosen.size
    schedule = chosen.frequency_schedule
    if schedule is None:
        schedule = preset.frequency_schedule if param == "fourier" else 0.0
    spectrum = chosen.spectrum
    auto = chosen.precision == "auto"
    return Recipe(
        preset=name,
        param=param,
        augmentation=_augmentation(model, preset, augmentation, chosen.seed),
        decay=preset.decay,
        learning_rate=MACO_LEARNING_RATE if param == "maco" else preset.learning_rate,
        size=size,
        samples=chosen.samples,
        diversity=chosen.diversity if chosen.samples > 1 else 0.0,
        tv_weight=chosen.tv_weight,
        steps=chosen.steps,
        precision=fastest_precision(model.device) if auto else chosen.precision,
        seed=chosen.seed,
        spectrum=spectrum_of_dataset(spectrum, size) if isinstance(spectrum, str) else spectrum,
        split_qk=chosen.split_qk,
        cosine_power=chosen.cosine_power,
        frequency_schedule=float(schedule),
        betas=BETAS,
        cooldown=preset.cooldown if param == "fourier" else 1.0,
        objective=objective,
        start=start,
    )


def _augmentation(
    model: VisionModel,
    preset: Preset,
    given: Augmentation | Callable[[Tensor], Tensor] | None,
    seed: int,
) -> Augmentation:
    if given is None:
        return fit(preset, model.image_size, patch_size(model))
    if isinstance(given, Augmentation):
        return given
    _check_callable("augmentation", given, "a function or an Augmentation")
    return CustomAugmentation(function=given, seed=seed)


def _with_numbers(chosen: Settings) -> Settings:
    """Convert numbers of NumPy and PyTorch to those of Python, and refuse what is not a number."""
    return dataclasses.replace(
        chosen,
        samples=whole_number("samples", chosen.samples, 1),
        steps=whole_number("steps", chosen.steps, 1),
        size=None if chosen.size is None else whole_number("size", chosen.size, 16),
        seed=whole_number("seed", chosen.seed),
        diversity=real_number("diversity", chosen.diversity),
        tv_weight=real_number("tv_weight", chosen.tv_weight),
        cosine_power=real_number("cosine_power", chosen.cosine_power),
        frequency_schedule=None
        if chosen.frequency_schedule is None
        else real_number("frequency_schedule", chosen.frequency_schedule),
    )


def _check(chosen: Settings, param: Any) -> None:
    """Refuse unknown names, values out of range, and settings that exclude each other."""
    if isinstance(param, str):
        choice("param", param, PARAMS)
    else:
        _check_callable("param", param, "a function or a name")
    choice("precision", chosen.precision, PRECISIONS)
    instance("split_qk", chosen.split_qk, bool, "True or False")
    spectrum: Any = chosen.spectrum
    if not isinstance(spectrum, str | Spectrum | None):
        found = described(spectrum)
        raise FeatvizError(f"spectrum must be a Spectrum or the name of a dataset, got {found}")
    for name in ("diversity", "tv_weight", "cosine_power"):
        weight = getattr(chosen, name)
        if not 0 <= weight < math.inf:
            raise FeatvizError(f"{name} must be a finite number of at least 0, got {weight}")
    schedule = chosen.frequency_schedule
    if schedule is not None and not 0 <= schedule <= 1:
        raise FeatvizError(f"frequency_schedule must lie in [0, 1], got {schedule}")
    if schedule and param == "pixel":
        raise FeatvizError("--frequency-schedule needs --param fourier or maco, got pixel")
    if chosen.split_qk and chosen.cosine_power:
        raise FeatvizError("--cosine-power cannot be combined with --split-qk")
    if chosen.spectrum is not None and param != "maco":
        raise FeatvizError(f"--spectrum needs --param maco, got {param}")


def _check_callable(what: str, given: object, wanted: str) -> None:
    if not callable(given):
        raise FeatvizError(f"{what} must be {wanted}, got {described(given)}")


def _check_objective(objective: Objective | None, chosen: Settings) -> None:
    if objective is None:
        return
    _check_callable("objective", objective, "a function")
    for name in ("split_qk", "cosine_power"):
        if getattr(chosen, name):
            raise FeatvizError(f"an objective of your own cannot be combined with {name}")


def _check_start(start: Tensor | None) -> None:
    if start is None:
        return
    wanted = "start must be a float tensor (3, H, H) in [0, 1]"
    if not isinstance(start, Tensor):
        raise FeatvizError(f"{wanted}, got a {type(start).__name__}")
    shape = tuple(start.shape)
    if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2] or not start.is_floating_point():
        kind = str(start.dtype).removeprefix("torch.")
        raise FeatvizError(f"{wanted}, got {kind} {shape}")
    low, high = float(start.min()), float(start.max())
    if not (low >= 0 and high <= 1):
        raise FeatvizError(f"{wanted}, got values from {low:g} to {high:g}")
