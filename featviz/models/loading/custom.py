"""Models of your own: a module, or a function of yours that makes one."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from typing import Any

from timm.layers.patch_embed import PatchEmbed
from torch import nn

from featviz.errors import FeatvizError, did_you_mean
from featviz.models.loading.options import LoadOptions, Rgb, check_mean, check_size, check_std
from featviz.models.loading.registry import reproducible
from featviz.models.vision_model import VisionModel

CUSTOM = "py:"
"""Start of the name of a function that makes a model."""

_INPUTS = ("image_size", "mean", "std")
_FORM = re.compile(r"py:(?:(?P<folder>.*)/)?(?P<module>\w+(?:\.\w+)*):(?P<function>\w+)", re.DOTALL)


def wrap(
    module: nn.Module,
    image_size: int | None = None,
    mean: Rgb | None = None,
    std: Rgb | None = None,
    classes: Sequence[str] = (),
    name: str | None = None,
) -> VisionModel:
    """Make a model of a module of your own; it is not copied, moved or frozen.

    Parameters
    ----------
    module : nn.Module
        Takes normalized images of shape (N, 3, image_size, image_size). A compiled module is
        replaced by the original.
    image_size : int, optional
        Side of its square inputs in pixels.
    mean, std : (float, float, float), optional
        Its inputs are ``(images - mean) / std`` for RGB in [0, 1].
        These three are needed, unless the module has the configuration that timm gives its modules
        (``pretrained_cfg``).
    classes : sequence of str
        Names of its outputs.
    name : str, optional
        By default the name of its class.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If it is not a module, an argument is missing or out of range, or the module cannot run on
        images of this size.

    Examples
    --------
    >>> module = nn.Sequential(nn.Conv2d(3, 8, 4, stride=4), nn.ReLU())
    >>> model = wrap(module, image_size=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    >>> list(model.sites)
    ['0']
    """
    if isinstance(module, VisionModel) or not isinstance(module, nn.Module):
        raise FeatvizError(f"wrap needs a torch.nn.Module, got {type(module).__name__}")
    given = {"image_size": image_size, "mean": mean, "std": std}
    published = _published(module)
    if missing := [key for key in given if given[key] is None and key not in published]:
        raise FeatvizError(f"{type(module).__name__} needs {', '.join(missing)}; see featviz.wrap")
    inputs = {key: published.get(key) if value is None else value for key, value in given.items()}
    if image_size is None:
        inputs["image_size"] = _built_size(module) or published["image_size"]
    model = VisionModel(
        name or type(getattr(module, "_orig_mod", module)).__name__,
        module,
        check_size(inputs["image_size"]),
        check_mean(inputs["mean"]),
        check_std(inputs["std"]),
        tuple(classes),
    )
    for key in given:
        if getattr(model, key) != published.get(key):
            model.variant[key] = getattr(model, key)
    model.check_input()
    return model


def load_custom(name: str, options: LoadOptions) -> VisionModel:
    """Make the model that a function returns.

    Parameters
    ----------
    name : str
        ``py:PACKAGE.MODULE:FUNCTION``; the module is imported from the current folder, as by
        ``python -m``. With ``py:FOLDER/PACKAGE.MODULE:FUNCTION`` it is imported from this folder.
    options : LoadOptions
        Its `model_args` are the arguments of the function.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If there is no such function, it raises an exception or returns something other than a
        module or a `VisionModel`, or an option does not apply.
    """
    if options.untrained or options.arch is not None:
        option = "--untrained" if options.untrained else "--arch"
        raise FeatvizError(f"{option} cannot be combined with {name}, which makes the model")
    target = _Target.parse(name)
    with reproducible(), target.importing():
        made = target.call(options.model_args)
    if isinstance(made, VisionModel):
        if options.image_size not in (None, made.image_size):
            made.image_size = made.variant["image_size"] = options.image_size
        return made
    if not isinstance(made, nn.Module):
        raise FeatvizError(
            f"{name} returned {type(made).__name__}, not a torch.nn.Module or featviz.VisionModel"
        )
    published = _published(made)
    missing = [key for key in _INPUTS if getattr(options, key) is None and key not in published]
    if missing:
        flags = ", ".join(f"--{key.replace('_', '-')}" for key in missing)
        raise FeatvizError(
            f"{name} returned {type(made).__name__}, which needs {flags}; or return "
            "featviz.wrap(module, image_size=..., mean=..., std=...)"
        )
    return wrap(made, options.image_size, options.mean, options.std, name=name)


def absolute_custom(name: str) -> str:
    """Return the name of a function with the absolute path of its folder.

    Parameters
    ----------
    name : str
        See `load_custom`.

    Returns
    -------
    str
    """
    target = _Target.parse(name)
    return f"{CUSTOM}{target.folder}/{target.module}:{target.function}"


@dataclass(frozen=True)
class _Target:
    """A function: the folder to import from, its module and its name."""

    name: str
    folder: Path
    module: str
    function: str

    @classmethod
    def parse(cls, name: str) -> _Target:
        match = _FORM.fullmatch(name)
        if match is None:
            raise FeatvizError(
                f"{name} is not of the form py:PACKAGE.MODULE:FUNCTION, such as py:models.vit:build"
            )
        # An absolute folder at the root is an empty text before the slash.
        folder = "." if match["folder"] is None else match["folder"] or "/"
        expanded = os.path.expanduser(folder)  # noqa: PTH111 - a Path raises for an unknown user
        where = Path(expanded).absolute()
        return cls(name, where, match["module"], match["function"])

    @contextmanager
    def importing(self) -> Iterator[None]:
        """Import from the folder first, and keep stdout for results, in the ``with`` block."""
        sys.path.insert(0, str(self.folder))
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            sys.path.remove(str(self.folder))

    def call(self, arguments: Mapping[str, Any]) -> object:
        """Import the module and call the function."""
        try:
            module = import_module(self.module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{self.module}.".startswith(f"{error.name}."):
                raise self._raised(f"importing {self.module}", error) from error
            raise FeatvizError(
                f"{self.name}: there is no module {error.name} in {self.folder}"
            ) from error
        except (Exception, SystemExit) as error:
            raise self._raised(f"importing {self.module}", error) from error
        function: Callable[..., object] | None = getattr(module, self.function, None)
        if function is None:
            hint = did_you_mean(
                self.function, [key for key, each in vars(module).items() if isfunction(each)]
            )
            raise FeatvizError(f"{self.name}: {self.module} has no function {self.function}{hint}")
        if not callable(function) or isinstance(function, nn.Module):
            raise FeatvizError(
                f"{self.name}: {self.function} is of type {type(function).__name__}, not a function"
            )
        try:
            return function(**arguments)
        except (Exception, SystemExit) as error:
            raise self._raised(f"{self.function}()", error) from error

    def _raised(self, what: str, error: BaseException) -> FeatvizError:
        """Describe an exception in one line: what raised it, its text, and where."""
        text = next(iter(str(error).strip().splitlines()), "")
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).is_relative_to(self.folder)]
        where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
        return FeatvizError(f"{self.name}: {what} raised {type(error).__name__}: {text}{where}")


def _published(module: object) -> dict[str, Any]:
    """Return the inputs that timm records for the weights of a module."""
    config = getattr(module, "pretrained_cfg", None)
    if not isinstance(config, Mapping) or "input_size" not in config:
        return {}
    _, height, width = config["input_size"]
    if height != width:
        return {}
    return {"image_size": height, "mean": tuple(config["mean"]), "std": tuple(config["std"])}


def _built_size(module: nn.Module) -> int | None:
    """Return the side for which timm built the patch embedding of a module, if it has a side."""
    embedding = getattr(module, "patch_embed", None)
    if not isinstance(embedding, PatchEmbed) or embedding.img_size is None:
        return None
    height, width = embedding.img_size
    return height if height == width else None
