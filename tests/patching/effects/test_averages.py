"""Averages over images: groups, and ratios of means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from featviz import FeatvizError, cueworld
from patching.effects.averages import Group, averages, groups
from patching.effects.bootstrap import difference_intervals, intervals
from tests.patching.tables import METRIC, table

CLASSES = ("ape", "bee", "cat")


def test_cueworld_has_groups_for_all_its_families_and_its_classes() -> None:
    found = groups(cueworld.CLASSES)
    names = [(group.kind, group.name) for group in found]
    assert names[:4] == [
        ("all", "all"),
        *(("family", one) for one in ("colour", "shape", "texture")),
    ]
    assert names[4:] == [("class", name) for name in cueworld.CLASSES]
    labels = np.arange(18)
    for group in found[1:4]:
        held = [cueworld.FAMILIES[label] == group.name for label in labels]
        assert group.holds(labels, labels).tolist() == held
    for label, group in enumerate(found[4:]):
        assert group.holds(labels, labels).nonzero()[0].tolist() == [label]


def test_other_datasets_have_no_families_and_some_no_classes() -> None:
    assert [group.name for group in groups(CLASSES)] == ["all", *CLASSES]
    (everything,) = groups(())
    assert everything.holds(np.array([-1, -1]), np.arange(2)).all()


def test_an_average_is_that_of_the_images_of_its_group() -> None:
    made = table(30)
    found = averages(made, groups(CLASSES), resamples=200)
    assert [(one.group.name, one.metric) for one in found] == [
        (name, metric) for name in ("all", *CLASSES) for metric in METRIC
    ]
    for one in found:
        here = np.array([one.group.name in ("all", CLASSES[label]) for label in made.label])
        index = METRIC.index(one.metric)
        clean, corrupted = made.clean[index, here], made.corrupted[index, here]
        assert one.count == here.sum()
        assert one.clean == pytest.approx(clean.mean())
        assert one.corrupted == pytest.approx(corrupted.mean())
        assert one.total.estimate == pytest.approx((clean - corrupted).mean())
        effect = made.restored[index][:, here] - corrupted
        np.testing.assert_allclose(one.effect.estimate, effect.mean(1))
        np.testing.assert_allclose(one.share.estimate, effect.mean(1) / (clean - corrupted).mean())


def test_intervals_are_over_the_images_of_the_group() -> None:
    made = table(30)
    one = averages(made, groups(CLASSES), level=0.9, resamples=300, seed=5)[2]
    values = made.images(made.label == 0)
    expected = intervals(values.effect[0].T, values.total[0], 0.9, 300, 5)
    np.testing.assert_array_equal(one.share.low, expected.low)
    np.testing.assert_array_equal(one.share.all_high, expected.all_high)


def test_a_share_is_a_ratio_of_means_not_a_mean_of_ratios() -> None:
    # The second image has hardly any total effect; alone it would say that the site does all of 9.
    made = table(2)
    made = replace(
        made,
        metric=METRIC[:1],
        clean=np.array([[1.0, 0.101]]),
        corrupted=np.array([[0.0, 0.1]]),
        restored=np.array([[[0.5, 0.109]]] * 4).reshape(1, 4, 2),
    )
    many = replace(
        made,
        image=np.arange(40),
        label=np.zeros(40, int),
        right=np.ones(40, bool),
        clean=np.tile(made.clean, 20),
        corrupted=np.tile(made.corrupted, 20),
        restored=np.tile(made.restored, 20),
    )
    (one,) = averages(many, groups(()))
    np.testing.assert_allclose(one.share.estimate, 0.509 / 1.001)


def test_the_shares_of_noising_are_positive_where_a_site_carries_the_cue() -> None:
    made = table(40, mode="noising")
    half = replace(made, restored=np.repeat(made.clean[:, None], 4, axis=1) / 2)
    half = replace(half, corrupted=np.zeros_like(made.clean))
    for one in averages(half, groups(())):
        np.testing.assert_allclose(one.share.estimate, 0.5)
        assert (one.effect.estimate < 0).all()


def test_a_total_effect_that_may_be_zero_has_no_shares() -> None:
    made = table(40)
    none = replace(made, corrupted=made.clean[:, ::-1])
    for one in averages(none, groups(())):
        assert one.total.low[0] < 0 < one.total.high[0]
        assert np.isnan(one.share.estimate).all()
        assert np.isnan(one.share.all_high).all()
        assert np.isfinite(one.effect.all_high).all()


def test_groups_without_images_are_skipped() -> None:
    made = table(30)
    found = averages(made.images(made.label != 1), groups(CLASSES), resamples=50)
    assert {one.group.name for one in found} == {"all", "ape", "cat"}


def test_an_attribute_holds_the_images_of_its_indices_with_any_label() -> None:
    group = Group("attribute", "side=left", images=frozenset({12, 15}))
    found = group.holds(np.array([0, 1, 2, -1]), np.array([10, 12, 13, 15]))
    assert found.tolist() == [False, True, False, True]


def test_a_difference_is_that_of_the_averages_of_both_groups() -> None:
    made = table(30)
    ape, bee = groups(CLASSES)[1:3]
    group = Group("difference", "ape minus bee", parts=(ape, bee))
    first, second = (averages(made, [each], resamples=200) for each in (ape, bee))
    for one, other, found in zip(
        first, second, averages(made, [group], resamples=200), strict=True
    ):
        assert found.count == one.count + other.count
        assert found.clean == pytest.approx(one.clean - other.clean)
        assert found.corrupted == pytest.approx(one.corrupted - other.corrupted)
        assert found.total.estimate == pytest.approx(one.total.estimate - other.total.estimate)
        np.testing.assert_allclose(
            found.effect.estimate, one.effect.estimate - other.effect.estimate
        )
        index = METRIC.index(found.metric)
        effects = [made.effect[index][:, made.label == label].T for label in (0, 1)]
        wanted = difference_intervals(effects[0], effects[1], resamples=200)
        np.testing.assert_array_equal(found.effect.low, wanted.low)
        assert np.isnan(found.share.estimate).all()


def test_a_difference_needs_two_images_in_each_group_and_none_in_both() -> None:
    made = table(30)
    ape, bee = groups(CLASSES)[1:3]
    alone = Group("attribute", "alone", images=frozenset({10}))
    message = "needs at least 2 images in each group, but 'alone' has 1 image of 30"
    with pytest.raises(FeatvizError, match=message):
        averages(made, [Group("difference", "d", parts=(bee, alone))])
    some = Group("attribute", "some", images=frozenset(range(10, 20)))
    with pytest.raises(FeatvizError, match="'ape' and 'some' have 4 images in common"):
        averages(made, [Group("difference", "d", parts=(ape, some))])
