"""Draw a circuit as SVG: blocks upward, a cell for each head and MLP, a curve for each edge."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from featviz.store.reader import Store
from patching.circuits.job import circuit_from
from patching.circuits.report import CIRCUITS, SCORES, read_report

CELL, GAP, ROW = 34, 26, 76
"""Width of a cell, gap between cells, and height of a row, in pixels."""
LEFT, TOP, LINE = 84, 40, 16
POSITIVE, NEGATIVE, INK, PAPER = "#0a6fb5", "#c1440e", "#222222", "#ffffff"
BEND = 14
"""By how much edges are bent to one side, in pixels."""
MAX_WIDTH = 7.0
"""Width of the edge with the largest absolute score, in pixels."""
MAX_EDGES = 120
"""Maximum number of edges that are drawn."""


@dataclass(frozen=True)
class _Place:
    """Middle of a cell."""

    x: float
    y: float


def draw_circuit(store: str | Path, share: float = 0.8) -> str:
    """Draw the smallest circuit of a store that keeps a share of the effect.

    The embedding is at the bottom, the logits are at the top. The width of an edge is its absolute
    score, relative to the largest, and its color the sign: blue edges raise the metric, red and
    dashed ones lower it. What is read at the first group of tokens is bent to the left, at others
    to the right. Of a circuit with more than `MAX_EDGES` edges, the strongest are drawn, which the
    caption says.

    Parameters
    ----------
    store : str or Path
    share : float
        Of the total effect.

    Returns
    -------
    str
        SVG.

    Raises
    ------
    FeatvizError
        If the store has no circuits.
    """
    opened, report = Store(store), read_report(store)
    settings: dict[str, Any] = opened.configuration[SCORES]
    curve = next(each for each in report.curves if each.method == "edges")
    place = next(
        (i for i, point in enumerate(curve.points) if point.faithfulness >= share),
        len(curve.points) - 1,
    )
    rows = sorted(opened.rows(CIRCUITS), key=lambda row: int(row["place"]))
    shape = len(settings["senders"]), len(settings["receivers"]), len(settings["groups"])
    edges = circuit_from(rows[place]["edges"], shape)
    scores = np.zeros(shape)
    for row in opened.rows(SCORES):
        if row["right"]:
            scores += row["score"] / report.scored
    point = curve.points[place]
    return _svg(settings, edges, scores, f"{point.count} of {report.edges} edges keep", point)


def _svg(settings: dict[str, Any], edges: Tensor, scores: Any, count: str, point: Any) -> str:
    chosen = sorted(edges.nonzero().tolist(), key=lambda edge: -abs(scores[tuple(edge)]))
    drawn, largest = chosen[:MAX_EDGES], max((abs(scores[tuple(e)]) for e in chosen), default=1.0)
    cells = _cells(settings["senders"])
    width = max(place.x for place in cells.values()) + CELL + LEFT / 2
    height = cells["embed"].y + ROW / 2 + 3 * LINE
    notes = [f"The {MAX_EDGES} strongest edges."] if len(chosen) > MAX_EDGES else []
    notes.append("Blue: raises the metric; red, dashed: lowers it.")
    if len(settings["groups"]) > 1:
        first, *others = settings["groups"]
        notes.append(f"Bent to the left: {first}, to the right: {' and '.join(others)}.")
    used = {settings["senders"][s] for s, _, _ in chosen} | {
        settings["receivers"][r].rpartition(".")[0]
        if settings["receivers"][r][-2:] in {".q", ".k", ".v"}
        else settings["receivers"][r]
        for _, r, _ in chosen
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        f'<text x="{GAP}" y="20" font-size="13" fill="{INK}">'
        f"{escape(settings['corrupt'])}: {count} {point.faithfulness:.0%} of the effect</text>",
    ]
    parts += [
        _edge(settings, cells, tuple(edge), float(scores[tuple(edge)]), largest)
        for edge in reversed(drawn)
    ]
    parts += [_node(name, place, name in used) for name, place in cells.items()]
    for block in range(sum(name.endswith(".mlp") for name in settings["senders"])):
        y = cells[f"blocks.{block}.mlp"].y
        parts.append(f'<text x="{GAP}" y="{y + 4:.0f}" fill="{INK}">block {block}</text>')
    for line, note in enumerate(notes):
        y = cells["embed"].y + ROW / 2 + line * LINE
        parts.append(f'<text x="{GAP}" y="{y:.0f}" fill="{INK}">{note}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _cells(senders: list[str]) -> dict[str, _Place]:
    """Place each component: heads of a block in a row, its MLP right of them."""
    blocks = sum(name.endswith(".mlp") for name in senders)
    heads = max((int(name.rpartition(":")[2]) for name in senders if ":" in name), default=0) + 1
    found = {}
    for name in senders:
        column = heads / 2 - 0.5
        row = blocks + 1
        if name != "embed":
            row = blocks - int(name.split(".")[1])
            column = float(name.rpartition(":")[2]) if ":" in name else heads + 0.6
        found[name] = _Place(LEFT + column * (CELL + GAP) + CELL / 2, TOP + row * ROW + CELL / 2)
    middle = LEFT + (heads / 2 - 0.5) * (CELL + GAP) + CELL / 2
    return {**found, "logits": _Place(middle, TOP + CELL / 2)}


def _edge(
    settings: dict[str, Any],
    cells: dict[str, _Place],
    edge: tuple[int, ...],
    score: float,
    largest: float,
) -> str:
    sender, receiver = settings["senders"][edge[0]], settings["receivers"][edge[1]]
    group, offset, owner = settings["groups"][edge[2]], 0.0, receiver
    if receiver[-2:] in {".q", ".k", ".v"}:
        owner, offset = receiver[:-2], ("qkv".index(receiver[-1]) - 1) * CELL / 3
    start, stop = cells[sender], cells[owner]
    x0, y0 = start.x, start.y - CELL / 2
    x1, y1 = stop.x + offset, stop.y + CELL / 2
    # An edge within a block, from a head to the MLP, goes around the row.
    bend = max((y0 - y1) / 2, ROW / 3)
    side = BEND * (1 if edge[2] else -1) if len(settings["groups"]) > 1 else 0
    path = (
        f"M{x0:.1f} {y0:.1f}C{x0 + side:.1f} {y0 - bend:.1f} {x1 + side:.1f} {y1 + bend:.1f} "
        f"{x1:.1f} {y1:.1f}"
    )
    width = max(0.6, MAX_WIDTH * abs(score) / largest)
    dashes = "" if score > 0 else ' stroke-dasharray="5 3"'
    color = POSITIVE if score > 0 else NEGATIVE
    title = f"{sender} to {receiver} at {group}: {score:.4g}"
    return (
        f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width:.2f}" '
        f'stroke-opacity="0.65"{dashes}><title>{escape(title)}</title></path>'
    )


def _node(name: str, place: _Place, used: bool) -> str:
    short = name.rpartition(":")[2] if ":" in name else name.rpartition(".")[2]
    wide = CELL if len(short) < 5 else CELL * 1.7
    opacity = "1" if used else "0.25"
    parts = [
        f'<g opacity="{opacity}"><title>{escape(name)}</title>'
        f'<rect x="{place.x - wide / 2:.1f}" y="{place.y - CELL / 2:.1f}" width="{wide:.1f}" '
        f'height="{CELL}" rx="4" fill="{PAPER}" stroke="{INK}"/>'
        f'<text x="{place.x:.1f}" y="{place.y + 4:.1f}" text-anchor="middle" fill="{INK}">'
        f"{escape(short)}</text>"
    ]
    if ":" in name:
        parts += [
            f'<text x="{place.x + (i - 1) * CELL / 3:.1f}" y="{place.y + CELL / 2 - 2:.1f}" '
            f'text-anchor="middle" font-size="8" fill="{INK}">{kind}</text>'
            for i, kind in enumerate("qkv")
        ]
    return "".join([*parts, "</g>"])
