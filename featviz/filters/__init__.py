"""The filters of a model's first convolution: what they look like, and which are alike."""

from featviz.filter_classes import CLASSES
from featviz.filters.components import Components, components
from featviz.filters.gather import Filters, filters
from featviz.filters.job import store_filters
from featviz.filters.layer import FirstLayer, first_layer
from featviz.filters.pictures import contact_sheet
from featviz.filters.positions import patch_positions, similarities

__all__ = [
    "CLASSES",
    "Components",
    "Filters",
    "FirstLayer",
    "components",
    "contact_sheet",
    "filters",
    "first_layer",
    "patch_positions",
    "similarities",
    "store_filters",
]
