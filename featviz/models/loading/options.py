"""`LoadOptions`: how a model is loaded; one list for Python, the command line and stores."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from featviz._util.arguments import described, file_path, real_number, sequence, whole_number
from featviz.errors import FeatvizError
from featviz.models.loading.sae_files import SaeFile, parse_sae, sae_files

Rgb = tuple[float, float, float]

_RESERVED = {
    "img_size": "--image-size PX sets the size of the inputs",
    "image_size": "--image-size PX sets the size of the inputs",
    "in_chans": "featviz needs a model of RGB images",
    "pretrained": "--untrained leaves out the published weights",
    "weights": "--untrained leaves out the published weights",
    "checkpoint_path": "give the file as MODEL, and its architecture with --arch",
}
"""Arguments of timm and torchvision that are set by other options."""


def parse_size(text: str) -> int:
    """Parse the side of square inputs.

    Parameters
    ----------
    text : str
        An integer.

    Returns
    -------
    int
        Side in pixels.

    Raises
    ------
    FeatvizError
        If it is not a positive integer.
    """
    if not (text.isascii() and text.isdigit() and int(text)):
        raise FeatvizError(
            f"expected a side in pixels, such as 224, as inputs are square; got {text!r}"
        )
    return int(text)


def parse_rgb(text: str) -> Rgb:
    """Parse three numbers with commas between them.

    Parameters
    ----------
    text : str
        Such as ``0.485,0.456,0.406``.

    Returns
    -------
    (float, float, float)

    Raises
    ------
    FeatvizError
        If it is anything else.
    """
    try:
        red, green, blue = map(float, text.split(","))
    except ValueError as error:
        raise FeatvizError(f"expected R,G,B, such as 0.5,0.5,0.5, got {text!r}") from error
    return red, green, blue


def parse_model_arg(text: str) -> tuple[str, Any]:
    """Parse an argument of an architecture.

    Parameters
    ----------
    text : str
        ``KEY=VALUE``. A value that is a Python literal (a number, True, None, a tuple, a text in
        quotes) is read as such, every other one as text.

    Returns
    -------
    (str, object)
        The key and the value.

    Raises
    ------
    FeatvizError
        If it has no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise FeatvizError(f"expected KEY=VALUE, such as global_pool=avg, got {text!r}")
    return key, _literal(value)


def _option(
    default: Any,
    help: str,  # noqa: A002  the word of click
    *,
    flag: str,
    metavar: str | None = None,
    parse: Callable[[str], Any] = str,
) -> Any:
    """Describe an option: its default, its help with {model}, its flag, how its text is read."""
    metadata = {"help": help, "flag": flag, "metavar": metavar, "parse": parse}
    if default == {}:
        # Without it, the options could not be hashed.
        return field(default_factory=dict, hash=False, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class LoadOptions:
    """How a model is loaded, apart from its name and device.

    The arguments of `featviz.load`, the options of the commands with a MODEL and the entry
    ``load`` of a store are made from these fields.

    Attributes
    ----------
    untrained : bool
        Use random weights, the same every time, instead of the published ones.
    arch : str or None
        Name of the architecture, for a file of weights.
    image_size : int or None
        Side of the square inputs in pixels; None for that of the weights. Position embeddings are
        resampled as timm does.
    mean, std : (float, float, float) or None
        The inputs are ``(images - mean) / std`` for RGB in [0, 1]; None for those of the weights.
    model_args : dict
        Further arguments of the architecture, by name: None, booleans, numbers, texts, or tuples
        of these.
    head : str or None
        File of class vectors, see `featviz.models.loading.class_head.attach_head`.
    saes : dict of str to SaeFile
        Sparse autoencoders whose latents are units, by their name in addresses.

    Raises
    ------
    FeatvizError
        If a value is of another type or out of range.
    """

    untrained: bool = _option(
        False, "Use random weights for {model}, the same in every run.", flag="untrained"
    )
    arch: str | None = _option(
        None, "Architecture, if {model} is a file of weights.", flag="arch", metavar="NAME"
    )
    image_size: int | None = _option(
        None,
        "Side of the inputs of {model} in pixels; position embeddings are resampled.  [default: "
        "as published]",
        flag="image-size",
        metavar="PX",
        parse=parse_size,
    )
    mean: Rgb | None = _option(  # noqa: RUF009  it returns a field
        None,
        "Mean of the pixels in [0, 1] that {model} subtracts.  [default: as published]",
        flag="mean",
        metavar="R,G,B",
        parse=parse_rgb,
    )
    std: Rgb | None = _option(  # noqa: RUF009  it returns a field
        None,
        "Standard deviation by which {model} divides the pixels.  [default: as published]",
        flag="std",
        metavar="R,G,B",
        parse=parse_rgb,
    )
    model_args: dict[str, Any] = _option(  # noqa: RUF009  it returns a field
        {},
        "Further argument of the architecture of {model}, such as global_pool=avg; repeatable.",
        flag="model-arg",
        metavar="KEY=VALUE",
        parse=parse_model_arg,
    )
    head: str | None = _option(
        None,
        "Class vectors for {model}, a linear probe or zero-shot classes: an .npy file with names "
        "in a .txt file, or an .npz file with weight, names and optionally bias or logit_scale.",
        flag="head",
        metavar="FILE",
    )
    saes: dict[str, SaeFile] = _option(  # noqa: RUF009  it returns a field
        {},
        "Sparse autoencoder of {model}, whose latents are the units sae.NAME:0, sae.NAME:1, ...; "
        "SITE if its files do not say what it reads; repeatable.",
        flag="sae",
        metavar="NAME=PATH[@SITE]",
        parse=parse_sae,
    )

    def __post_init__(self) -> None:
        if type(self.untrained) is not bool:
            raise FeatvizError(
                f"untrained (--untrained) must be True or False, got {described(self.untrained)}"
            )
        if self.arch is not None and not isinstance(self.arch, str):
            raise FeatvizError(
                f"arch (--arch) must be the name of an architecture, got {described(self.arch)}"
            )
        size, mean, std = self.image_size, self.mean, self.std
        # The fields are frozen for everyone else.
        object.__setattr__(self, "image_size", None if size is None else check_size(size))
        object.__setattr__(self, "mean", None if mean is None else check_mean(mean))
        object.__setattr__(self, "std", None if std is None else check_std(std))
        object.__setattr__(self, "model_args", _model_args(self.model_args))
        if self.head is not None:
            object.__setattr__(self, "head", str(file_path("head (--head)", self.head)))
        object.__setattr__(self, "saes", sae_files(self.saes))

    def to_json(self) -> dict[str, Any]:
        """Return the entry ``load`` of a store; `from_json` is its inverse.

        Returns
        -------
        dict
            ``untrained`` and ``arch``, and the others if they are set.
        """
        always = ("untrained", "arch")
        saes = {name: sae.to_json() for name, sae in self.saes.items()}
        return {
            name: value
            for name, value in (asdict(self) | {"saes": saes}).items()
            if name in always or value not in (None, {})
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> LoadOptions:
        """Read the entry ``load`` of a store.

        Parameters
        ----------
        entry : mapping
            As `to_json` returns it.

        Returns
        -------
        LoadOptions

        Raises
        ------
        FeatvizError
            If a name is unknown, or a value invalid.
        """
        known = [each.name for each in fields(cls)]
        for name in entry:
            if name not in known:
                raise FeatvizError(f"no option {name!r} for loading a model; use a newer featviz")
        return cls(**entry)

    def to_words(self) -> list[str]:
        """Return the options of the command line that load the model so.

        Returns
        -------
        list of str
        """
        words = ["--untrained"] if self.untrained else []
        if self.arch is not None:
            words += ["--arch", self.arch]
        if self.image_size is not None:
            words += ["--image-size", str(self.image_size)]
        for name, values in (("--mean", self.mean), ("--std", self.std)):
            if values is not None:
                words += [name, ",".join(map(repr, values))]
        for key, value in self.model_args.items():
            # A text that would be read as a number or the like needs quotes.
            plain = isinstance(value, str) and _literal(value) == value
            words += ["--model-arg", f"{key}={value if plain else repr(value)}"]
        if self.head is not None:
            words += ["--head", self.head]
        for name, sae in self.saes.items():
            words += ["--sae", f"{name}={sae.path}" + (f"@{sae.site}" if sae.site else "")]
        return words


def check_mean(mean: Any) -> Rgb:
    """Validate the mean of the pixels.

    Parameters
    ----------
    mean : iterable of 3 numbers
        In [0, 1], as images are.

    Returns
    -------
    (float, float, float)

    Raises
    ------
    FeatvizError
        If it is anything else.
    """
    values = rgb("mean (--mean)", mean)
    if not all(0 <= value <= 1 for value in values):
        raise FeatvizError(
            f"mean (--mean) is {rgb_text(values)}, not in [0, 1]; divide by 255 if it is in bytes"
        )
    return values


def check_std(std: Any) -> Rgb:
    """Validate the standard deviation of the pixels.

    Parameters
    ----------
    std : iterable of 3 numbers
        Positive.

    Returns
    -------
    (float, float, float)

    Raises
    ------
    FeatvizError
        If it is anything else.
    """
    values = rgb("std (--std)", std)
    if not all(0 < value < math.inf for value in values):
        raise FeatvizError(f"std (--std) is {rgb_text(values)}, not three positive numbers")
    return values


def check_size(size: Any) -> int:
    """Validate the side of square inputs.

    Parameters
    ----------
    size : int
        In pixels.

    Returns
    -------
    int

    Raises
    ------
    FeatvizError
        If it is anything else, such as height and width.
    """
    if isinstance(size, list | tuple):
        raise FeatvizError("image_size (--image-size) must be one number: inputs are square")
    return whole_number("image_size (--image-size)", size, 1)


def rgb(name: str, values: Any) -> Rgb:
    """Validate three numbers.

    Parameters
    ----------
    name : str
        What they are, for error messages.
    values : iterable of 3 numbers
        Of Python, NumPy or PyTorch.

    Returns
    -------
    (float, float, float)

    Raises
    ------
    FeatvizError
        If it is anything else.
    """
    wanted = "three numbers for red, green and blue"
    numbers = [real_number(name, each) for each in sequence(name, values, wanted)]
    if len(numbers) != len("RGB"):
        raise FeatvizError(f"{name} must be {wanted}, got {len(numbers)}")
    red, green, blue = numbers
    return red, green, blue


def rgb_text(values: Rgb) -> str:
    """Return three numbers with commas between them, as on the command line.

    Parameters
    ----------
    values : (float, float, float)

    Returns
    -------
    str
    """
    return ",".join(f"{value:g}" for value in values)


def _model_args(arguments: Any) -> dict[str, Any]:
    if not isinstance(arguments, Mapping):
        raise FeatvizError(
            f"model_args (--model-arg) must be a dict of arguments by name, got "
            f"{described(arguments)}"
        )
    for key in arguments:
        if key in _RESERVED:
            raise FeatvizError(f"model_args (--model-arg) cannot set {key}: {_RESERVED[key]}")
    return {str(key): _storable(str(key), value) for key, value in arguments.items()}


def _storable(key: str, value: Any) -> Any:
    """Return a value as a store would, with tuples for lists."""
    if isinstance(value, list | tuple):
        return tuple(_storable(key, each) for each in value)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real) and math.isfinite(value):
        return float(value)
    raise FeatvizError(
        f"model_args[{key!r}] is {value!r}, which a store cannot record; build the module yourself "
        "and use featviz.wrap"
    )


def _literal(text: str) -> Any:
    """Return the value of a Python literal; any other text is itself."""
    try:
        value = ast.literal_eval(text)
        _storable("", value)
    except (FeatvizError, ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value
