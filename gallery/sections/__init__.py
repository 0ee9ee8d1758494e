"""What a model's page shows beside its units: one module a section."""

from gallery.sections.attention import Attention
from gallery.sections.base import Place, Pointer, Section
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
)
"""In the order of the page."""

__all__ = ["SECTIONS", "Filters", "Place", "Pointer", "Section"]
