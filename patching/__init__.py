"""Which part of a vision transformer carries a cue: activation patching and its statistics."""

from patching.averages import averages, groups
from patching.corruptions import corruption
from patching.effects import Table
from patching.job import read_traces, trace_to_store
from patching.sweep import sweep
from patching.validation import validate_to_store

__all__ = [
    "Table",
    "averages",
    "corruption",
    "groups",
    "read_traces",
    "sweep",
    "trace_to_store",
    "validate_to_store",
]
