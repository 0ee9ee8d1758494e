"""Figures of effects: curves over layers, maps of heads and tokens, single images."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from patching.effects.report import GroupEffects
from patching.effects.stored_averages import Pixels
from patching.effects.table import Floats, Table
from patching.interventions.selection import ALL
from patching.plots.style import (
    COLORS,
    INK,
    QUIET,
    check_plots,
    heat_map,
    integer_ticks,
    new_figure,
    style,
    tick,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Images = Mapping[int, Sequence[Pixels]]
"""By index in the dataset: an image, and its corrupted copy if there is one, (H, W, 3)."""


@dataclass(frozen=True)
class Plan:
    """Effects to draw, and how to label them.

    Attributes
    ----------
    effects : sequence of GroupEffects
        Averages of one metric over all images, and over families.
    each : str
        What has a patch of its own; see `patching.interventions.selection.Selection`.
    title : str
        Which activations were patched into which run.
    classes : sequence of str
        Names of labels.
    prefix : int
        Number of tokens before the patches.
    grid : (int, int) or None
        Rows and columns of the patch grid, if there is one.
    """

    effects: Sequence[GroupEffects]
    each: str
    title: str
    classes: Sequence[str]
    prefix: int
    grid: tuple[int, int] | None

    @property
    def table(self) -> Table:
        """The effects of the first window on one metric."""
        first = self.effects[0]
        return first.table.select(metric=first.average.metric)

    @property
    def metric(self) -> str:
        """Name of the metric, as in text."""
        return self.effects[0].average.metric.replace("_", " ")


def draw(plan: Plan, images: Images) -> dict[str, Figure]:
    """Draw all figures of a sweep.

    Parameters
    ----------
    plan : Plan
    images : mapping
        The images that are drawn one by one.

    Returns
    -------
    dict of str to Figure
        ``effects``: curves over layers, or maps of heads. For patches by token, one map of the
        image for each group instead: ``tokens-GROUP``, or ``tokens-GROUP-window-N`` if there are
        several windows. ``images``: single images, if any are among those of the effects.

    Raises
    ------
    FeatvizError
        If matplotlib is not installed.
    """
    check_plots()
    with style():
        if plan.each == "token" and plan.grid is not None:
            several = len({one.window for one in plan.effects}) > 1
            drawn = {
                f"tokens-{one.average.group.name}" + f"-window-{one.window}" * several: token_maps(
                    plan, one
                )
                for one in plan.effects
            }
        else:
            drawn = {"effects": curves(plan) if plan.each == "layer" else maps(plan)}
        if images.keys().isdisjoint(plan.table.image.tolist()):
            return drawn
        return {**drawn, "images": single_images(plan, images)}


def curves(plan: Plan) -> Figure:
    """Return the figure of mean effects over layers, with 95 % intervals; one panel per group.

    Parameters
    ----------
    plan : Plan
    """
    by_group: dict[str, list[GroupEffects]] = {}
    for one in plan.effects:
        by_group.setdefault(one.average.group.name, []).append(one)
    figure = new_figure(2.9 * len(by_group) + 0.9, 3.1)
    panels = figure.subplots(1, len(by_group), sharey=True, squeeze=False)[0]
    for panel, (group, some) in zip(panels, by_group.items(), strict=True):
        first = some[0].average
        panel.axhline(0, color=QUIET, linewidth=0.6)
        panel.axhline(first.total.estimate[0], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        for index, (label, layers, low, middle, high) in enumerate(_lines(some)):
            color = COLORS[index % len(COLORS)]
            if len(layers) == 1:
                spread = np.abs(np.array([middle - low, high - middle]))
                panel.errorbar(layers, middle, spread, color=color, fmt="o", label=label)
                continue
            panel.fill_between(layers, low, high, color=color, alpha=0.22, linewidth=0)
            panel.plot(layers, middle, color=color, marker="o", markersize=3, label=label)
        panel.set_title(f"{group} ({_images(first.count)})")
        panel.set_xlabel("layer")
        integer_ticks(panel)
    panels[0].set_ylabel(f"indirect effect on {plan.metric}")
    panels[0].legend(frameon=False, loc="best", fontsize=8)
    figure.suptitle(f"{plan.title}; dashed: the total effect", fontsize=9.5)
    return figure


def maps(plan: Plan) -> Figure:
    """Return the figure of mean effects of each head or neuron of each layer; one panel per group.

    Parameters
    ----------
    plan : Plan
    """
    grids = [_matrix(one.table, one.average.effect.estimate, "head") for one in plan.effects]
    heads = grids[0][2]
    width = max(1.5, min(4.0, 0.22 * len(heads) + 0.6))
    figure = new_figure(width * len(grids) + 1.0, max(2.6, 0.24 * len(grids[0][1]) + 1.2))
    panels = figure.subplots(1, len(grids), sharey=True, squeeze=False)[0]
    most = max(float(np.nanmax(np.abs(values))) for values, *_ in grids)
    image: Any = None
    for panel, one, (values, layers, names) in zip(panels, plan.effects, grids, strict=True):
        image = heat_map(panel, values, most)
        tick(panel, names, layers)
        panel.set_title(f"{one.average.group.name} ({_images(one.average.count)})")
        panel.set_xlabel(plan.each)
    panels[0].set_ylabel("layer")
    figure.colorbar(image, ax=list(panels), label=f"indirect effect on {plan.metric}", aspect=30)
    figure.suptitle(plan.title, fontsize=9.5)
    return figure


def token_maps(plan: Plan, effects: GroupEffects) -> Figure:
    """Draw the mean effect of each token of each layer, with patches on their grid.

    Class and register tokens are above the patches. Patches that were not measured are gray.

    Parameters
    ----------
    plan : Plan
        Has a grid.
    effects : GroupEffects
        The group and window to draw.

    Returns
    -------
    Figure
    """
    values, layers, names = _matrix(effects.table, effects.average.effect.estimate, "token")
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
    average = effects.average
    group = f"{average.group.name} ({_images(average.count)})"
    figure.suptitle(f"{plan.title}; {group}", fontsize=9.5)
    return figure


def single_images(plan: Plan, images: Images) -> Figure:
    """Draw some images, each with its corrupted copy and its effects.

    Parameters
    ----------
    plan : Plan
    images : mapping
        At least one of them is an image of the effects.

    Returns
    -------
    Figure
    """
    table = plan.table
    chosen = [int(np.flatnonzero(table.image == n)[0]) for n in images if n in table.image]
    shown = [images[int(table.image[index])] for index in chosen]
    across = 1 + max(map(len, shown))
    figure = new_figure(1.6 * (across - 1) + 4.2, 1.6 * len(chosen) + 0.5)
    panels = figure.subplots(
        len(chosen), across, squeeze=False, width_ratios=[*[1.0] * (across - 1), 2.3]
    )
    windows = {one.window: one.table for one in plan.effects}
    tables = {w: part.select(metric=table.metric[0]) for w, part in windows.items()}
    for row, (index, pictures) in enumerate(zip(chosen, shown, strict=True)):
        for panel, image in zip(panels[row][:-1], pictures, strict=True):
            panel.axis("off")
            panel.imshow(image, interpolation="nearest" if len(image) < 64 else "antialiased")
        _title_image(panels[row], plan, table, index)
        _draw_effects(panels[row][-1], plan, tables, index)
    if plan.each == "layer" and len(panels[0][-1].lines) > 3:
        panels[0][-1].legend(frameon=False, fontsize=7)
    panels[-1][-1].set_xlabel("layer" if plan.each == "layer" else plan.each)
    figure.suptitle(f"{plan.title}\n{plan.metric} above the images, effects on it", fontsize=9.5)
    return figure


def _title_image(panels: Sequence[Axes], plan: Plan, table: Table, index: int) -> None:
    label = int(table.label[index])
    name = plan.classes[label] if label < len(plan.classes) else f"class {label}"
    clean, corrupted = (f"{runs[0, index]:.3g}" for runs in (table.clean, table.corrupted))
    if len(panels) > 2:
        panels[0].set_title(f"{name}: {clean}", fontsize=8)
        panels[1].set_title(f"corrupted: {corrupted}", fontsize=8)
    else:
        panels[0].set_title(f"{name}: {clean}, or {corrupted}", fontsize=8)


def _draw_effects(panel: Axes, plan: Plan, tables: dict[int, Table], index: int) -> None:
    """Draw the effects on one image, as a map or as curves; `tables` are by window."""
    first = next(iter(tables.values()))
    if plan.each != "layer":
        column = "token" if plan.each == "token" else "head"
        values, layers, names = _matrix(first, first.effect[0, :, index], column)
        image = heat_map(panel, values, max(float(np.nanmax(np.abs(values))), 1e-9), "auto")
        tick(panel, names, layers, 6)
        panel.set_ylabel("layer")
        panel.figure.colorbar(image, ax=panel)
        return
    panel.axhline(0, color=QUIET, linewidth=0.6)
    panel.axhline(first.total[0, index], color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    colors = itertools.cycle(COLORS)
    for window, part in tables.items():
        for token in dict.fromkeys(part.sites.token.tolist()):
            own = part.sites.token == token
            panel.plot(
                part.sites.layer[own],
                part.effect[0, own, index],
                color=next(colors),
                marker="o",
                markersize=3,
                label=_label(window, token),
            )
    integer_ticks(panel)


_Line = tuple[str, NDArray[np.int64], Floats, Floats, Floats]


def _lines(some: Sequence[GroupEffects]) -> Iterator[_Line]:
    """Split a group's averages into lines over layers: label, layers, low, mean, high."""
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
    """Arrange values of sites by layer (rows) and head or token (columns).

    With several sets of tokens, each head has a column for each set.
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
    """Arrange values of tokens as an image: prefix tokens in the first row, a gap, the patches."""
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
