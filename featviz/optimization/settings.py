"""The settings of a render that a user chooses: one list for Python and the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from featviz.errors import FeatvizError, did_you_mean

if TYPE_CHECKING:
    from featviz.parametrization.spectrum import Spectrum

Function = TypeVar("Function", bound=Callable[..., Any])

PRESET_NAMES = ("vit", "cnn", "naive")
PARAMS = ("fourier", "pixel", "maco")
PRECISIONS = ("auto", "float32", "bfloat16")
ENGINE_NAMES = ("local", "ray")


def _setting(
    default: Any,
    help: str,  # noqa: A002  the word of click
    *,
    metavar: str | None = None,
    choices: Sequence[str] | None = None,
    alias: str | None = None,
) -> Any:
    """Describe a setting: its default, its help text, and how the command line names it."""
    metadata = {"help": help, "metavar": metavar, "choices": choices, "alias": alias}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How pictures are made, as far as a user chooses it.

    `featviz.optimization.recipe.make_recipe` completes the settings to a recipe. The arguments of
    `featviz.render`, the options of ``featviz render`` and the command that reproduces a picture
    are made from these fields.

    Attributes
    ----------
    samples : int
        Pictures per unit.
    diversity : float
        Weight of the diversity term, relative to the activation; 0 for one sample per unit.
    tv_weight : float
        Weight of the total variation, relative to the activation.
    steps : int
        Optimization steps (Adam).
    size : int or None
        Side of the pictures in pixels, at least 16; None for the model's input size.
    preset : {"vit", "cnn", "naive"} or None
        Augmentations and constants; see `featviz.optimization.presets`. None chooses by the model.
    param : {"fourier", "pixel", "maco"} or None
        Parametrization of the image; None leaves it to the preset.
    spectrum : Spectrum, str or None
        Fourier magnitudes of ``param="maco"``. A text names a dataset whose mean spectrum is
        measured, as `featviz.data.datasets.open_data` reads it; None for a power of 1 / f.
    frequency_schedule : float or None
        Fraction of the steps, in [0, 1], over which the frequency cutoff rises from coarse to
        fine; 0 disables it. None leaves it to the preset.
    precision : {"auto", "float32", "bfloat16"}
        Of the forward and backward pass; ``"auto"`` is the fastest of the device.
    seed : int
        Random seed.
    cosine_power : float
        Exponent p of the objective ``activation * cosine ** p``, with the cosine between the
        unit's direction and its layer's output; 0 for the plain activation. Source: Lucid,
        ``optvis/objectives_util.py``, ``_dot_cossim``.
    split_qk : bool
        Optimize two images per query-key logit: one for the query, one for the key.
    """

    samples: int = _setting(1, "Images per unit.", metavar="N")
    diversity: float = _setting(
        0.5,
        "Weight of the penalty for similar samples of a unit, relative to the activation.",
        metavar="W",
    )
    tv_weight: float = _setting(
        0.0,
        "Weight of the total variation, relative to the activation.",
        metavar="W",
        alias="smoothness",
    )
    steps: int = _setting(512, "Optimization steps.", metavar="N")
    size: int | None = _setting(
        None, "Side of the images in pixels.  [default: the model's input size]", metavar="PX"
    )
    preset: str | None = _setting(
        None,
        "Set of defaults: parametrization, augmentations, learning rate and spectral decay.  "
        "[default: chosen by the model]",
        choices=PRESET_NAMES,
    )
    param: str | None = _setting(
        None, "Parametrization of the image.  [default: the preset's]", choices=PARAMS
    )
    spectrum: Spectrum | str | None = _setting(  # noqa: RUF009  it returns a field
        None,
        "Dataset whose mean Fourier magnitudes --param maco uses.  [default: 1 / f**decay]",
        metavar="DATA",
    )
    frequency_schedule: float | None = _setting(
        None,
        "Fraction of the steps over which the frequency cutoff rises (coarse to fine); 0 disables "
        "it.  [default: the preset's]",
        metavar="FRACTION",
        alias="progressive",
    )
    precision: str = _setting(
        "auto",
        "Number format of the forward and backward pass; auto is that of the images in the "
        "store, or the fastest on the device.",
        choices=PRECISIONS,
    )
    seed: int = _setting(0, "Random seed.", metavar="N")
    cosine_power: float = _setting(
        0.0,
        "Multiply the objective by the P-th power of the cosine between the unit's direction and "
        "its layer's output; 0 for the plain activation.",
        metavar="P",
        alias="cosine",
    )
    split_qk: bool = _setting(
        False,
        "Optimize two images per query-key logit: one for the query, one for the key.",
        alias="sides",
    )


KEYS = {each.name: each.metadata["alias"] or each.name for each in fields(Settings)}
"""Name of each setting in the configuration of a store, which older versions read too."""


def settings_from(values: Mapping[str, Any]) -> Settings:
    """Make settings from keyword arguments.

    Parameters
    ----------
    values : mapping of str to object
        Fields of `Settings`; those that are missing have their defaults.

    Returns
    -------
    Settings

    Raises
    ------
    FeatvizError
        If there is no setting of a name.
    """
    former = {key: name for name, key in KEYS.items()}
    for name in values:
        if name not in KEYS:
            hint = did_you_mean(name, KEYS) or f"; there are {', '.join(KEYS)}"
            hint = f"; it is now {former[name]}" if name in former else hint
            raise FeatvizError(f"no setting {name!r}{hint}")
    return Settings(**values)


def with_settings(function: Function) -> Function:
    """Show the fields of `Settings` in the signature of a function that takes ``**settings``.

    Parameters
    ----------
    function : callable
        Its own arguments take precedence.

    Returns
    -------
    callable
        The same function; ``help(function)`` and editors list each setting.
    """
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    settings = [
        inspect.Parameter(
            each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type
        )
        for each in fields(Settings)
        if each.name not in signature.parameters
    ]
    shown = signature.replace(parameters=[*own, *settings])
    function.__signature__ = shown  # type: ignore[attr-defined]  # read by `inspect.signature`
    return function
