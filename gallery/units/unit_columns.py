"""The data file `units.js`: all units of a page, in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from featviz.analysis.evidence.headline import FACETS, Headline
from gallery.build.js_data import rounded, script

DIGITS = 5  # significant digits of metrics
NO_COLOR = "   "  # of a picture that does not fill its cell


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
    headlines: Sequence[Headline],
    colors: Sequence[str],
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
    headlines : sequence of Headline
        If all are empty, the data file has none.
    colors : sequence of str
        Mean color of each picture, of three hexadecimal digits, or `NO_COLOR`. A page shows it
        until the picture is loaded.

    Returns
    -------
    str
        See `gallery.build.js_data.script`.
    """
    content: dict[str, Any] = {
        "suffixes": suffixes,
        "renders": renders,
        "metrics": {metric.key: rounded(values, DIGITS) for metric, values in columns.items()},
        "headlines": [line.text for line in headlines] if any(h.text for h in headlines) else [],
        "facets": _facets(headlines),
        "colors": "".join(colors),
    }
    return script("units", content)


def _facets(headlines: Sequence[Headline]) -> dict[str, dict[str, Any]]:
    """Return each facet in columns: its distinct values, sorted, and the index of each unit's."""
    found = {}
    for key in FACETS:
        values = sorted({line.facets[key] for line in headlines if key in line.facets})
        indices = {value: index for index, value in enumerate(values)}
        column = [indices[line.facets[key]] if key in line.facets else None for line in headlines]
        if values:
            found[key] = {"values": values, "units": column}
    return found


def describe_metrics(metrics: Iterable[Metric]) -> list[dict[str, Any]]:
    """Return metrics as JSON, for the data file of the model.

    Parameters
    ----------
    metrics : iterable of Metric
    """
    return [asdict(metric) for metric in metrics]
