"""What people pass to the public functions of patching and gallery by mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gallery
import patching
from featviz.errors import FeatvizError
from tests.featviz.toys import toy_vit

MODEL = toy_vit()
IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
NOWHERE = Path("nowhere")


def swept(
    clean: Any = IMAGES, labels: Any = (0, 1), model: Any = MODEL, **settings: Any
) -> patching.Table:
    return patching.sweep(model, clean, IMAGES.flip(0), labels, **settings)


@pytest.mark.parametrize("labels", [[0, 1], (0, 1), np.array([0, 1]), torch.tensor([0, 1]).int()])
def test_labels_may_be_any_sequence_of_whole_numbers(labels: Any) -> None:
    assert swept(labels=labels).label.tolist() == [0, 1]


def test_layers_heads_and_tokens_may_be_numbers() -> None:
    as_numbers = swept(site="z", by="head", layers=1, heads=0, tokens=[1, "patches"])
    as_texts = swept(site="z", by="head", layers="1", heads="0", tokens=["1", "patches"])
    assert list(as_numbers.sites) == list(as_texts.sites)
    assert np.array_equal(as_numbers.effect, as_texts.effect)


def test_progress_of_a_sweep_ends_at_the_number_of_images() -> None:
    calls: list[tuple[float, int]] = []
    swept(progress=lambda *call: calls.append(call))
    assert calls[-1] == (2, 2)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: swept(model=MODEL.module), r"a module \(VisionTransformer\); featviz.wrap"),
        (lambda: swept(donor=MODEL.module), r"donor must be a VisionModel"),
        (lambda: swept(IMAGES.numpy()), "clean images .*torch.from_numpy makes a tensor"),
        (lambda: swept(255 * IMAGES), r"reads clean images in \[0, 1\].*divide them by 255"),
        (lambda: swept(IMAGES[0]), r"\[None\] adds the batch axis"),
        (lambda: swept(labels=[0.0, 1.0]), "labels must be whole numbers"),
        (lambda: swept(labels="ab"), "labels must be indices of classes, got 'ab'"),
        (lambda: swept(window=0), "window must be at least 1, got 0"),
        (lambda: swept(window="x"), "window must be a whole number of at least 1, got 'x'"),
        (lambda: swept(layers=range(2)), "layers must be a text such as '0-3,7' or 'all'"),
        (lambda: swept(site=None), "site must be the name of a site"),
        (lambda: swept(progress=3), "progress must be True, False or a function"),
        (lambda: patching.corruption(3), "corruption must be a text such as 'grayscale'"),  # type: ignore[arg-type]
        (lambda: patching.read_traces(None), "a store must be a path, got None"),  # type: ignore[arg-type]
        (lambda: patching.groups("abc"), "classes must be names of classes, got 'abc'"),
        (lambda: patching.averages(None, []), "table must be a Table"),  # type: ignore[arg-type]
        (
            lambda: patching.trace_to_store(MODEL, "cueworld", None, NOWHERE),  # type: ignore[arg-type]
            "dataset must be a dataset, as featviz.data.datasets.open_data opens it",
        ),
        (
            lambda: patching.validate_to_store(MODEL.module, NOWHERE, None),  # type: ignore[arg-type]
            "featviz.wrap",
        ),
        (lambda: gallery.export("nowhere", "site"), "there is no store nowhere"),
        (lambda: gallery.export(3, "site"), "stores must be paths of stores, got 3"),  # type: ignore[arg-type]
        (lambda: gallery.export(["nowhere"], "site", progress=3), "progress must be True"),  # type: ignore[arg-type]
        (lambda: gallery.export([None], "site"), "a store must be a path, got None"),  # type: ignore[list-item]
    ],
)
def test_a_mistake_is_one_line(mistake: Callable[[], object], message: str) -> None:
    with pytest.raises(FeatvizError, match=message) as raised:
        mistake()
    assert "\n" not in str(raised.value)
