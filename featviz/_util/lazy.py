"""Public names of a package, imported when they are first used (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's ``__getattr__`` and ``__dir__``.

    ``import featviz`` stays instant, because PyTorch is imported by the names that need it.

    Parameters
    ----------
    package : str
        Name of the package.
    modules : mapping of str to str
        For each public name the submodule that defines it, relative to the package.

    Returns
    -------
    getattr, dir : callable
        To be assigned to ``__getattr__`` and ``__dir__`` of the package.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return load, names
