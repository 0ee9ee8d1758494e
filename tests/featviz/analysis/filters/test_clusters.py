from __future__ import annotations

import numpy as np
import pytest

import featviz
from featviz.analysis.filters.clusters import appearance, clusters
from featviz.analysis.filters.first_layer import first_layer
from featviz.analysis.filters.noise import denoised
from tests.featviz.analysis.filters.synthetic import layer


def families(count: int = 8) -> np.ndarray:
    """Upright gratings, level gratings, red and cyan, `count` of each, at any phase."""
    rng = np.random.default_rng(0)
    steps = 2 * np.pi * np.arange(16) / 16

    def gratings(axis: int) -> np.ndarray:
        shapes = [np.sin(4 * steps + phase) for phase in rng.uniform(0, 2 * np.pi, count)]
        planes = [np.broadcast_to(shape, (3, 16, 16)) for shape in shapes]
        return np.stack([plane if axis else plane.transpose(0, 2, 1) for plane in planes])

    red = np.zeros((count, 3, 16, 16))
    red[:, 0] = rng.uniform(0.5, 1, count)[:, None, None]
    return np.concatenate([gratings(0), gratings(1), red, -red])


def test_families_that_differ_in_appearance_are_never_in_one_cluster() -> None:
    found = clusters(families()).cluster.reshape(4, 8)
    seen = [set(row) for row in found]
    assert len(set.union(*seen)) == sum(map(len, seen))


@pytest.mark.parametrize("side", [7, 16])
def test_the_order_is_a_permutation_in_which_clusters_are_contiguous_and_ascending(
    side: int,
) -> None:
    filters, _ = layer(0, side)
    found = clusters(filters)
    assert sorted(found.order) == list(range(len(filters)))
    along = found.cluster[np.argsort(found.order)]
    assert set(np.diff(along)) == {0, 1}
    assert along[0] == 0
    assert along[-1] + 1 == round(np.sqrt(len(filters) / 2))
    assert found.order.dtype == found.cluster.dtype == np.int32


@pytest.mark.parametrize("name", ["vit", "mixer", "resnet"])
def test_neighbors_in_display_order_are_more_similar_than_in_any_of_200_shuffles(name: str) -> None:
    part = first_layer(featviz.load(f"cueworld/{name}", device="cpu"))
    filters = part.on_rgb(part.weights)
    descriptors = appearance(denoised(filters))

    def length(order: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(descriptors[order], axis=0), axis=1).sum())

    rng = np.random.default_rng(0)
    shuffled = [length(rng.permutation(len(descriptors))) for _ in range(200)]
    assert length(np.argsort(clusters(filters).order)) < 0.9 * min(shuffled)


def test_clusters_neither_depend_on_nor_change_the_random_state() -> None:
    filters, _ = layer(1, 7)
    first = clusters(filters)
    np.random.seed(5)  # noqa: NPY002  the state that must not matter
    before = str(np.random.get_state())  # noqa: NPY002
    second = clusters(filters)
    assert str(np.random.get_state()) == before  # noqa: NPY002
    np.testing.assert_array_equal(first.cluster, second.cluster)
    np.testing.assert_array_equal(first.order, second.order)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_equal_filters_are_one_cluster(count: int) -> None:
    filters = np.repeat(families()[:1], count, axis=0)
    found = clusters(filters)
    assert set(found.cluster) == {0}
    assert sorted(found.order) == list(range(count))
    zeros = clusters(np.zeros_like(filters))
    assert set(zeros.cluster) == {0}


def test_appearance_ignores_position_and_strength() -> None:
    filters, _ = layer(2, 16, 4)
    expected = appearance(filters)
    np.testing.assert_allclose(
        appearance(3 * np.roll(filters, (5, -2), axis=(2, 3))), expected, atol=1e-9
    )
    np.testing.assert_allclose(np.linalg.norm(expected, axis=1), 1)


def test_appearance_distinguishes_a_color_from_its_opposite() -> None:
    red, *_, cyan = families()[16:]
    first, second = appearance(np.stack([red, cyan]))
    assert first @ second == pytest.approx(-1)
