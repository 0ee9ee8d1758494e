"""The utilization of a GPU while a ``with`` block runs."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import threading
from types import TracebackType
from typing import Any, Self

import torch

PAUSE = 0.2
"""Seconds between two samples."""


class Utilization:
    """Samples the share of time in which a kernel runs, in percent, from a thread.

    Parameters
    ----------
    device : torch.device
        On a processor nothing is sampled.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._samples: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._reason = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def summary(self) -> dict[str, Any]:
        """Return mean and median of the samples, or why there are none."""
        if not self._samples:
            return {"utilization": f"unknown: {self._reason or 'no sample'}"}
        return {
            "utilization_mean": statistics.fmean(self._samples),
            "utilization_median": statistics.median(self._samples),
            "samples": len(self._samples),
        }

    def _sample(self) -> None:
        if self._device.type != "cuda":
            self._reason = f"the device is a {self._device.type}"
            return
        while not self._over.wait(PAUSE):
            try:
                self._samples.append(self._read())
            except Exception as error:  # noqa: BLE001  the driver or its library is missing
                self._reason = f"{type(error).__name__}: {error}"
                return

    def _read(self) -> int:
        try:
            return int(torch.cuda.utilization(self._device))
        except (ModuleNotFoundError, RuntimeError):  # without pynvml, or where it finds no driver
            pass
        command = shutil.which("nvidia-smi") or "nvidia-smi"
        words = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        index = self._device.index or 0
        done = subprocess.run(
            [command, *words, "-i", str(index)],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return int(done.stdout.split()[0])
