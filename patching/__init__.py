"""Activation patching: which parts of a vision transformer an effect depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featviz._util.lazy import lazy_names

if TYPE_CHECKING:
    from patching.effects.averages import averages, groups
    from patching.effects.table import Table, read_traces
    from patching.interventions.corruptions import corruption
    from patching.interventions.latents import set_latents
    from patching.sweeps.activation_patching import sweep
    from patching.sweeps.job import trace_to_store
    from patching.validation.job import validate_to_store

__all__ = [
    "Table",
    "averages",
    "corruption",
    "groups",
    "read_traces",
    "set_latents",
    "sweep",
    "trace_to_store",
    "validate_to_store",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Table": "effects.table",
        "averages": "effects.averages",
        "corruption": "interventions.corruptions",
        "groups": "effects.averages",
        "read_traces": "effects.table",
        "set_latents": "interventions.latents",
        "sweep": "sweeps.activation_patching",
        "trace_to_store": "sweeps.job",
        "validate_to_store": "validation.job",
    },
)
