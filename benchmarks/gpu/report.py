"""The report of a run: parts with a share of the time, written to a file after each measurement."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from featviz._util.device_memory import is_out_of_memory
from featviz._util.files import write

MARGIN = 5
"""Seconds before the end of the time at which a run is stopped, to write and print its report."""


class Report:
    """Measurements by part, in a JSON file that is replaced after each of them.

    Parameters
    ----------
    path : Path
        The file; a run that is killed leaves what it had.
    end : float
        When the run ends, by `time.monotonic`, whatever is running then.
    facts : dict
        Machine and settings.
    """

    def __init__(self, path: Path, end: float, facts: dict[str, Any]) -> None:
        self._path, self._end = path, end - MARGIN
        self._lock = threading.RLock()
        self._parts: dict[str, dict[str, Any]] = {}
        self._content = {**facts, "finished": False, "parts": self._parts}
        self._save()

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._end - time.monotonic()

    def stop_in_time(self) -> None:
        """End the process at the end of the time, even inside a call that does not return."""
        timer = threading.Timer(max(0.0, self.left()), self._abort)
        timer.daemon = True
        timer.start()

    def run(self, parts: dict[str, tuple[float, Callable[[Part], None]]]) -> None:
        """Measure parts in order.

        Parameters
        ----------
        parts : dict of str to (float, callable)
            By name: the share of the time, and what measures the part. Time that a part leaves is
            shared by those after it.
        """
        for name in parts:
            self._parts[name] = {"status": "waiting"}
        shares = [share for share, _ in parts.values()]
        for index, (name, (share, measure)) in enumerate(parts.items()):
            start, allowed = time.monotonic(), self.left() * share / sum(shares[index:])
            part = Part(self, name, start + allowed)
            self.update(name, status="running")
            try:
                measure(part)
                status = "out of time" if part.is_cut else "done"
            except SkippedError as reason:
                status = f"skipped: {reason}"
            except Exception as error:  # noqa: BLE001  the other parts are measured
                status = describe_error(error)
            self.update(name, status=status, seconds=round(time.monotonic() - start, 1))
        self._content["finished"] = True
        self._save()

    def update(self, name: str, **values: Any) -> None:
        """Add values to a part, and write the file."""
        with self._lock:
            self._parts[name] |= values
            self._save()

    def table(self) -> str:
        """Return the report as text, one line for each measurement."""
        lines = []
        for name, part in self._parts.items():
            values = dict(part)
            status, seconds = values.pop("status"), values.pop("seconds", "")
            lines.append(f"\n{name}: {status}" + (f" ({seconds} s)" if seconds else ""))
            lines += [f"  {key:38} {_text(value)}" for key, value in values.items()]
        return "\n".join(lines)

    def _save(self) -> None:
        with self._lock:
            write(self._path, json.dumps(self._content, indent=1).encode())

    def _abort(self) -> None:
        with self._lock:  # never given back: nothing may be written after this
            for part in self._parts.values():
                if part["status"] in ("running", "waiting"):
                    part["status"] = "out of time"
            self._save()
            print(self.table(), flush=True)
            sys.stderr.flush()
            os._exit(0)


class Part:
    """One part of a run.

    Parameters
    ----------
    report : Report
    name : str
    end : float
        When its time ends, by `time.monotonic`.

    Attributes
    ----------
    is_cut : bool
        Whether a measurement was left out because no time was left.
    """

    def __init__(self, report: Report, name: str, end: float) -> None:
        self._report, self._name, self._end = report, name, end
        self.is_cut = False

    def left(self) -> float:
        """Return the seconds that are left."""
        return self._end - time.monotonic()

    def add(self, key: str, value: Any) -> None:
        """Record a value."""
        self._report.update(self._name, **{key: value})

    def measure(self, key: str, function: Callable[[], Any], seconds: float = 0.0) -> Any:
        """Call a function and record what it returns, or why it did not.

        Running out of memory is a result.

        Parameters
        ----------
        key : str
        function : callable
        seconds : float
            That it will take; without so much time it is not called.

        Returns
        -------
        Any
            What it returned; None if it did not.
        """
        if self.left() <= seconds:
            self.is_cut = True
            self.add(key, "out of time")
            return None
        try:
            found = function()
        except Exception as error:  # noqa: BLE001  the other measurements are made
            self.add(key, describe_error(error))
            found = None
        else:
            self.add(key, found)
        if torch.cuda.is_available():
            gc.collect()
            with suppress(RuntimeError):  # after an error of the device, every call raises it again
                torch.cuda.empty_cache()
        return found


class SkippedError(Exception):
    """A part cannot be measured here; says why."""


def describe_error(error: Exception) -> str:
    """Return ``"out of memory"``, or the type and first line of an error."""
    if is_out_of_memory(error):
        return "out of memory"
    lines = str(error).strip().splitlines()
    return f"failed: {type(error).__name__}: {lines[0] if lines else ''}"


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
