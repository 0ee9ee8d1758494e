"""Feature visualisation for the units of vision models."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from featviz.combinations import Combination, combine
    from featviz.errors import FeatvizError
    from featviz.models import VisionModel, load
    from featviz.readout import Readout, readout
    from featviz.render import Rendering, render
    from featviz.store import Store
    from featviz.units import Unit, units

__all__ = [
    "Combination",
    "FeatvizError",
    "Readout",
    "Rendering",
    "Store",
    "Unit",
    "VisionModel",
    "combine",
    "load",
    "readout",
    "render",
    "units",
]

_HOMES = {
    "Combination": "combinations",
    "FeatvizError": "errors",
    "Readout": "readout",
    "Rendering": "render",
    "Store": "store",
    "Unit": "units",
    "VisionModel": "models",
    "combine": "combinations",
    "load": "models",
    "readout": "readout",
    "render": "render",
    "units": "units",
}


class _Package(ModuleType):
    """Loads what it offers when that is asked for.

    torch takes seconds and half a gigabyte, which whoever only reads stores need not pay.
    """

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{self.__name__}.{_HOMES[name]}"), name)

    def __setattr__(self, name: str, value: object) -> None:
        is_home = name in _HOMES and isinstance(value, ModuleType)
        if not is_home:  # which Python would put in the place of the function of its name
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
