"""Feature visualisation for the units of vision models."""

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
