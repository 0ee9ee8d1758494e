"""Figures of effects, checked through the matplotlib artists."""

from __future__ import annotations

import builtins
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

from featviz import FeatvizError
from patching.effects.report import summarize
from patching.effects.table import Table
from patching.effects.typical_images import typical
from patching.interventions.selection import Sites
from patching.plots.figures import Plan, draw
from patching.plots.style import check_plots, save

CLASSES = tuple(f"class {letter}" for letter in "abcdefgh")


def table(each: str, count: int = 32, layers: int = 3) -> Table:
    """Effects that grow with the layer and with the number of the head or token."""
    parts = {"layer": ["all"], "head": ["0", "1"], "token": [str(n) for n in range(5)]}[each]
    places = [(layer, part) for layer in range(layers) for part in parts]
    heads = [part if each == "head" else "all" for _, part in places]
    tokens = [part if each == "token" else "all" for _, part in places]
    effect = np.array([[layer + 0.1 * parts.index(part)] for layer, part in places])
    noise = np.random.default_rng(0).standard_normal((len(places), count)) / 50
    sites = Sites(
        np.array(["z"] * len(places)),
        np.array([layer for layer, _ in places]),
        np.array(heads),
        np.array(tokens),
        np.ones(len(places), np.int64),
    )
    total = 1 + np.arange(count) % 8 / 4
    return Table(
        "denoising",
        ("logit",),
        sites,
        np.arange(count) + 100,
        np.arange(count) % 8,
        np.ones(count, bool),
        total[None],
        np.zeros((1, count)),
        (effect + noise)[None],
    )


def plan(each: str) -> Plan:
    return Plan(summarize(table(each), CLASSES), each, "clean z", CLASSES, 1, (2, 2))


PICTURES = {
    100 + n: (np.full((8, 8, 3), 100 + n, np.uint8), np.zeros((8, 8, 3), np.uint8))
    for n in typical(table("layer"))
}


def panels(figure: Any, kind: str) -> list[Any]:
    return [item for panel in figure.axes for item in getattr(panel, kind)]


def test_a_curve_passes_through_the_means_between_its_intervals() -> None:
    made = plan("layer")
    figure = draw(made, PICTURES)["effects"]
    effect = made.effects[0].average.effect
    (curve,) = [line for line in panels(figure, "lines") if len(line.get_xdata()) == 3]
    np.testing.assert_allclose(np.asarray(curve.get_ydata()), effect.estimate)
    (band,) = panels(figure, "collections")
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(effect.low.min())
    assert corners[:, 1].max() == pytest.approx(effect.high.max())
    dashed = figure.axes[0].lines[1]
    np.testing.assert_allclose(
        np.asarray(dashed.get_ydata()), made.effects[0].average.total.estimate[0]
    )


def test_heads_are_columns_and_layers_are_rows() -> None:
    made = plan("head")
    (image,) = panels(draw(made, PICTURES)["effects"], "images")
    estimate = made.effects[0].average.effect.estimate
    np.testing.assert_allclose(image.get_array(), estimate.reshape(3, 2))
    assert image.get_clim() == pytest.approx((-estimate.max(), estimate.max()))


def twice(made: Table, window: tuple[int, int], token: tuple[str, str] | None) -> Table:
    """Repeat the sites of a table, with other windows or names of tokens, and no effect."""
    sites = made.sites
    names = token or ("", "")
    tokens = [
        np.full_like(sites.token, name, dtype="<U9") if name else sites.token for name in names
    ]
    both = Sites(
        np.tile(sites.site, 2),
        np.tile(sites.layer, 2),
        np.tile(sites.head, 2),
        np.concatenate(tokens),
        np.repeat(window, len(sites.layer)),
    )
    restored = np.concatenate([made.restored, 0 * made.restored], 1)
    return replace(made, sites=both, restored=restored)


def test_heads_of_two_sets_of_tokens_have_columns_of_their_own() -> None:
    both = twice(table("head"), (1, 1), ("class", "patches"))
    made = Plan(summarize(both, CLASSES), "head", "clean z", CLASSES, 1, (2, 2))
    (image,) = panels(draw(made, PICTURES)["effects"], "images")
    estimate = made.effects[0].average.effect.estimate
    np.testing.assert_allclose(image.get_array()[:, :2], estimate[:6].reshape(3, 2))
    np.testing.assert_allclose(image.get_array()[:, 2:], 0, atol=1e-12)


def test_token_maps_of_several_windows_have_names_of_their_own() -> None:
    both = twice(table("token"), (1, 3), None)
    made = Plan(summarize(both, CLASSES), "token", "clean z", CLASSES, 1, (2, 2))
    names = set(draw(made, PICTURES))
    assert names == {"tokens-all-window-1", "tokens-all-window-3", "images"}


def test_patches_are_drawn_at_their_place_in_the_image_below_the_class_token() -> None:
    made = plan("token")
    figure = draw(made, PICTURES)["tokens-all"]
    maps = [image.get_array() for image in panels(figure, "images")]
    assert len(maps) == 3
    estimate = made.effects[0].average.effect.estimate.reshape(3, 5)
    for values, shown in zip(estimate, maps, strict=True):
        np.testing.assert_allclose(shown[2:], values[1:].reshape(2, 2))
        assert shown[0, 0] == pytest.approx(values[0])
        assert np.isnan(np.ma.filled(shown, np.nan)[[0, 1, 1], [1, 0, 1]]).all()


def test_single_images_show_the_image_its_corrupted_copy_and_its_own_effects() -> None:
    made = plan("layer")
    figure = draw(made, PICTURES)["images"]
    chosen = typical(made.table)
    assert len(chosen) == 6
    shown = panels(figure, "images")
    assert [int(image.get_array()[0, 0, 0]) for image in shown[::2]] == [100 + n for n in chosen]
    assert all(not image.get_array().any() for image in shown[1::2])
    curves = [line for line in panels(figure, "lines") if len(line.get_xdata()) == 3]
    for place, curve in zip(chosen, curves, strict=True):
        np.testing.assert_allclose(np.asarray(curve.get_ydata()), made.table.effect[0, :, place])


def test_without_pictures_of_its_images_a_sweep_has_no_figure_of_single_images() -> None:
    assert list(draw(plan("layer"), {})) == ["effects"]
    assert list(draw(plan("layer"), {5: PICTURES[min(PICTURES)]})) == ["effects"]


def test_images_are_typical_of_the_classes_most_affected() -> None:
    made = table("layer", count=40)
    made.clean[0, 7] = 50  # no longer typical of the last class, whose effect is largest
    chosen = typical(made, 3)
    assert [int(made.label[place]) for place in chosen] == [7, 6, 5]
    assert 7 not in chosen


@pytest.mark.parametrize("each", ["layer", "head", "token"])
def test_the_same_figure_gives_the_same_files(each: str, tmp_path: Path) -> None:
    digests = []
    for turn in ("a", "b"):
        for name, figure in draw(plan(each), PICTURES).items():
            save(figure, tmp_path / turn, name)
        files = sorted((tmp_path / turn).iterdir())
        digests.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
    assert digests[0] == digests[1]
    assert {Path(name).suffix for name in digests[0]} == {".svg", ".png"}
    assert b"<dc:date>" not in (tmp_path / "a" / "images.svg").read_bytes()


def test_settings_of_matplotlib_are_left_as_they_were(tmp_path: Path) -> None:
    with matplotlib.rc_context({"font.size": 31}):
        before = dict(matplotlib.rcParams)
        save(draw(plan("layer"), PICTURES)["effects"], tmp_path, "effects")
        assert dict(matplotlib.rcParams) == before


def test_a_users_own_style_does_not_change_the_figures(tmp_path: Path) -> None:
    save(draw(plan("layer"), PICTURES)["effects"], tmp_path, "a")
    with matplotlib.rc_context({"font.size": 31, "savefig.dpi": 40}):
        save(draw(plan("layer"), PICTURES)["effects"], tmp_path, "b")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError
        return usual(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(FeatvizError, match=r"pip install 'featviz\[plots\]'"):
        check_plots()
