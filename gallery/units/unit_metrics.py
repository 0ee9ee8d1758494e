"""Evidence of units for a page: details as JSON, and metrics to sort by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from featviz.analysis.evidence.headline import Headline, headline
from featviz.analysis.evidence.summary import UnitSummary, summarize_unit
from featviz.analysis.evidence.unit_evidence import KINDS, EvidenceReader, UnitEvidence
from featviz.analysis.evidence.unit_metrics import UNIT_METRICS
from featviz.errors import FeatvizError
from featviz.store.reader import Store
from gallery.build.plan import Render
from gallery.stores.tolerant_store import DamagedRowError
from gallery.units.evidence_json import ExamplesFormatter, evidence_json
from gallery.units.unit_columns import ACTIVATION, Metric

METRICS = (
    ACTIVATION,
    Metric("ratio", "activation vs. best natural image", higher=True),
    Metric("percentile", "percentile among natural images", higher=True),
    # On the scale of activations, like `ACTIVATION`.
    Metric("held_out", "activation on held-out transforms", higher=None),
    Metric("kept", "robustness to held-out transforms", higher=True),
    Metric("fine", "high-frequency energy", higher=False),
    Metric("grid", "patch-grid energy", higher=False),
    Metric("spectrum", "distance to natural spectra", higher=False),
    Metric("rise", "late increase", higher=False),
    Metric("latent", "latent after the threshold", higher=None),
    Metric("rank", "rank among latents", higher=False),
    Metric("agreement", "agreement between seeds", higher=True),
    Metric("diversity", "diversity of samples", higher=None),
    Metric("path", "layer-path similarity", higher=True),
    # Of the ablation with the smaller effect, and of the dose at the 99th percentile.
    Metric("necessity", "effect size, necessary neurons only", higher=True),
    Metric("sufficiency", "effect size, sufficient neurons only", higher=True),
)
"""All metrics by which a page can sort units; see `UNIT_METRICS`."""

MEASURED = ("examples", "scores", "validations")
"""Kinds of evidence whose numbers of units the index page gives."""


class UnitMetrics:
    """Evidence of the units of a model.

    Parameters
    ----------
    stores : iterable of Store
        Damaged rows of a `gallery.stores.tolerant_store.TolerantStore` count as missing.
    shows_images : callable
        Whether the page shows the natural images of a store.

    Attributes
    ----------
    summaries : dict of int to UnitSummary
        Summary of each unit read so far, by its index, for the report.
    measured : dict of str to set of int
        Indices of the units with each of `MEASURED`, of those read so far.
    """

    def __init__(self, stores: Iterable[Store], shows_images: Callable[[Store], bool]) -> None:
        stores = [store for store in stores if not set(KINDS).isdisjoint(store.kinds)]
        self._readers = {store: EvidenceReader(store) for store in stores}
        self._formatters = {
            store: ExamplesFormatter(store) for store in stores if shows_images(store)
        }
        self.summaries: dict[int, UnitSummary] = {}
        self.measured: dict[str, set[int]] = {kind: set() for kind in MEASURED}
        self._warnings: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """One line for each unit whose evidence, or whose activation maps, cannot be read."""
        of_maps = (line for each in self._formatters.values() for line in each.warnings)
        return [*self._warnings, *of_maps]

    def read(self, render: Render) -> tuple[dict[str, Any] | None, dict[Metric, float], Headline]:
        """Read the evidence of a unit.

        Parameters
        ----------
        render : Render

        Returns
        -------
        evidence : dict or None
            JSON value for the page of the unit; None if there is no evidence.
        metrics : dict
            The finite metrics; empty for pairs of pictures, because metrics are of one picture.
        headline : Headline
        """
        evidence = self._read(render)
        if evidence is None:
            return None, {}, Headline()
        formatter = self._formatters.get(render.store)
        content = evidence_json(evidence, formatter)
        classes: list[str | None] = []
        if formatter is not None and evidence.examples is not None:
            classes = formatter.classes.of_top(evidence.examples)
        line = headline(evidence, classes)
        for kind, is_known in zip(MEASURED, _is_measured(evidence, formatter), strict=True):
            if is_known:
                self.measured[kind].add(render.unit)
        if render.paired:
            return content, {}, line
        self.summaries.setdefault(render.unit, summarize_unit(evidence))
        metrics = {metric: UNIT_METRICS[metric.key](evidence) for metric in METRICS}
        return content, {m: v for m, v in metrics.items() if math.isfinite(v)}, line

    def _read(self, render: Render) -> UnitEvidence | None:
        reader = self._readers.get(render.store)
        try:
            return None if reader is None else reader.read(render.address)
        except DamagedRowError:
            self._readers[render.store] = EvidenceReader(render.store)  # without the damaged rows
            return self._read(render)
        except FeatvizError as error:
            self._warnings.append(f"evidence of {render.address}: {error}")
            return None


def _is_measured(
    evidence: UnitEvidence, formatter: ExamplesFormatter | None
) -> tuple[bool, bool, bool]:
    """Return whether a unit has each of `MEASURED`, and the page shows it."""
    return (
        formatter is not None and evidence.examples is not None,
        not math.isnan(evidence.picture.held_out),
        evidence.causal_tests is not None,
    )
