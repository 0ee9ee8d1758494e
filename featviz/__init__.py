"""Feature visualisation for the units of vision models."""

from featviz.errors import FeatvizError
from featviz.models import VisionModel, load
from featviz.readout import Readout, readout
from featviz.units import Unit, units

__all__ = [
    "FeatvizError",
    "Readout",
    "Unit",
    "VisionModel",
    "load",
    "readout",
    "units",
]
