"""Examples and statistics of a unit over a dataset, by sorting and counting in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def brute_force(
    values: Sequence[float],
    labels: Sequence[int],
    classes: int,
    top: int,
    quantiles: Sequence[float],
    bins: int,
) -> dict[str, Any]:
    """Return the examples and statistics of one unit, by the column names of a store."""
    count = len(values)
    descending = sorted(range(count), key=lambda image: (-values[image], image))
    ascending = sorted(range(count), key=lambda image: (values[image], image))
    ordered = [values[image] for image in ascending]
    rectified = [max(value, 0.0) for value in values]
    power = math.fsum(value * value for value in rectified)
    sparsity = math.nan
    if count > 1 and power > 0:
        sparsity = (1 - math.fsum(rectified) ** 2 / count / power) / (1 - 1 / count)
    mean = math.fsum(values) / count
    chosen = {
        "top": descending[:top],
        "bottom": ascending[:top],
        "spread": [ascending[round(quantile * (count - 1))] for quantile in quantiles],
    }
    return {
        **chosen,
        **{
            f"{name}_values": [values[image] for image in images] for name, images in chosen.items()
        },
        "percentiles": [_percentile(ordered, percent) for percent in range(101)],
        "histogram": _histogram(values, bins),
        "mean": mean,
        "deviation": math.sqrt(math.fsum((value - mean) ** 2 for value in values) / count),
        "active": sum(value > 0 for value in values) / count,
        "sparsity": sparsity,
        "classes": [_mean(values, labels, each) for each in range(classes)],
    }


def _percentile(ordered: Sequence[float], percent: int) -> float:
    position = percent / 100 * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def _histogram(values: Sequence[float], bins: int) -> list[int]:
    low, high = min(values), max(values)
    counts = [0] * bins
    for value in values:
        edges = [low + (high - low) * (index / bins) for index in range(1, bins)]
        counts[sum(value >= edge for edge in edges) if high > low else 0] += 1
    return counts


def _mean(values: Sequence[float], labels: Sequence[int], wanted: int) -> float:
    own = [value for value, label in zip(values, labels, strict=True) if label == wanted]
    return math.fsum(own) / len(own) if own else math.nan
