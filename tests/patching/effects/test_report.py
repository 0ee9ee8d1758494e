"""Summaries of effects: peaks, groups and names of sites."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from featviz import cueworld
from patching.effects.report import as_json, name_of, peak_of, summarize
from patching.effects.table import Table
from patching.interventions.selection import Sites


def table(effects: np.ndarray[tuple[int, ...], np.dtype[np.float64]], total: float = 1.0) -> Table:
    """Effects (N, S) on one metric of images whose total effect is all the same."""
    count, places = effects.shape
    sites = Sites(
        np.full(places, "attn_out"),
        np.arange(places),
        np.full(places, "all"),
        np.full(places, "all"),
        np.ones(places, np.int64),
    )
    zero = np.zeros((1, count))
    return Table(
        "denoising",
        ("logit",),
        sites,
        np.arange(count),
        np.arange(count) % 18,
        np.ones(count, bool),
        zero + total,
        zero,
        effects.T[None],
    )


def noisy(
    means: list[float], spread: float, count: int = 90
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(means) + spread * np.random.default_rng(0).standard_normal((count, len(means)))


def test_a_clear_peak_is_alone_and_an_unclear_one_names_the_others() -> None:
    clear = peak_of(noisy([0, 1, 0.2], 0.1))
    assert (clear.site, clear.likely) == (1, (1,))
    tied = peak_of(noisy([0.5, 0.5, -9, 0.5], 1.0))
    assert set(tied.likely) == {0, 1, 3}


def test_the_interval_of_a_peak_covers_where_the_effect_really_is_largest() -> None:
    hits = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        values = np.array([0.0, 0.3, 0.25, 0.1]) + generator.standard_normal((60, 4))
        hits += 1 in peak_of(values, seed).likely
    assert hits >= 184


def test_a_negative_total_effect_peaks_at_the_most_negative_effect() -> None:
    made = table(noisy([0.3, -0.5, 0.1], 0.01), total=-1.0)
    (everything, *_) = summarize(made, ())
    assert everything.peak is not None
    assert everything.peak.site == 1


def test_without_a_total_effect_there_is_no_peak_and_no_share() -> None:
    made = table(noisy([0.3, 0.5], 0.01))
    none = replace(made, clean=np.zeros_like(made.clean))
    (found,) = summarize(none, ())
    assert found.peak is None
    averages = as_json([found])
    assert averages[0]["sites"][0]["share"]["estimate"] is None
    json.dumps(averages, allow_nan=False)


def test_cueworld_is_averaged_by_family_and_in_detail_by_class() -> None:
    made = table(noisy([0.3, 0.5], 0.1))
    names = [one.average.group.name for one in summarize(made, cueworld.CLASSES)]
    assert names == ["all", "colour", "shape", "texture"]
    assert len(summarize(made, cueworld.CLASSES, detail=True)) == 4 + 18


def test_windows_are_averaged_apart() -> None:
    made = table(noisy([0.3, 0.5, 0.1, 0.2], 0.01))
    made = replace(made, sites=replace(made.sites, window=np.array([1, 1, 3, 3])))
    one, three = summarize(made, ())
    assert (one.window, three.window) == (1, 3)
    assert one.average.effect.estimate == pytest.approx([0.3, 0.5], abs=0.01)
    averages = as_json([one, three])
    assert averages[1]["peak"]["layer"] == 3
    assert averages[1]["sites"][0]["effect"]["estimate"] == pytest.approx(0.1, abs=0.01)


def test_a_site_is_named_by_what_distinguishes_it_from_the_others() -> None:
    sites = Sites(
        np.array(["z", "z", "neurons"]),
        np.array([3, 4, 4]),
        np.array(["0", "1", "7"]),
        np.array(["all", "all", "all"]),
        np.array([1, 1, 1]),
    )
    assert [name_of(sites, place) for place in range(3)] == [
        "layer 3, head 0",
        "layer 4, head 1",
        "layer 4, neuron 7",
    ]
