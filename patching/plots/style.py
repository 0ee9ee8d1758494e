"""Style of all figures of effects, and saving them to reproducible files."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featviz._util.files import make_folder, write
from featviz._util.printable import printable
from featviz.errors import FeatvizError
from patching.effects.table import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinguishable with color vision deficiency.
# Source: Okabe and Ito, "Color Universal Design", 2008.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
INK, QUIET = "#18181b", "#71717a"
UNKNOWN = "#e4e4e7"
# Per inch.
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


def literal(text: str) -> str:
    """Escape what matplotlib takes for mathematics, and characters that it does not draw.

    Parameters
    ----------
    text : str
        Such as the name of a class.
    """
    return printable(text).replace("$", r"\$")


def check_plots() -> None:
    """Check that matplotlib is installed.

    Raises
    ------
    FeatvizError
        If it is not, naming the extra to install.
    """
    try:
        import matplotlib  # noqa: F401, PLC0415  an extra, and slow to import
    except ImportError as error:
        raise FeatvizError(
            "figures need matplotlib, which is not installed: pip install 'featviz[plots]'"
        ) from error


def save(figure: Figure, folder: str | Path, name: str) -> None:
    """Write a figure as ``NAME.svg`` and ``NAME.png``; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    folder : str or Path
        Created if missing.
    name : str
        File name without suffix.

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
    for suffix, left_out in metadata.items():
        buffer = io.BytesIO()
        with style():
            figure.savefig(buffer, format=suffix, metadata=left_out)
        write(target / f"{name}.{suffix}", buffer.getbuffer())


def heat_map(panel: Axes, values: Floats, most: float, aspect: str = "equal") -> Any:
    """Draw a heat map with a diverging color scale around 0; NaN is gray.

    Parameters
    ----------
    panel : Axes
    values : array, shape (rows, columns)
    most : float
        The color scale spans -`most` to `most`.
    aspect : str
        Aspect of the cells, as in ``Axes.imshow``.

    Returns
    -------
    AxesImage
    """
    panel.set_facecolor(UNKNOWN)
    equal: Any = aspect
    return panel.imshow(values, vmin=-most, vmax=most, aspect=equal, interpolation="nearest")


def tick(panel: Axes, columns: Sequence[str], rows: Sequence[int], most: int = 12) -> None:
    """Label columns and rows, evenly spaced.

    Parameters
    ----------
    panel : Axes
    columns : sequence of str
        Labels, of which about 12 are shown.
    rows : sequence of int
        Labels.
    most : int
        Maximum number of rows that are labeled.
    """
    step = max(1, math.ceil(len(columns) / 12))
    panel.set_xticks(range(0, len(columns), step), columns[::step])
    step = max(1, math.ceil(len(rows) / most))
    panel.set_yticks(range(0, len(rows), step), [str(row) for row in rows[::step]])
    panel.tick_params(length=0)


def integer_ticks(panel: Axes) -> None:
    """Place the ticks of the x axis of `panel` at integers only."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  see check_plots

    panel.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure that is independent of pyplot.

    Parameters
    ----------
    width, height : float
        Size in inches.

    Returns
    -------
    Figure
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  see check_plots

    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


@contextmanager
def style() -> Iterator[None]:
    """Use the same matplotlib settings everywhere; the user's settings are restored on exit."""
    import matplotlib  # noqa: PLC0415  see check_plots

    settings: Any = STYLE
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        yield
