"""What featviz does on a graphics card, measured by one command; see `benchmarks.gpu.__main__`."""

from __future__ import annotations

import time

STARTED = time.monotonic()
"""When the command started: importing PyTorch, which comes later, is part of its time."""
