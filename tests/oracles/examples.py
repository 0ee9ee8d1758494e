"""Examples of a unit by sorting and counting, one image after another, in plain Python."""

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
    """Describe the values of one unit; the names are those of the columns of a store."""
    count = len(values)
    falling = sorted(range(count), key=lambda image: (-values[image], image))
    rising = sorted(range(count), key=lambda image: (values[image], image))
    ordered = [values[image] for image in rising]
    rectified = [max(value, 0.0) for value in values]
    power = math.fsum(value * value for value in rectified)
    sparsity = math.nan
    if count > 1 and power > 0:
        sparsity = (1 - math.fsum(rectified) ** 2 / count / power) / (1 - 1 / count)
    mean = math.fsum(values) / count
    chosen = {
        "top": falling[:top],
        "bottom": rising[:top],
        "spread": [rising[round(quantile * (count - 1))] for quantile in quantiles],
    }
    return {
        **chosen,
        **{f"{name}_values": [values[image] for image in some] for name, some in chosen.items()},
        "percentiles": [_percentile(ordered, percent) for percent in range(101)],
        "histogram": _histogram(values, bins),
        "mean": mean,
        "deviation": math.sqrt(math.fsum((value - mean) ** 2 for value in values) / count),
        "active": sum(value > 0 for value in values) / count,
        "sparsity": sparsity,
        "classes": [_mean(values, labels, each) for each in range(classes)],
    }


def _percentile(ordered: Sequence[float], percent: int) -> float:
    place = percent / 100 * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _histogram(values: Sequence[float], bins: int) -> list[int]:
    low, high = min(values), max(values)
    counts = [0] * bins
    for value in values:
        edges = [low + (high - low) * (number / bins) for number in range(1, bins)]
        counts[sum(value >= edge for edge in edges) if high > low else 0] += 1
    return counts


def _mean(values: Sequence[float], labels: Sequence[int], wanted: int) -> float:
    own = [value for value, label in zip(values, labels, strict=True) if label == wanted]
    return math.fsum(own) / len(own) if own else math.nan
