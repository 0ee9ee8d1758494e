"""The data file `units.js`: all units of a page, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gallery.build.js_data import rounded, script

DIGITS = 5  # significant digits of metrics


@dataclass(frozen=True)
class Metric:
    """A metric of units, by which a page sorts and filters.

    Attributes
    ----------
    key : str
        Name of its column.
    name : str
        Name on the page.
    higher : bool or None
        Whether higher values are better; None if neither is.
    digits : int
        Significant digits on the page.
    """

    key: str
    name: str
    higher: bool | None
    digits: int = 4


# The scale of activations depends on the unit, so neither is better.
ACTIVATION = Metric("activation", "activation", higher=None)


def units_script(
    suffixes: Sequence[str],
    renders: Sequence[Sequence[Sequence[int]]],
    columns: Mapping[Metric, Sequence[float]],
) -> str:
    """Write the data file; every column has one entry per unit, in display order.

    Parameters
    ----------
    suffixes : sequence of str
        Part of each address after the site.
    renders : sequence
        Group, row, number of samples and best sample of each render of each unit.
    columns : mapping
        Values of each metric; values that are not finite are unknown.

    Returns
    -------
    str
        See `gallery.build.js_data.script`.
    """
    content: dict[str, Any] = {
        "suffixes": suffixes,
        "renders": renders,
        "metrics": {metric.key: rounded(values, DIGITS) for metric, values in columns.items()},
    }
    return script("units", content)


def describe_metrics(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """Return metrics as JSON, for the data file of the model.

    Parameters
    ----------
    metrics : iterable of Metric
    """
    return [asdict(metric) for metric in metrics]
