"""Memory of a job, and jobs that are killed: tests in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import tree

ROOT = Path(__file__).parents[4]

MEMORY = """
import resource, sys
import torch
from torch import nn
from featviz.addressing.selectors import units
from featviz.analysis.examples.job import examples_to_store
from featviz.data.datasets import Dataset
from featviz.models.vision_model import VisionModel

class Flat:
    classes, interleaved = ("even", "odd"), True
    def __init__(self, count): self.count = count
    def __len__(self): return self.count
    def fingerprint(self): return str(self.count)
    def read(self, number, size):
        return torch.full((3, size, size), number * 0.618 % 1), number % 2
    def label(self, number): return number % 2

torch.set_num_threads(1)
torch.manual_seed(0)
model = VisionModel("toy", nn.Sequential(nn.Conv2d(3, 600, 4, 4)), 8, (0.5,) * 3, (0.5,) * 3)
data = Dataset("flat", Flat.classes, Flat(int(sys.argv[1])))
examples_to_store(model, units(model, "0:all"), data, sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

KILLED = """
import os, signal, sys
import torch
from featviz.addressing.selectors import units
from featviz.analysis.examples import image_writer, job, search
from tests.featviz.analysis.examples.sources import noise
from tests.featviz.toys import toy_vit

torch.set_num_threads(1)
search.BATCH, job.GROUP, image_writer.SHARD = 8, 5, 6
model, calls, last = toy_vit(), ("write", "fsync", "replace", "unlink"), int(sys.argv[2])
chosen = units(model, "blocks.1.mlp.fc1:0-9", "blocks.1.attn.qk:0@same")
count = 0

def counted(call):
    def stand_in(*arguments, **options):
        global count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return stand_in

for name in calls:
    setattr(os, name, counted(getattr(os, name)))
job.examples_to_store(model, chosen, noise(range(40)), sys.argv[1])
print(count)
"""


def run(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_50_000_images_take_no_more_memory_than_2_000(tmp_path: Path) -> None:
    """Except a few bytes per image: its index, its label, and the sorted values of one unit."""
    few, many = (int(run(MEMORY, count, tmp_path / str(count)).stdout) for count in (2_000, 50_000))
    assert many - few < 12_000  # kB; the values alone are 120 MB


@pytest.mark.slow
def test_a_killed_job_that_is_resumed_ends_with_the_same_bytes(tmp_path: Path) -> None:
    calls = int(run(KILLED, tmp_path / "whole", 0).stdout)
    whole = tree(tmp_path / "whole")
    for moment in range(2, calls, calls // 3):
        store = tmp_path / str(moment)
        assert run(KILLED, store, moment).returncode == -signal.SIGKILL
        assert run(KILLED, store, 0).returncode == 0
        assert tree(store) == whole
