"""The exception for errors that a user can fix, and suggestions for misspelled names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FeatvizError(Exception):
    """An error that the user can fix.

    Its message is one line that says what is wrong, with the value, and what would be right. The
    command line prints it without a traceback and exits with status 1.
    """


def did_you_mean(name: str, known: Iterable[str], count: int = 3) -> str:
    """Suggest known names similar to a wrong one, for the end of an error message.

    Parameters
    ----------
    name : str
        The name that does not exist.
    known : iterable of str
        The names that exist.
    count : int
        Maximum number of suggestions.

    Returns
    -------
    str
        ``"; did you mean a, b?"``, or an empty string if no known name is similar.
    """
    close = difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""
