"""The exception for errors that a user can fix, and suggestions for misspelled names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FeatvizError(Exception):
    """An error that the user can fix.

    Its message is one line that says what is wrong, with the value, and what would be right. The
    command line prints it without a traceback and exits with status 1; notebooks show it
    likewise.
    """

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


def did_you_mean(name: str, known: Iterable[str], count: int = 3) -> str:
    """Suggest known names similar to a wrong one, for the end of an error message.

    Uppercase and lowercase letters are the same.

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
    folded: dict[str, str] = {}
    for each in known:
        folded.setdefault(each.casefold(), each)
    close = difflib.get_close_matches(name.casefold(), list(folded), n=count, cutoff=0.5)
    return f"; did you mean {', '.join(folded[each] for each in close)}?" if close else ""
