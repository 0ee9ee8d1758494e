"""Effects as figures: curves over layers, maps of heads and tokens, single images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patching.effects.report import Found
from patching.effects.table import ALL, Floats, Table
from patching.plots.style import (
    COLOURS,
    INK,
    QUIET,
    Pixels,
    check_plots,
    heat_map,
    new_figure,
    style,
    tick,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pictures = Callable[[int], tuple[Pixels, Pixels | None]]
"""From the number of an image to it and its corrupted copy, if there is one, (H, W, 3)."""

IMAGES = 6


@dataclass(frozen=True)
class Plan:
    """What figures are of.

    Attributes
    ----------
    found : sequence of Found
        Averages of one metric over all images, and over families.
    each : str
        What has a patch of its own; see `patching.interventions.selection.Where`.
    title : str
        What was put into what.
    classes : sequence of str
        Names of labels.
    prefix : int
        How many tokens come before the patches.
    grid : (int, int) or None
        Rows and columns of the patches, if they stand on a grid.
    """

    found: Sequence[Found]
    each: str
    title: str
    classes: Sequence[str]
    prefix: int
    grid: tuple[int, int] | None

    @property
    def table(self) -> Table:
        """The effects of the first window on one metric."""
        first = self.found[0]
        return first.table.select(metric=first.average.metric)

    @property
    def metric(self) -> str:
        """The metric, for people."""
        return self.found[0].average.metric.replace("_", " ")


def draw(plan: Plan, pictures: Pictures) -> dict[str, Figure]:
    """Draw every figure of a sweep.

    Returns
    -------
    dict of str to Figure
        ``effects``: curves over layers, or maps of heads; ``tokens-GROUP`` instead, maps of the
        patches for a group of images (``tokens-GROUP-window-N`` of several windows); ``images``:
        single ones.

    Raises
    ------
    FeatvizError
        See `check_plots`.
    """
    check_plots()
    with style():
        if plan.each == "token" and plan.grid is not None:
            several = len({one.window for one in plan.found}) > 1
            drawn = {
                f"tokens-{one.average.group.name}" + f"-window-{one.window}" * several: token_maps(
                    plan, one
                )
                for one in plan.found
            }
        else:
            drawn = {"effects": curves(plan) if plan.each == "layer" else maps(plan)}
        return {**drawn, "images": single_images(plan, pictures)}


def curves(plan: Plan) -> Figure:
    """Draw the mean indirect effect over layers, with 95 % intervals: a panel a group of images."""
    by_group: dict[str, list[Found]] = {}
    for one in plan.found:
        by_group.setdefault(one.average.group.name, []).append(one)
    figure = new_figure(2.9 * len(by_group) + 0.9, 3.1)
    panels = figure.subplots(1, len(by_group), sharey=True, squeeze=False)[0]
    for panel, (group, some) in zip(panels, by_group.items(), strict=True):
        first = some[0].average
        panel.axhline(0, color=QUIET, linewidth=0.6)
        panel.axhline(first.total.estimate[0], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        for number, (label, layers, low, middle, high) in enumerate(_lines(some)):
            color = COLOURS[number % len(COLOURS)]
            if len(layers) == 1:
                spread = np.abs(np.array([middle - low, high - middle]))
                panel.errorbar(layers, middle, spread, color=color, fmt="o", label=label)
                continue
            panel.fill_between(layers, low, high, color=color, alpha=0.22, linewidth=0)
            panel.plot(layers, middle, color=color, marker="o", markersize=3, label=label)
        panel.set_title(f"{group} ({_images(first.count)})")
        panel.set_xlabel("layer")
        whole_numbers(panel)
    panels[0].set_ylabel(f"indirect effect on {plan.metric}")
    panels[0].legend(frameon=False, loc="best", fontsize=8)
    figure.suptitle(f"{plan.title}; dashed: the total effect", fontsize=9.5)
    return figure


def maps(plan: Plan) -> Figure:
    """Draw the mean indirect effect of each head (or neuron) of each layer: a panel a group."""
    grids = [_matrix(one.table, one.average.effect.estimate, "head") for one in plan.found]
    heads = grids[0][2]
    width = max(1.5, min(4.0, 0.22 * len(heads) + 0.6))
    figure = new_figure(width * len(grids) + 1.0, max(2.6, 0.24 * len(grids[0][1]) + 1.2))
    panels = figure.subplots(1, len(grids), sharey=True, squeeze=False)[0]
    most = max(float(np.nanmax(np.abs(values))) for values, *_ in grids)
    image: Any = None
    for panel, one, (values, layers, names) in zip(panels, plan.found, grids, strict=True):
        image = heat_map(panel, values, most)
        tick(panel, names, layers)
        panel.set_title(f"{one.average.group.name} ({_images(one.average.count)})")
        panel.set_xlabel(plan.each)
    panels[0].set_ylabel("layer")
    figure.colorbar(image, ax=list(panels), label=f"indirect effect on {plan.metric}", aspect=30)
    figure.suptitle(plan.title, fontsize=9.5)
    return figure


def token_maps(plan: Plan, found: Found) -> Figure:
    """Draw the mean indirect effect of each token of each layer, patches where they stand.

    Class and register tokens are above the patches. A patch that was not traced is gray.
    """
    values, layers, names = _matrix(found.table, found.average.effect.estimate, "token")
    columns = min(6, len(layers))
    rows = math.ceil(len(layers) / columns)
    figure = new_figure(1.45 * columns + 1.0, 1.75 * rows + 0.7)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    most = float(np.nanmax(np.abs(values)))
    image: Any = None
    for panel, layer, line in zip(panels, layers, values, strict=False):
        grid = _on_grid(plan, dict(zip(map(int, names), line, strict=True)))
        image = heat_map(panel, grid, most)
        panel.set_title(f"layer {layer}", fontsize=8)
    for panel in panels:
        panel.axis("off")
    figure.colorbar(image, ax=list(panels), label=f"indirect effect on {plan.metric}", aspect=30)
    average = found.average
    who = f"{average.group.name} ({_images(average.count)})"
    figure.suptitle(f"{plan.title}; {who}", fontsize=9.5)
    return figure


def single_images(plan: Plan, pictures: Pictures) -> Figure:
    """Draw single images: each with its corrupted copy and its effects.

    They are of the classes with the largest total effect, of each the image whose own total effect
    is nearest to the class's median.
    """
    table = plan.table
    chosen = typical(table)
    shown = [pictures(int(table.image[place])) for place in chosen]
    across = 3 if any(other is not None for _, other in shown) else 2
    figure = new_figure(1.6 * (across - 1) + 4.2, 1.6 * len(chosen) + 0.5)
    panels = figure.subplots(
        len(chosen), across, squeeze=False, width_ratios=[*[1.0] * (across - 1), 2.3]
    )
    windows = {one.window: one.table for one in plan.found}
    tables = {w: part.select(metric=table.metric[0]) for w, part in windows.items()}
    for row, (place, images) in enumerate(zip(chosen, shown, strict=True)):
        for panel, image in zip(panels[row][:-1], images, strict=False):
            panel.axis("off")
            if image is not None:
                panel.imshow(image, interpolation="nearest" if len(image) < 64 else "antialiased")
        _label_image(panels[row], plan, table, place)
        _one_image(panels[row][-1], plan, tables, place)
    if plan.each == "layer" and len(panels[0][-1].lines) > 3:
        panels[0][-1].legend(frameon=False, fontsize=7)
    panels[-1][-1].set_xlabel("layer" if plan.each == "layer" else plan.each)
    figure.suptitle(f"{plan.title}\n{plan.metric} above the images, effects on it", fontsize=9.5)
    return figure


def typical(table: Table, count: int = IMAGES) -> list[int]:
    """Choose images of a table with one metric: places among its images, at most `count`."""
    total = table.total[0]
    means = {label: abs(total[table.label == label].mean()) for label in np.unique(table.label)}
    places = []
    for label in sorted(means, key=lambda label: -means[label])[:count]:
        own = np.flatnonzero(table.label == label)
        median = np.median(total[own])
        places.append(int(own[np.abs(total[own] - median).argmin()]))
    return places


def _label_image(panels: Sequence[Axes], plan: Plan, table: Table, place: int) -> None:
    label = int(table.label[place])
    name = plan.classes[label] if label < len(plan.classes) else f"class {label}"
    clean, corrupted = (f"{runs[0, place]:.3g}" for runs in (table.clean, table.corrupted))
    if len(panels) > 2:
        panels[0].set_title(f"{name}: {clean}", fontsize=8)
        panels[1].set_title(f"corrupted: {corrupted}", fontsize=8)
    else:
        panels[0].set_title(f"{name}: {clean}, or {corrupted}", fontsize=8)


def _one_image(panel: Axes, plan: Plan, tables: dict[int, Table], place: int) -> None:
    first = next(iter(tables.values()))
    if plan.each != "layer":
        column = "token" if plan.each == "token" else "head"
        values, layers, names = _matrix(first, first.effect[0, :, place], column)
        image = heat_map(panel, values, max(float(np.nanmax(np.abs(values))), 1e-9), "auto")
        tick(panel, names, layers, 6)
        panel.set_ylabel("layer")
        panel.figure.colorbar(image, ax=panel)
        return
    panel.axhline(0, color=QUIET, linewidth=0.6)
    panel.axhline(first.total[0, place], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    number = 0
    for window, part in tables.items():
        for token in dict.fromkeys(part.sites.token.tolist()):
            own = part.sites.token == token
            color = COLOURS[number % len(COLOURS)]
            panel.plot(
                part.sites.layer[own],
                part.effect[0, own, place],
                color=color,
                marker="o",
                markersize=3,
                label=_label(window, token),
            )
            number += 1
    whole_numbers(panel)


_Line = tuple[str, NDArray[np.int64], Floats, Floats, Floats]


def _lines(some: Sequence[Found]) -> Iterator[_Line]:
    """Cut a group's averages into lines over layers: what it is called, layers, low, mean, high."""
    for one in some:
        sites, effect = one.table.sites, one.average.effect
        for token in dict.fromkeys(sites.token.tolist()):
            own = sites.token == token
            label = _label(one.window, token)
            yield label, sites.layer[own], effect.low[own], effect.estimate[own], effect.high[own]


def _label(window: int, token: str) -> str:
    layers = "1 layer" if window == 1 else f"{window} layers"
    return layers if token == ALL else f"{layers}, {token}"


def _matrix(table: Table, values: Floats, column: str) -> tuple[Floats, list[int], list[str]]:
    """Lay values of sites out by layer (rows) and head or token (columns).

    Heads have a column for each of several sets of tokens.
    """
    layers = sorted(set(table.sites.layer.tolist()))
    each = getattr(table.sites, column).tolist()
    if column != "token" and len(set(table.sites.token.tolist())) > 1:
        sets = table.sites.token.tolist()
        each = [f"{name} {tokens}" for name, tokens in zip(each, sets, strict=True)]
    names = list(dict.fromkeys(each))
    matrix = np.full((len(layers), len(names)), np.nan)
    rows = np.searchsorted(layers, table.sites.layer)
    columns = [names.index(name) for name in each]
    matrix[rows, columns] = values
    return matrix, layers, names


def _on_grid(plan: Plan, values: dict[int, float]) -> Floats:
    """Put values of tokens where they stand: prefix tokens in a first row, a gap, the patches."""
    assert plan.grid is not None
    rows, columns = plan.grid
    above = 2 if any(token < plan.prefix for token in values) else 0
    grid = np.full((rows + above, max(columns, plan.prefix)), np.nan)
    for token, value in values.items():
        row, column = divmod(token - plan.prefix, columns)
        place = (0, token) if token < plan.prefix else (row + above, column)
        grid[place] = value
    return grid


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
