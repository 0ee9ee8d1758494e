from __future__ import annotations

from pathlib import Path

import pytest
import torch

from featviz._util import device_memory
from featviz._util.device_memory import free_memory, is_out_of_memory
from featviz.addressing.address import Unit
from featviz.optimization.optimize import Pictures
from featviz.optimization.recipe import make_recipe
from featviz.rendering import batch_size as batch_size_module
from featviz.rendering.batch_size import ENOUGH, batch_size
from tests.featviz.toys import toy_vit

MODEL = toy_vit()
CPU = torch.device("cpu")
FIRST, LAST = Unit("blocks.0.mlp.fc1", 0), Unit("blocks.3.mlp.fc1", 0)


def size_with(
    monkeypatch: pytest.MonkeyPatch, memory: int, unit: Unit = LAST, samples: int = 1
) -> int:
    monkeypatch.setattr(batch_size_module, "free_memory", lambda _device: memory)
    return batch_size(MODEL, unit, make_recipe(MODEL, samples=samples))


def test_a_batch_holds_at_least_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    assert size_with(monkeypatch, 0) == 1


def test_a_batch_is_no_larger_than_the_device_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert size_with(monkeypatch, 10**15) == ENOUGH["cpu"]


def test_deeper_units_get_smaller_batches_when_memory_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = 2_000_000
    shallow, deep = (size_with(monkeypatch, memory, unit) for unit in (FIRST, LAST))
    assert 1 < deep < shallow < ENOUGH["cpu"]


def test_samples_count_as_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    single = size_with(monkeypatch, 2_000_000)
    assert size_with(monkeypatch, 2_000_000, samples=4) == pytest.approx(single, abs=1)


def test_a_unit_that_fails_gets_the_largest_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Pictures:
        raise ValueError("this unit is broken")

    monkeypatch.setattr(batch_size_module, "optimize", broken)
    assert size_with(monkeypatch, 10**9) == ENOUGH["cpu"]


def test_free_memory_is_below_the_total() -> None:
    with open("/proc/meminfo") as lines:  # noqa: PTH123 - not a regular file
        total = int(next(line for line in lines if line.startswith("MemTotal")).split()[1]) * 1024
    assert 0 < free_memory(CPU) < total


def write_group(folder: Path, limit: int | str, used: int, files: int = 0) -> None:
    """Write the files of a control group (cgroup v2)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    stat = f"anon {used - files}\nfile {files}\ninactive_file {files}\nactive_file 0\n"
    (folder / "memory.stat").write_text(stat)


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the tree of control groups; this process is in /job/task."""
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/elsewhere\n0::/job/task\n")
    monkeypatch.setattr(device_memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(device_memory, "MEMBERSHIP", membership)
    return tmp_path / "groups"


def test_reclaimable_file_pages_do_not_count_against_a_limit(groups: Path) -> None:
    write_group(groups / "job" / "task", 1_000_000, 900_000, files=700_000)
    assert free_memory(CPU) == 800_000


def test_the_tightest_limit_of_the_ancestor_groups_applies(groups: Path) -> None:
    write_group(groups / "job" / "task", "max", 10)
    write_group(groups / "job", 500_000, 100_000)
    write_group(groups / "job" / "sibling", 5, 5)
    write_group(groups, 450_000, 100_000)
    assert free_memory(CPU) == 350_000


@pytest.mark.parametrize("path", ["/", "/../outside", "/docker/of/the/host"])
def test_a_container_whose_group_is_the_root_is_limited_by_it(groups: Path, path: str) -> None:
    (groups.parent / "membership").write_text(f"0::{path}\n")
    write_group(groups, 300_000, 100_000)
    assert free_memory(CPU) == 200_000


def test_an_allocation_that_is_too_large_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("DefaultCPUAllocator"), False),
    ],
)
def test_only_memory_errors_are_out_of_memory(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
