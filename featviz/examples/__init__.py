"""Natural images that excite a unit, and what its values over a dataset are like."""

from featviz.crops import crop, patch_box
from featviz.examples.job import Summary, examples, examples_to_store
from featviz.examples.pictures import file_of, read_image
from featviz.examples.result import Examples
from featviz.examples.statistics import BINS, QUANTILES, sparsity

__all__ = [
    "BINS",
    "QUANTILES",
    "Examples",
    "Summary",
    "crop",
    "examples",
    "examples_to_store",
    "file_of",
    "patch_box",
    "read_image",
    "sparsity",
]
