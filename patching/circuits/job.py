"""Circuits of a dataset into a store: scores of edges, circuits, and their faithfulness."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from featviz._util.arguments import instance, whole_number
from featviz._util.progress import Progress, as_progress
from featviz._util.seeding import generator_for
from featviz.addressing.directions import Direction
from featviz.data.datasets import Dataset
from featviz.errors import FeatvizError
from featviz.models.hooks import eval_mode
from featviz.models.vision_model import VisionModel, check_model
from featviz.store.columns import Columns
from featviz.store.jobs import JobSummary, open_writer, store_batches, stored_configuration
from featviz.store.reader import Store
from featviz.store.writer import StoreWriter
from patching.circuits.edge_attribution import edge_scores
from patching.circuits.faithfulness import (
    SHARES,
    circuits_of_sizes,
    faithfulness_curve,
    node_scores,
    random_scores,
)
from patching.circuits.graph import Graph
from patching.circuits.graph_forward import GraphViT, Metric, Run, graph_vit
from patching.circuits.path_patching import Edge, edge_effects
from patching.circuits.report import CIRCUITS, EDGES, EFFECTS, SCORES
from patching.circuits.search import top_edges
from patching.circuits.stored_report import store_report
from patching.effects.accuracy import check_accuracy
from patching.effects.labels import labels_for
from patching.effects.metrics import Reference, measure
from patching.forward.memory import images_that_fit
from patching.interventions.corruptions import Corruption, Corruptor
from patching.interventions.token_names import tokens_of
from patching.settings import EMBEDDING_METRICS, FLAT_METRICS, METRICS
from patching.vit.residual_vit import residual_vit

LISTED = 200
"""Number of edges with the largest scores that are stored by name, with those of the circuits of at
most as many edges."""
CHECKED = 20
"""Number of these whose exact effect is measured by path patching."""
LEAST_IMAGES = 4


@dataclass(frozen=True)
class Settings:
    """Settings of a search for circuits.

    Attributes
    ----------
    corruption : Corruption
    metric : str
        One of `patching.settings.METRICS` or `EMBEDDING_METRICS` there.
    steps : int
        Steps of integrated gradients, >= 0; see
        `patching.circuits.edge_attribution.edge_scores`.
    controls : int
        Number of random circuits of each size, >= 1.
    direction : Direction or None
        For the metric ``projection``.
    region : str
        Tokens that are a group of their own, see `patching.interventions.token_names.tokens_of`;
        empty for none.
    """

    corruption: Corruption
    metric: str = "logit_difference"
    steps: int = 5
    controls: int = 5
    direction: Direction | None = None
    region: str = ""

    def __post_init__(self) -> None:
        whole_number("steps", self.steps, 0)
        whole_number("controls", self.controls, 1)
        known = (*METRICS, *EMBEDDING_METRICS)
        if self.metric not in known:
            raise FeatvizError(f"unknown metric {self.metric!r}; choose from {', '.join(known)}")
        if not self.steps and self.metric in FLAT_METRICS:
            raise FeatvizError(
                f"the gradient of {self.metric} is 0 at the clean run; steps (--steps) must be at "
                "least 1"
            )

    @property
    def embeds(self) -> bool:
        """Whether the metric is of an embedding, and needs no labels."""
        return self.metric in EMBEDDING_METRICS


def circuits_to_store(
    model: VisionModel,
    dataset: Dataset,
    settings: Settings,
    store: str | Path,
    count: int | None = None,
    force: bool = False,
    progress: Progress | bool = False,
) -> JobSummary:
    """Find circuits on one half of the images and measure their faithfulness on the other.

    The first half gives the mean score of each edge over the correctly classified images. Circuits
    of `patching.circuits.faithfulness.SHARES` of all edges are grown from the scores, from those of
    whole components, and at random. On each image of the second half, each circuit runs alone, and
    the model without it. Images that are in the store already are skipped.

    Parameters
    ----------
    model : VisionModel
    dataset : Dataset
    settings : Settings
    store : str or Path
        Folder of the store; created if missing.
    count : int, optional
        Number of images, see `featviz.data.datasets.Dataset.indices`.
    force : bool
        See `featviz.rendering.job.render_to_store`.
    progress : callable or bool
        See `patching.sweeps.job.trace_to_store`.

    Returns
    -------
    JobSummary
        Counts of images.

    Raises
    ------
    FeatvizError
        If there are fewer than `LEAST_IMAGES` images, none of a half is classified correctly, the
        attention of the model is not a sum of heads, an image cannot be read or has no label, or
        the store is of another model or configuration, damaged, or cannot be written.
    """
    progress = as_progress(progress)
    check_model(model)
    instance("dataset", dataset, Dataset, "a dataset, as featviz.data.datasets.open_data opens it")
    instance("settings", settings, Settings, "patching.circuits.job.Settings")
    recorded = None if force else stored_configuration(store, SCORES)
    dataset = dataset.readable(dataset.indices(count), recorded)
    indices = dataset.indices(count)
    if len(indices) < LEAST_IMAGES:
        raise FeatvizError(f"circuits need at least {LEAST_IMAGES} images, got {len(indices)}")
    order = torch.randperm(len(indices), generator=generator_for("circuit halves", 0)).tolist()
    middle = len(indices) // 2
    halves = [sorted(indices[i] for i in part) for part in (order[:middle], order[middle:])]
    corruptor = settings.corruption.bind(model, dataset, indices)
    with eval_mode(model.module), torch.no_grad():
        vit = residual_vit(model)
        region = (tokens_of(vit, settings.region) or range(vit.tokens)) if settings.region else ()
        graph = graph_vit(vit, token_groups(model.prefix_tokens, vit.tokens, region))
        labels = dataset.labels(indices)
        if not settings.embeds:
            found = labels_for(model, dataset, indices)
            labels = found.logits
            if recorded is None:
                check_accuracy(model, dataset, indices, found)
        source = _Images(graph, dataset, corruptor, settings, _by(indices, labels))
        configuration = {
            **dataset.configuration(len(indices)),
            **corruptor.configuration,
            "metric": settings.metric,
            **({} if settings.direction is None else {"direction": str(settings.direction)}),
            **({"region": settings.region} if settings.region else {}),
            "steps": settings.steps,
            "controls": settings.controls,
            "senders": [each.name for each in graph.graph.senders],
            "receivers": [each.name for each in graph.graph.receivers],
            "groups": list(graph.graph.groups),
            "edges": int(graph.graph.edges.sum()),
            "shares": list(SHARES),
        }

        def advance(offset: int) -> Progress:
            return lambda done, _all: progress(offset + done, len(indices))

        def scores(part: Sequence[int]) -> Columns:
            clean, corrupted, reference = source.runs(part)
            metric = source.metric_of(reference)
            values = edge_scores(graph, clean, corrupted, metric, settings.steps)
            return {**source.columns(part, reference), "score": _single(values)}

        writer = open_writer(model, store, SCORES, configuration, force)
        stored = _add(writer, source.batches(halves[0]), scores, advance(0))
        mean = _mean_scores(Store(store), halves[0])
        circuits = _circuits(graph.graph, mean, settings.controls)
        edges = _listed(graph.graph, mean, circuits)
        _store_circuits(model, store, configuration, graph.graph, mean, edges, circuits)
        masks = [mask for _, mask in circuits]

        def effects(part: Sequence[int]) -> Columns:
            clean, corrupted, reference = source.runs(part)
            metric = source.metric_of(reference)
            curve = faithfulness_curve(graph, clean, corrupted, metric, masks)
            exact = edge_effects(graph, clean, corrupted, metric, edges[:CHECKED])
            return {
                **source.columns(part, reference),
                "kept": curve.kept.astype(np.float32),
                "lost": curve.lost.astype(np.float32),
                "effect": _single(exact.T),
            }

        writer = open_writer(model, store, EFFECTS, configuration)
        stored += _add(writer, source.batches(halves[1]), effects, advance(middle))
        store_report(model, store, configuration)
    left_out = tuple(dataset.left_out.values())
    return JobSummary(stored, len(indices) - stored, unreadable=left_out)


def token_groups(prefix: int, tokens: int, region: Sequence[int] = ()) -> dict[str, list[int]]:
    """Group the tokens of a model: ``prefix`` (such as the class token), ``patches``, ``region``.

    Parameters
    ----------
    prefix : int
        Number of tokens before the patch tokens.
    tokens : int
        Number of all tokens.
    region : sequence of int
        Tokens of ``region``, which are in no other group.

    Returns
    -------
    dict of str to list of int
        Without empty groups.
    """
    groups = {"prefix": range(prefix), "patches": range(prefix, tokens)}
    others = {name: [each for each in own if each not in region] for name, own in groups.items()}
    return {name: each for name, each in {**others, "region": list(region)}.items() if each}


def circuit_from(columns: NDArray[np.uint8], shape: tuple[int, int, int]) -> Tensor:
    """Return the edges of a stored circuit, bool, (S, R, G).

    Parameters
    ----------
    columns : uint8 array, shape (B,)
        The column ``edges`` of a row: bits of all entries in row-major order.
    shape : (int, int, int)
        Numbers of senders, receivers and groups.
    """
    bits = np.unpackbits(columns, count=math.prod(shape))
    return torch.from_numpy(bits.astype(bool)).view(shape)


@dataclass(frozen=True)
class _Images:
    """Clean and corrupted runs of images of a dataset."""

    graph: GraphViT
    dataset: Dataset
    corruptor: Corruptor
    settings: Settings
    labels: dict[int, int]

    def batches(self, indices: Sequence[int]) -> Iterator[Sequence[int]]:
        """Split images into batches whose runs, changes and gradients fit into memory."""
        vit, shape = self.graph.vit, self.graph.graph.shape
        first = self._read(indices[:1])
        stream = vit.embed(first)
        size = images_that_fit(vit, stream, (4 * shape[0] + 3 * shape[1]) * stream[0].numel())
        return (indices[start : start + size] for start in range(0, len(indices), size))

    def runs(self, part: Sequence[int]) -> tuple[Run, Run, Reference]:
        images = self._read(part)
        clean = self.graph.run(self.graph.vit.embed(images))
        corrupted = self.graph.run(self.corruptor.start(self.graph.vit, images, part))
        labels = torch.tensor([self.labels[index] for index in part], device=images.device)
        used = None if self.settings.embeds else labels
        reference = Reference(used, clean.logits, corrupted.logits, self.settings.direction)
        return clean, corrupted, reference

    def metric_of(self, reference: Reference) -> Metric:
        name = self.settings.metric
        return lambda logits: measure(logits, reference, [name])[name]

    def columns(self, part: Sequence[int], reference: Reference) -> Columns:
        metric = self.metric_of(reference)
        return {
            "address": [f"image:{index}" for index in part],
            "label": np.array([self.labels[index] for index in part], np.int32),
            "right": reference.right.cpu().numpy().astype(np.uint8),
            "clean": _single(metric(reference.clean)),
            "corrupted": _single(metric(reference.corrupted)),
        }

    def _read(self, part: Sequence[int]) -> Tensor:
        model = self.graph.vit.model
        return self.dataset.images(part, model.image_size).to(model.device)


def _add(
    writer: StoreWriter,
    parts: Iterable[Sequence[int]],
    compute: Callable[[Sequence[int]], Columns],
    progress: Progress,
) -> int:
    """Store the batches with images that are not stored yet."""
    missing = [[i for i in part if f"image:{i}" not in writer.done] for part in parts]
    return store_batches(writer, [part for part in missing if part], compute, progress)


def _mean_scores(store: Store, indices: Sequence[int]) -> Tensor:
    """Average the scores over correctly classified images."""
    total, count = None, 0
    for index in indices:
        row = store.row(f"image:{index}", SCORES)
        if row["right"]:
            total = row["score"].astype(np.float64) + (0 if total is None else total)
            count += 1
    if total is None:
        raise FeatvizError("the clean run misclassifies every image that edges are scored on")
    return torch.from_numpy(total / count)


def _listed(graph: Graph, scores: Tensor, circuits: list[tuple[str, Tensor]]) -> list[Edge]:
    """List the edges that are stored by name, largest absolute score first."""
    chosen = top_edges(graph, scores, min(LISTED, int(graph.edges.sum())))
    for method, mask in circuits:
        if method == "edges" and int(mask.sum()) <= LISTED:
            chosen |= mask
    edges = [(int(s), int(r), int(g)) for s, r, g in chosen.nonzero()]
    return sorted(edges, key=lambda edge: -abs(float(scores[edge])))


def _circuits(graph: Graph, scores: Tensor, controls: int) -> list[tuple[str, Tensor]]:
    """Grow circuits of all sizes by each method, with the method's name."""
    methods = {"edges": scores, "components": node_scores(graph, scores)}
    methods |= {f"random {seed}": random_scores(graph, seed) for seed in range(controls)}
    return [
        (name, mask) for name, each in methods.items() for mask in circuits_of_sizes(graph, each)
    ]


def _store_circuits(
    model: VisionModel,
    store: str | Path,
    configuration: dict[str, Any],
    graph: Graph,
    scores: Tensor,
    edges: list[Edge],
    circuits: list[tuple[str, Tensor]],
) -> None:
    writer = open_writer(model, store, CIRCUITS, configuration)
    rows = [(f"circuit:{place}", *each) for place, each in enumerate(circuits)]
    if any(address not in writer.done for address, *_ in rows):
        writer.add(
            {
                "address": [address for address, *_ in rows],
                "place": np.arange(len(rows), dtype=np.int32),
                "method": [method for _, method, _ in rows],
                "count": np.array([int(mask.sum()) for *_, mask in rows], np.int32),
                "edges": np.stack([np.packbits(mask.flatten().numpy()) for *_, mask in rows]),
            }
        )
    writer = open_writer(model, store, EDGES, configuration)
    if not writer.done:
        writer.add(
            {
                "address": [graph.edge_name(*edge) for edge in edges],
                "place": np.arange(len(edges), dtype=np.int32),
                "edge": np.array(edges, np.int32),
                "score": np.array([float(scores[edge]) for edge in edges], np.float32),
            }
        )


def _by(indices: Sequence[int], labels: Sequence[int]) -> dict[int, int]:
    return dict(zip(indices, labels, strict=True))


def _single(values: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values.float().cpu().numpy()
    return found
