"""Measurements, each printing JSON: `python -m benchmarks.NAME`."""
