"""Memory that was freed, handed back."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def hand_back() -> None:
    """Hand memory that was freed back to the operating system, where the C library can.

    glibc keeps what is freed below a block that is still in use. A few small blocks that live on
    among the large ones of every batch made a pass over 5,000 images grow by 350 MB, all of it
    free.

    Source: ``malloc_trim(3)``.
    """
    # Only glibc has it, and only a program that is linked dynamically shows it.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
