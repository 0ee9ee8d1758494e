"""Rank and order of units, in toys worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gallery.input_images.reference import PICTURE, Reference, natural_reference
from gallery.input_images.responses import on_grid
from gallery.input_images.strongest import PER_LAYER, PER_PATCH, Strong, Strongest

NAN = float("nan")


def row(address: str, low: float, high: float) -> dict[str, object]:
    """Values evenly spaced from low to high; the top images have the highest two and a NaN."""
    percentiles = np.linspace(low, high, 101)
    top = np.array([high, high - (high - low) / 100, NAN])
    histogram = np.array([101])
    return {
        "address": address,
        "percentiles": percentiles,
        "top_values": top,
        "histogram": histogram,
    }


def test_a_relative_value_is_0_at_the_median_and_1_at_the_best_natural_image() -> None:
    rows = [row("b", -10, 10), row("a", 0, 100), row("a", 0, 1), row("elsewhere", 0, 1)]
    reference = natural_reference(rows, ["a", "b", "without"])
    assert reference is not None
    values = np.array([[50, 75, 100, 125], [0, 5, 10, -10], [1, 2, 3, 4]])
    found = reference.relative([0, 1, 2], values)
    assert found[:2].tolist() == [[0, 0.5, 1, 1.5], [0, 0.5, 1, -1]]
    assert np.isnan(found[2]).all()


def test_the_rank_is_known_among_the_top_images_and_the_percentile_below() -> None:
    reference = natural_reference([row("a", 0, 100)], ["a", "without"])
    assert reference is not None
    assert reference.rank(0, 101) == (1, 100)
    assert reference.rank(0, 99.5) == (2, 99.5)
    assert reference.rank(0, 25) == (None, 25)
    assert reference.rank(1, 25) == (None, None)


def test_a_picture_that_does_not_exceed_gray_is_no_scale() -> None:
    reference = Reference(PICTURE, np.array([1.0, 2.0, NAN]), np.array([3.0, 2.0, 1.0]))
    found = reference.relative([0, 1, 2], np.array([2.0, 2.0, 2.0]))
    assert found[0] == 0.5
    assert np.isnan(found[1:]).all()


def test_no_unit_with_examples_is_no_natural_reference() -> None:
    assert natural_reference([row("elsewhere", 0, 1)], ["a"]) is None


def test_units_of_a_layer_come_by_decreasing_value_and_ties_in_order() -> None:
    strongest = Strongest(1)
    strongest.add(0, [Strong(0, 0.5, None), Strong(1, NAN, None), Strong(2, 0.9, None)])
    strongest.add(0, [Strong(3, 0.5, None), Strong(4, 2.0, None)])
    strongest.add(1, [Strong(5, 0.1, None)])
    assert [one.unit for one in strongest.layers[0]] == [4, 2, 0, 3]
    assert [one.unit for one in strongest.layers[1]] == [5]
    strongest.add(1, [Strong(6 + i, i / 10, None) for i in range(PER_LAYER)])
    assert [one.unit for one in strongest.layers[1]][:2] == [5 + PER_LAYER, 4 + PER_LAYER]
    assert len(strongest.layers[1]) == PER_LAYER


def test_units_at_a_patch_come_from_all_batches() -> None:
    strongest = Strongest(2)
    strongest.add_patches([0, 1], np.array([[1.0, NAN], [3.0, -np.inf]]))
    strongest.add_patches([2], np.array([[2.0, 0.5]]))
    assert strongest.patches() == [[(1, 3.0), (2, 2.0), (0, 1.0)], [(2, 0.5)]]
    strongest.add_patches(list(range(3, 13)), np.full((10, 2), 9.0))
    assert [len(each) for each in strongest.patches()] == [PER_PATCH, PER_PATCH]
    assert [unit for unit, _ in strongest.patches()[0]] == list(range(3, 11))


@pytest.mark.parametrize("scale", [1, 2])
def test_a_patch_of_a_coarser_grid_has_the_largest_value_in_it(scale: int) -> None:
    cells = np.array([[[1.0, 2.0], [NAN, 4.0]]])
    fine = cells.repeat(scale, 1).repeat(scale, 2)
    assert on_grid(fine, (2, 2)).tolist() == [[1, 2, -np.inf, 4]]
    assert on_grid(fine, (1, 1)).tolist() == [[4]]
    assert on_grid(cells, (4, 4))[0, :4].tolist() == [1, 1, 2, 2]
