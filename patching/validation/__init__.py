"""Whether a neuron does what its picture shows: tested by intervention, against controls."""

from patching.validation.job import Summary, validate_to_store

__all__ = ["Summary", "validate_to_store"]
