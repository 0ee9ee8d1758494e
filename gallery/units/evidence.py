"""What a unit's page is told of the evidence beside it: no more than it shows, in few digits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from featviz.analysis.evidence.causal import PROFILES
from featviz.analysis.evidence.unit import Evidence
from featviz.models.token_grid import patch_box
from featviz.store.reader import Store

DIGITS = 5  # significant, of every number
STRONGEST = 6  # classes at either end of a profile: a dataset may have a thousand
PARTS = 1000  # in which the place of a patch is told, whatever the size of the image
NOWHERE = -1


class NaturalImages:
    """The natural images in a store: their classes, and the patches on them.

    Parameters
    ----------
    store : Store
        With kind ``examples``.
    """

    def __init__(self, store: Store) -> None:
        self._settings: Mapping[str, Any] = store.configuration["examples"]
        self._names = [str(name) for name in self._settings["classes"]]
        self._labels: dict[str, int] = {}
        if "example_images" in store.kinds:
            rows = store.rows("example_images")
            self._labels = {row["address"]: int(row["label"]) for row in rows}

    def told(self, examples: Mapping[str, Any]) -> dict[str, Any]:
        """Tell the examples of a unit.

        Parameters
        ----------
        examples : mapping
            As in `featviz.evidence.Evidence.examples`.

        Returns
        -------
        dict
            ``top``, ``spread`` and ``bottom`` are lists of: number of the image, value, class or
            None, and patches. Of two patches the first is the query's and the second the key's; a
            patch is left, top, right and bottom in thousandths of the image, or None of a token
            that is no patch.
        """
        percentiles = examples["percentiles"]
        data = self._settings["data"]
        return {
            "data": str(data["name"] if isinstance(data, Mapping) else data),
            "images": int(examples["histogram"].sum()),
            "quantiles": self._settings.get("quantiles", []),
            **{name: self._row(examples, name) for name in ("top", "spread", "bottom")},
            "low": percentiles[0],
            "median": percentiles[50],
            "high": percentiles[-1],
            "histogram": examples["histogram"],
            **{name: examples[name] for name in ("mean", "deviation", "sparsity", "active")},
            "classes": ends(examples["classes"]),
        }

    def _row(self, examples: Mapping[str, Any], name: str) -> list[list[Any]]:
        numbers, values = examples[name].tolist(), examples[f"{name}_values"].tolist()
        tokens = examples[f"{name}_tokens"].tolist()
        grid, prefix = examples["grid"].tolist(), int(examples["prefix"])
        return [
            [number, value, self._class(number), _patches(places, grid, prefix)]
            for number, value, places in zip(numbers, values, tokens, strict=True)
            if number != NOWHERE
        ]

    def _class(self, number: int) -> str | None:
        label = self._labels.get(str(number), NOWHERE)
        return self._names[label] if 0 <= label < len(self._names) else None


def told(found: Evidence, images: NaturalImages | None) -> dict[str, Any]:
    """Tell the evidence of a unit as JSON: as `Evidence.to_json` has it, and less of it.

    Parameters
    ----------
    images : NaturalImages or None
        None where the page has not those of the unit's store.
    """
    everything = found.to_json()
    everything["examples"] = None
    if images is not None and found.examples is not None:
        everything["examples"] = images.told(found.examples)
    if found.verdict is not None and not found.verdict.silent:
        totals = found.verdict.profile["total"]
        chosen = [name for side in ends(totals).values() for name, _ in side]
        everything["verdict"]["profile"] = {
            name: [(each, found.verdict.profile[name][each]) for each in chosen]
            for name in PROFILES
        }
    shortened: dict[str, Any] = _short(everything)
    return shortened


def ends(values: Mapping[str, float]) -> dict[str, list[tuple[str, float]]]:
    """Take the highest and the lowest of some values by name, at most six at either end.

    Returns
    -------
    dict
        ``up``: the highest first. ``down``: the lowest first. None is in both, and where there are
        few, the odd one is up. NaN is left out; of equals, the earlier comes first.
    """
    known = [(name, value) for name, value in values.items() if not math.isnan(value)]
    rising = sorted(known, key=lambda pair: pair[1])
    falling = sorted(known, key=lambda pair: -pair[1])
    down = min(STRONGEST, len(known) // 2)
    taken = rising[:down]
    up = [pair for pair in falling if pair not in taken][:STRONGEST]
    return {"up": up, "down": taken}


def _patches(
    tokens: Sequence[int], grid: Sequence[int], prefix: int
) -> list[tuple[int, int, int, int] | None]:
    return [patch_box(token, grid, prefix, PARTS) for token in tokens if token != NOWHERE]


def _short(value: Any) -> Any:
    """Round every number; None stands for those that are not finite."""
    if isinstance(value, dict):
        return {str(key): _short(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_short(each) for each in value]
    if hasattr(value, "tolist"):
        return _short(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
