"""HTML that notebooks show in place of `repr`: tables and rows of pictures.

Names of units and classes may contain anything, so every text is escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy.typing as npt
from PIL import Image

THUMBNAIL = 112
"""Longer side of the pictures in pixels."""


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Make a table.

    Parameters
    ----------
    head : sequence of str
        Headings; empty for none.
    rows : iterable of sequences
        Cells. Floats have four digits.
    caption : str
        Text above the table.

    Returns
    -------
    str
        HTML.
    """
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    headings = "".join(f"<th>{escape(name)}</th>" for name in head)
    top = f"<thead><tr>{headings}</tr></thead>" if head else ""
    lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table>{title}{top}<tbody>{lines}</tbody></table>"


def picture(pixels: npt.NDArray[Any], alt: str) -> str:
    """Make an image element that contains its file, a PNG.

    Parameters
    ----------
    pixels : uint8 array, shape (H, W, 3)
        Scaled down to at most 112 pixels.
    alt : str
        Text in place of the picture.

    Returns
    -------
    str
        HTML.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    image.save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{data}">'


def figures(items: Iterable[tuple[Sequence[str], str, str]]) -> str:
    """Make a row of figures, which wraps.

    Parameters
    ----------
    items : iterable of (sequence of str, str, str)
        For each figure its pictures, as `picture` returns them, a title, and the line below it.

    Returns
    -------
    str
        HTML.
    """
    made = "".join(
        '<figure style="margin:0 12px 12px 0">'
        f'<div style="display:flex;gap:4px">{"".join(pictures)}</div>'
        f'<figcaption style="max-width:{max(1, len(pictures)) * (THUMBNAIL + 4)}px;'
        'overflow-wrap:anywhere;font-size:smaller">'
        f"<code>{escape(title)}</code><br>{escape(line)}</figcaption></figure>"
        for pictures, title, line in items
    )
    return f'<div style="display:flex;flex-wrap:wrap;align-items:flex-start">{made}</div>'


def paragraph(text: str) -> str:
    """Make a paragraph of a `text`, escaped."""
    return f"<p>{escape(text)}</p>"


def _cell(value: object) -> str:
    """Make a cell of a table, with numbers to the right."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    side = "right" if isinstance(value, int | float) else "left"
    return f'<td style="text-align:{side}">{escape(text)}</td>'
