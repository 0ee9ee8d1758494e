"""``py:PACKAGE.MODULE:FUNCTION``: a function of yours that makes a model, imported by its path."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from featviz.errors import FeatvizError, did_you_mean
from featviz.models.loading.options import LoadOptions
from featviz.models.loading.registry import reproducible
from featviz.models.loading.wrap import published_inputs, wrap
from featviz.models.vision_model import VisionModel

IMPORT_PATH = "py:"
"""Start of the name of a function that makes a model."""

_INPUTS = ("image_size", "mean", "std")
_FORM = re.compile(r"py:(?:(?P<folder>.*)/)?(?P<module>\w+(?:\.\w+)*):(?P<function>\w+)", re.DOTALL)

# The top-level packages of this project, and the folder that holds them.
_PROJECT = ("featviz", "patching", "gallery", "cli")
_ROOT = Path(__file__).parents[3]


def load_import_path(name: str, options: LoadOptions) -> VisionModel:
    """Make the model that a function returns.

    The folder of its module stays at the end of ``sys.path``, for imports inside functions, such as
    the forward pass of the model.

    Parameters
    ----------
    name : str
        ``py:PACKAGE.MODULE:FUNCTION``; the module is imported from the current folder, as by
        ``python -m``. With ``py:FOLDER/PACKAGE.MODULE:FUNCTION`` it is imported from this folder,
        also if another folder had modules of the same names.
    options : LoadOptions
        Its `model_args` are the arguments of the function.

    Returns
    -------
    VisionModel

    Raises
    ------
    FeatvizError
        If there is no such function, its module has the name of an installed one, it raises an
        exception or returns something other than a module or a `VisionModel`, or an option does
        not apply.
    """
    if options.untrained or options.arch is not None:
        option = "untrained (--untrained)" if options.untrained else "arch (--arch)"
        raise FeatvizError(f"{option} cannot be combined with {name}, which makes the model")
    target = _Target.parse(name)
    with reproducible(), target.importing():
        made = target.call(options.model_args)
        return _model(name, made, options)


def _model(name: str, made: object, options: LoadOptions) -> VisionModel:
    """Make a model of what a function returned."""
    if isinstance(made, VisionModel):
        if options.image_size not in (None, made.image_size):
            made.image_size = made.variant["image_size"] = options.image_size
        return made
    if not isinstance(made, nn.Module):
        raise FeatvizError(
            f"{name} returned {type(made).__name__}, not a torch.nn.Module or featviz.VisionModel"
        )
    published = published_inputs(made)
    missing = [key for key in _INPUTS if getattr(options, key) is None and key not in published]
    if missing:
        needed = ", ".join(f"{key} (--{key.replace('_', '-')})" for key in missing)
        raise FeatvizError(
            f"{name} returned {type(made).__name__}, which needs {needed}; or return "
            "featviz.wrap(module, image_size=..., mean=..., std=...)"
        )
    return wrap(made, options.image_size, options.mean, options.std, name=name)


def absolute_import_path(name: str) -> str:
    """Return the name of a function with the absolute path of its folder.

    Parameters
    ----------
    name : str
        See `load_import_path`.

    Returns
    -------
    str
    """
    target = _Target.parse(name)
    return f"{IMPORT_PATH}{target.folder}/{target.module}:{target.function}"


class _Kept(str):
    """A folder that stays on `sys.path`, as forward passes may import from it."""

    __slots__ = ()


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
        folder = str(self.folder)
        others = [path for path in sys.path if isinstance(path, _Kept) and path != folder]
        sys.path[:] = [folder, *(path for path in sys.path if path not in others)]
        try:
            self._make_way(others)
            with redirect_stdout(sys.stderr):
                yield
        finally:
            sys.path.remove(folder)
            sys.path += others
        if folder not in sys.path:
            sys.path.append(_Kept(folder))

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

    def _make_way(self, others: Sequence[str]) -> None:
        """Forget modules of other folders that have the names of its own, or refuse its own."""
        tops = {name.partition(".")[0] for name in sys.modules} - {"__main__", *_PROJECT}
        places = [str(self.folder), *others]
        same = {top for top in tops if not _is_installed(top) and PathFinder.find_spec(top, places)}
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in same and not self._holds(module):
                del sys.modules[name]
        top = self.module.partition(".")[0]
        spec = self._spec(top)
        if spec is None:
            return
        ours = top in _PROJECT and self.folder.resolve() != _ROOT.resolve()
        if ours or (top in sys.modules and not self._holds(sys.modules[top])):
            whose = f"{top} of featviz" if ours else f"{top}, which is loaded"
            path = spec.origin or self.folder / top
            raise FeatvizError(f"{self.name}: {path} has the name of {whose}; rename it")
        if spec.loader is None:
            # A folder without __init__.py, which Python would look for after all other packages.
            sys.modules.setdefault(top, module_from_spec(spec))

    def _spec(self, top: str) -> ModuleSpec | None:
        """Find a top-level module in the folder."""
        return PathFinder.find_spec(top, [str(self.folder)])

    def _holds(self, module: ModuleType) -> bool:
        """Return whether a module is from the folder."""
        place, top = _place(module), module.__name__.partition(".")[0]
        return place is not None and (
            place.parent == self.folder or place.is_relative_to(self.folder / top)
        )

    def _raised(self, what: str, error: BaseException) -> FeatvizError:
        """Describe an exception in one line: what raised it, its text, and where."""
        text = next(iter(str(error).strip().splitlines()), "")
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).is_relative_to(self.folder)]
        where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
        return FeatvizError(f"{self.name}: {what} raised {type(error).__name__}: {text}{where}")


def _place(module: ModuleType) -> Path | None:
    """Return the file of a module, the first folder of a package without one, or None."""
    file = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    return None if file is None else Path(file)


def _is_installed(top: str) -> bool:
    """Return whether a loaded top-level module is of Python, or of an installed package."""
    place = _place(sys.modules[top]) if top in sys.modules else None
    if place is None or top in sys.stdlib_module_names:
        return True
    return any(place.is_relative_to(sysconfig.get_path(kind)) for kind in ("purelib", "platlib"))
