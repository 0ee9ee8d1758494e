"""The one exception that a user's mistake raises."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FeatvizError(Exception):
    """A mistake or a refusal, told in one line: what is wrong and what would be right.

    The command line prints it without a traceback and exits with 1.
    """


def did_you_mean(name: str, known: Iterable[str], count: int = 3) -> str:
    """Phrase the known names closest to a wrong one, for the end of an error's line.

    Returns
    -------
    str
        ``"; did you mean a, b?"``, or an empty string when nothing is close.
    """
    close = difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""
