"""What all figures of effects have in common: one style, and files that are always the same."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from featviz._util.files import make_folder, write
from featviz.errors import FeatvizError
from patching.effects.table import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pixels = NDArray[np.uint8]

# Told apart by the colour-blind. Source: Okabe and Ito, "Color Universal Design", 2008.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
INK, QUIET = "#18181b", "#71717a"
UNKNOWN = "#e4e4e7"
# An inch.
DOTS = 150
STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": DOTS,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "svg.hashsalt": "featviz",
    "image.cmap": "RdBu_r",
}


def check_plots() -> None:
    """Refuse to draw where matplotlib is not installed.

    Raises
    ------
    FeatvizError
        That names the extra.
    """
    try:
        import matplotlib  # noqa: F401, PLC0415  an extra, and slow to import
    except ImportError as error:
        raise FeatvizError(
            "figures are drawn by matplotlib, which is not installed: pip install 'featviz[plots]'"
        ) from error


def save(figure: Figure, folder: str | Path, name: str) -> Pixels:
    """Write a figure as ``NAME.svg`` and ``NAME.png``; the same figure gives the same bytes.

    Returns
    -------
    uint8 array, shape (H, W, 3)
        The pixels of the PNG.

    Raises
    ------
    FeatvizError
        If a file cannot be written.
    """
    target = Path(folder)
    make_folder(target)
    metadata: dict[str, dict[str, None]] = {
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
    }
    data = {}
    for suffix, left_out in metadata.items():
        buffer = io.BytesIO()
        with style():
            figure.savefig(buffer, format=suffix, metadata=left_out)
        data[suffix] = buffer.getvalue()
        write(target / f"{name}.{suffix}", memoryview(data[suffix]))
    return np.asarray(Image.open(io.BytesIO(data["png"])).convert("RGB"))


def heat_map(panel: Axes, values: Floats, most: float, aspect: str = "equal") -> Any:
    """Show values (rows, columns) in colors around 0, up to `most` on either side.

    What is no number is gray.

    Returns
    -------
    AxesImage
    """
    panel.set_facecolor(UNKNOWN)
    equal: Any = aspect
    return panel.imshow(values, vmin=-most, vmax=most, aspect=equal, interpolation="nearest")


def tick(panel: Axes, columns: Sequence[str], rows: Sequence[int], most: int = 12) -> None:
    """Name columns, and at most so many of the rows, evenly spaced."""
    step = max(1, math.ceil(len(columns) / 12))
    panel.set_xticks(range(0, len(columns), step), columns[::step])
    step = max(1, math.ceil(len(rows) / most))
    panel.set_yticks(range(0, len(rows), step), [str(row) for row in rows[::step]])
    panel.tick_params(length=0)


def whole_numbers(panel: Axes) -> None:
    """Put marks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  see check_plots

    panel.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches, known to no window system."""
    from matplotlib.figure import Figure  # noqa: PLC0415  see check_plots

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


@contextmanager
def style() -> Iterator[None]:
    """Draw alike wherever it runs, and leave matplotlib's settings as they were."""
    import matplotlib  # noqa: PLC0415  see check_plots

    settings: Any = STYLE
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield
