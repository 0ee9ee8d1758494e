"""Evidence of a unit as JSON for its page: the parts that the page shows, rounded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from featviz.analysis.evidence.causal_tests import PROFILES
from featviz.analysis.evidence.image_classes import MISSING, ImageClasses
from featviz.analysis.evidence.unit_evidence import UnitEvidence
from featviz.models.token_grid import patch_box
from featviz.store.reader import Store

DIGITS = 5  # significant digits of all numbers
EXTREMES = 6  # classes at either end of a profile, since datasets may have a thousand
WRITTEN = 5  # classes whose logits a unit raises, and lowers, most
PATCH_UNITS = 1000  # units per image side of patch coordinates


class ExamplesFormatter:
    """Converts the natural images of units in a store to JSON.

    Parameters
    ----------
    store : Store
        With kind ``examples``.

    Attributes
    ----------
    classes : ImageClasses
        Of the store.
    """

    def __init__(self, store: Store) -> None:
        self._settings: Mapping[str, Any] = store.configuration["examples"]
        self.classes = ImageClasses(store)
        self._side = int(store.configuration.get("example_images", {}).get("side", 1))

    def to_json(self, examples: Mapping[str, Any]) -> dict[str, Any]:
        """Convert the examples of a unit.

        Parameters
        ----------
        examples : mapping
            As in `featviz.analysis.evidence.unit_evidence.UnitEvidence.examples`.

        Returns
        -------
        dict
            ``side`` is that of the images in pixels; 1 if the store has none. ``top``, ``spread``
            and ``bottom`` are lists of image index, activation, class or None,
            and patches. If there are two patches, the first is the query, the second the key. A
            patch is left, top, right and bottom in thousandths of the image side, or None if the
            token is not a patch.
        """
        percentiles = examples["percentiles"]
        data = self._settings["data"]
        return {
            "data": str(data["name"] if isinstance(data, Mapping) else data),
            "side": self._side,
            "images": int(examples["histogram"].sum()),
            "quantiles": self._settings.get("quantiles", []),
            **{name: self._images(examples, name) for name in ("top", "spread", "bottom")},
            "low": percentiles[0],
            "median": percentiles[50],
            "high": percentiles[-1],
            "histogram": examples["histogram"],
            **{name: examples[name] for name in ("mean", "deviation", "sparsity", "active")},
            "classes": extremes(examples["classes"]),
        }

    def _images(self, examples: Mapping[str, Any], name: str) -> list[list[Any]]:
        indices, values = examples[name].tolist(), examples[f"{name}_values"].tolist()
        tokens = examples[f"{name}_tokens"].tolist()
        grid, prefix = examples["grid"].tolist(), int(examples["prefix"])
        return [
            [index, value, self.classes.of(index), _patches(of_image, grid, prefix)]
            for index, value, of_image in zip(indices, values, tokens, strict=True)
            if index != MISSING
        ]


def evidence_json(evidence: UnitEvidence, formatter: ExamplesFormatter | None) -> dict[str, Any]:
    """Convert the evidence of a unit to JSON: a part of `UnitEvidence.to_json`, rounded.

    Parameters
    ----------
    evidence : UnitEvidence
    formatter : ExamplesFormatter or None
        Of the unit's store; None if the page does not show its natural images.

    Returns
    -------
    dict
    """
    content = evidence.to_json()
    content["examples"] = None
    if formatter is not None and evidence.examples is not None:
        content["examples"] = formatter.to_json(evidence.examples)
    if evidence.logits is not None:
        content["logits"] = extremes(evidence.logits, WRITTEN)
    if evidence.causal_tests is not None and not evidence.causal_tests.silent:
        profile = evidence.causal_tests.profile
        chosen = [name for end in extremes(profile["total"]).values() for name, _ in end]
        content["verdict"]["profile"] = {
            name: [(each, profile[name][each]) for each in chosen] for name in PROFILES
        }
    result: dict[str, Any] = _rounded(content)
    return result


def extremes(
    values: Mapping[str, float], most: int = EXTREMES
) -> dict[str, list[tuple[str, float]]]:
    """Return the highest and the lowest of some named values.

    Parameters
    ----------
    values : mapping
        NaN values are left out. Ties keep their order.
    most : int
        Number of values at either end.

    Returns
    -------
    dict
        ``up``: highest values first; ``down``: lowest values first. No name is in both; of an odd
        number of values below `2 * most`, ``up`` has one more.
    """
    known = [(name, value) for name, value in values.items() if not math.isnan(value)]
    ascending = sorted(known, key=lambda pair: pair[1])
    descending = sorted(known, key=lambda pair: -pair[1])
    down = ascending[: min(most, len(known) // 2)]
    up = [pair for pair in descending if pair not in down][:most]
    return {"up": up, "down": down}


def _patches(
    tokens: Sequence[int], grid: Sequence[int], prefix: int
) -> list[tuple[int, int, int, int] | None]:
    return [patch_box(token, grid, prefix, PATCH_UNITS) for token in tokens if token != MISSING]


def _rounded(value: Any) -> Any:
    """Round all numbers in a JSON value; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {str(key): _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    if hasattr(value, "tolist"):
        return _rounded(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
