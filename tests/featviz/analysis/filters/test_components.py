from __future__ import annotations

import numpy as np
import pytest

import featviz
from featviz.analysis.filters.components import components
from featviz.analysis.filters.first_layer import FirstLayer, first_layer

GAIN = np.diag([2.0, 3.0, 4.0])


def part(weights: np.ndarray) -> FirstLayer:
    return FirstLayer("conv", weights.astype(np.float32), GAIN)


def test_variance_and_directions_are_those_of_the_covariance_matrix() -> None:
    layer = first_layer(featviz.load("cueworld/resnet", device="cpu"))
    found = components(layer)
    rows = layer.weights.reshape(64, -1).astype(float)
    covariance = np.cov(rows.T)
    values = np.linalg.eigvalsh(covariance)[::-1]
    np.testing.assert_allclose(found.variance, values[:28] / values.sum(), rtol=1e-5)
    axes = found.weights.reshape(28, -1).astype(float)
    np.testing.assert_allclose(axes @ axes.T, np.eye(28), atol=1e-6)
    np.testing.assert_allclose(axes @ covariance, values[:28, None] * axes, atol=1e-7)
    assert found.addresses == [f"conv1.pca:{number}" for number in range(28)]
    assert found.images.shape == (28, 7, 7, 3)


def test_components_of_filters_calculated_by_hand() -> None:
    # Around a common filter, two differ by 4 in the first weight and two by 2 in the last.
    weights = np.full((4, 3, 1, 2), 5.0)
    weights[0, 0, 0, 0] += 4
    weights[1, 0, 0, 0] -= 4
    weights[2, 2, 0, 1] += 2
    weights[3, 2, 0, 1] -= 2
    found = components(part(weights))
    assert found.addresses == ["conv.pca:0", "conv.pca:1", "conv.pca:2"]
    np.testing.assert_allclose(found.variance, [0.8, 0.2, 0], atol=1e-7)
    np.testing.assert_allclose(found.weights[0].ravel(), [1, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found.weights[1].ravel(), [0, 0, 0, 0, 0, 1], atol=1e-6)
    assert found.images[0, 0].tolist() == [[255, 128, 128], [128, 128, 128]]


def test_the_largest_weight_of_every_component_is_positive() -> None:
    rng = np.random.default_rng(0)
    for axis in components(part(rng.standard_normal((40, 3, 4, 4)))).weights:
        assert axis.ravel()[np.abs(axis).argmax()] > 0


@pytest.mark.parametrize(("filters", "side", "count"), [(40, 2, 12), (10, 4, 9), (40, 4, 28)])
def test_the_number_of_components_is_the_rank_and_28_at_most(
    filters: int, side: int, count: int
) -> None:
    weights = np.random.default_rng(0).standard_normal((filters, 3, side, side))
    found = components(part(weights))
    assert len(found.addresses) == len(found.weights) == len(found.variance) == count
    assert found.variance.sum() == pytest.approx(1) or count == 28
    assert (np.diff(found.variance) <= 0).all()


def test_equal_filters_have_components_without_variance_and_one_filter_has_none() -> None:
    weights = np.ones((3, 3, 2, 2))
    assert components(part(weights)).variance.tolist() == [0, 0]
    assert components(part(weights[:1])).addresses == []


def test_pictures_of_components_are_on_rgb() -> None:
    weights = np.zeros((3, 3, 1, 1))
    weights[0, :, 0, 0] = [12, 8, 6]  # times the gain it is gray
    assert components(part(weights)).images[0].ravel().tolist() == [255, 255, 255]
