"""The names that a store gives to classes of filters."""

CLASSES = ("regular", "regular dark", "near-solid colour", "solid colour", "very dark")
"""In the order in which they are listed; `featviz.analysis.filters.classes` says what they are."""
