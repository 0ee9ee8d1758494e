"""Names of files and classes, shown in one line."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = {"\N{ZERO WIDTH NON-JOINER}", "\N{ZERO WIDTH JOINER}"}


def printable(text: str) -> str:
    r"""Escape what a terminal would not show: newlines, escape sequences, marks of direction.

    A byte of a file name that is not valid UTF-8 becomes ``\xff``.

    Parameters
    ----------
    text : str
        Of any characters.

    Returns
    -------
    str
        `text` itself if it has no such characters.
    """
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN or character in _JOINERS:
        return character
    byte = ord(character) - 0xDC00
    if 0x80 <= byte <= 0xFF:  # Python's form of an undecodable byte, PEP 383
        return f"\\x{byte:02x}"
    return character.encode("unicode_escape").decode()
