"""All sections of a model's page."""

from __future__ import annotations

from gallery.sections.attention import Attention
from gallery.sections.autoencoders import Autoencoders
from gallery.sections.base import Section
from gallery.sections.circuits import Circuits
from gallery.sections.compare import Compare
from gallery.sections.filters import Filters
from gallery.sections.gradients import Gradients
from gallery.sections.grids import Grids
from gallery.sections.tokens import Tokens
from gallery.sections.traces import Traces

SECTIONS: tuple[type[Section], ...] = (
    Filters,
    Attention,
    Grids,
    Gradients,
    Tokens,
    Compare,
    Traces,
    Circuits,
    Autoencoders,
)
"""In the order of the page."""
