from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from featviz.models.vision_model import VisionModel
from featviz.optimization import recipe as recipes
from featviz.optimization.optimize import Pictures, optimize
from featviz.parametrization.spectrum import spectrum_of_dataset
from featviz.rendering import batches, engine
from featviz.store.reader import Store
from tests.cli.running import Run, tree

FEW = ("--steps", 2, "--size", 16)


def filters(store: Path, *more: object, which: str = "0-3") -> list[object]:
    return ["render", "cueworld/vit", f"patch_embed:{which}", "-o", store, *FEW, *more]


def failing(*broken: str) -> Any:
    """An `optimize` that breaks whenever one of these units is in the batch."""

    def call(model: VisionModel, units: Sequence[Any], *rest: Any) -> Pictures:
        if set(broken) & set(map(str, units)):
            raise ValueError("broken unit")
        return optimize(model, units, *rest)

    return call


def test_counts_are_printed_on_stderr_and_nothing_on_stdout(run: Run, tmp_path: Path) -> None:
    result = run(*filters(tmp_path / "store"))
    assert (result.status, result.out) == (0, "")
    summary = "store: 4 units rendered, 0 already stored, 0 failed"
    assert result.err.splitlines()[-1].endswith(summary)
    assert "images/s" in result.err
    assert len(Store(tmp_path / "store")) == 4


def test_json_has_the_same_counts(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    result = run(*filters(store, "--json"))
    expected = {"store": str(store), "rendered": 4, "done": 0, "failures": {}, "constants": {}}
    assert json.loads(result.out) == expected


def test_the_options_reach_the_configuration(run: Run, tmp_path: Path) -> None:
    options = {"samples": 2, "diversity": 0.25, "smoothness": 0.125, "steps": 2, "size": 16}
    options |= {"seed": 7}
    names = {"preset": "cnn", "param": "pixel", "precision": "bfloat16"}
    words = [word for name, value in (options | names).items() for word in (f"--{name}", value)]
    store = tmp_path / "store"
    assert run("render", "cueworld/vit", "patch_embed:0", "-o", store, *words).status == 0
    configuration = Store(store).configuration["renders"]
    assert options | names == {name: configuration[name] for name in options | names}


def test_a_store_accepts_one_spectrum_only(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    maco = ("--param", "maco", "--progressive", 0.5)
    first = filters(store, *maco, "--spectrum", "cueworld:4", which="0")
    assert run(*first).status == 0
    configuration = Store(store).configuration["renders"]
    assert (configuration["spectrum"], configuration["progressive"]) == ("cueworld:4", 0.5)
    assert configuration["spectrum_digest"] == spectrum_of_dataset("cueworld:4", 16).digest
    assert run(*first).err == f"{store}: 0 units rendered, 1 already stored, 0 failed\n"
    before = tree(tmp_path)
    other = run(*filters(store, *maco, "--spectrum", "cueworld:5", which="1")).refusal()
    assert 'spectrum is "cueworld:4" there and "cueworld:5" here' in other
    assert "spectrum_digest is" in other
    none = run(*filters(store, *maco, which="1")).refusal()
    assert 'spectrum is "cueworld:4" there and absent here' in none
    assert tree(tmp_path) == before


def test_a_spectrum_needs_an_existing_dataset_and_maco(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    missing = run(*filters(store, "--param", "maco", "--spectrum", "folder:nowhere")).refusal()
    assert "nowhere" in missing
    fourier = run(*filters(store, "--spectrum", "cueworld:4")).refusal()
    assert "--spectrum needs --param maco, got fourier" in fourier
    assert not store.exists()


def test_a_second_run_writes_nothing_and_shows_no_progress_bar(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    run(*filters(store))
    before = tree(tmp_path)
    again = run(*filters(store))
    assert again.err == f"{store}: 0 units rendered, 4 already stored, 0 failed\n"
    assert (again.status, tree(tmp_path)) == (0, before)


def test_shards_of_a_job_render_the_pictures_of_the_whole_job(run: Run, tmp_path: Path) -> None:
    run(*filters(tmp_path / "whole"))
    for shard in ("1/2", "2/2"):
        assert run(*filters(tmp_path / "split", "--shard", shard, "--batch", 1)).status == 0
    whole, split = list(Store(tmp_path / "whole").rows()), list(Store(tmp_path / "split").rows())
    assert [row["address"] for row in split] == [row["address"] for row in whole]
    for one, other in zip(whole, split, strict=True):
        np.testing.assert_array_equal(one["images"], other["images"])
        # Values of so few steps are sums of pixels that cancel: what is left is rounding.
        np.testing.assert_allclose(one["activation"], other["activation"], rtol=1e-3, atol=1e-7)


def test_a_dry_run_prints_counts_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    words = filters(tmp_path / "store", "--batch", 4, "--samples", 2, "--dry-run")
    result = run(*words, "--json")
    report = json.loads(result.out)
    size, seconds = report.pop("bytes"), report.pop("seconds")
    assert seconds == int(seconds) >= 0
    assert report == {"units": 4, "done": 0, "pictures": 8, "batches": 2}
    assert (result.status, result.err, list(tmp_path.iterdir())) == (0, "", [])
    assert run(*words).out.split()[:4] == ["units", "4", "done", "0"]
    assert f"{size:,}" in run(*words).out


def test_a_failed_unit_gives_status_3_and_is_tried_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    with monkeypatch.context() as patch:
        patch.setattr(batches, "optimize", failing("patch_embed:2"))
        result = run(*filters(store, "--json"))
        assert result.status == 3
        assert json.loads(result.out)["failures"] == {"patch_embed:2": "ValueError: broken unit"}
        assert "failed: patch_embed:2: ValueError: broken unit\n" in result.err
    assert "patch_embed:2: ValueError: broken unit" in run("info", store).out
    again = run(*filters(store))
    assert again.status == 0
    assert again.err.endswith("1 units rendered, 3 already stored, 0 failed\n")
    assert "broken unit" not in run("info", store).out


def test_the_batch_is_halved_when_memory_runs_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def tight(model: VisionModel, units: Sequence[Any], *rest: Any) -> Pictures:
        sizes.append(len(units))
        if len(units) > 1:
            raise torch.OutOfMemoryError("no room")
        return optimize(model, units, *rest)

    monkeypatch.setattr(batches, "optimize", tight)
    assert run(*filters(tmp_path / "store", "--batch", 4)).status == 0
    assert sizes == [4, 2, 1, 1, 1, 1]
    assert Store(tmp_path / "store").addresses() == [f"patch_embed:{n}" for n in range(4)]


def test_output_of_an_engine_goes_to_stderr(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = optimize

    def chatty(*arguments: Any) -> Pictures:
        print("a worker died")
        return make(*arguments)

    monkeypatch.setattr(batches, "optimize", chatty)
    result = run(*filters(tmp_path / "store", "--json"))
    assert json.loads(result.out)["rendered"] == 4
    assert "a worker died\n" in result.err


def test_the_ray_engine_is_refused_if_ray_is_not_installed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    line = run(*filters(tmp_path / "store", "--engine", "ray")).refusal()
    assert line == "Error: the engine ray needs Ray: pip install 'featviz[ray]'"
    assert list(tmp_path.iterdir()) == []


def test_force_renames_and_deletes_nothing(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    run(*filters(store, which="0"))
    before = set(tree(tmp_path).values())
    refused = run(*filters(store, "--seed", 1, which="0")).refusal()
    assert "seed is 0 there and 1 here" in refused
    assert "--force" in refused
    assert run(*filters(store, "--seed", 1, "--force", which="0")).status == 0
    assert before < set(tree(tmp_path).values())


@pytest.mark.parametrize(("there", "here"), [("bfloat16", "float32"), ("float32", "bfloat16")])
def test_a_store_keeps_its_precision_on_a_device_with_another_default(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, here: str
) -> None:
    store = tmp_path / "store"
    monkeypatch.setattr(recipes, "fastest_precision", lambda _: there)
    run(*filters(store, which="0"))
    monkeypatch.setattr(recipes, "fastest_precision", lambda _: here)
    todo = json.loads(run(*filters(store, "--json", "--dry-run")).out)
    assert (todo["units"], todo["done"]) == (3, 1)
    assert run(*filters(store)).status == 0
    assert Store(store).configuration["renders"]["precision"] == there
    assert len(Store(store)) == 4
    refused = run(*filters(store, "--precision", here)).refusal()
    assert f'precision is "{there}" there and "{here}" here' in refused


def test_the_store_of_another_model_is_refused_and_unchanged(
    run: Run, neurons: Path, tmp_path: Path
) -> None:
    before = tree(neurons)
    line = run("render", "cueworld/mixer", "stem:0", "-o", neurons, *FEW).refusal()
    assert "is of another model" in line
    assert tree(neurons) == before


@pytest.mark.parametrize("damage", ["truncated", "tampered"])
def test_a_damaged_shard_is_refused_until_forced(run: Run, tmp_path: Path, damage: str) -> None:
    store = tmp_path / "store"
    run(*filters(store, "--batch", 2))
    shard = min((store / "shards").glob("*.h5"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content[: -100 if damage == "truncated" else None])
    before = tree(tmp_path)
    line = run(*filters(store)).refusal()
    assert shard.name in line
    assert "--force" in line
    assert tree(tmp_path) == before
    assert run(*filters(store, "--force")).status == 0
    assert set(before.values()) <= set(tree(tmp_path).values())
    assert run("verify", store).status == 0


def test_a_full_disk_is_one_error_line_and_loses_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    run(*filters(store, which="0-1"))
    before = tree(tmp_path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        result = run(*filters(store))
    assert result.status == 1
    assert "Traceback" not in result.err
    assert result.err.count("Error: ") == 1
    assert result.err.splitlines()[-1].startswith("Error: cannot write ")
    assert "No space left on device" in result.err
    assert tree(tmp_path) == before
    assert run(*filters(store)).err.endswith("2 units rendered, 2 already stored, 0 failed\n")


def test_a_file_as_output_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    line = run(*filters(tmp_path / "file")).refusal()
    assert "file is not a folder" in line
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_with_other_files_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    line = run(*filters(tmp_path)).refusal()
    assert "thesis.tex" in line
    assert list(tree(tmp_path)) == ["thesis.tex"]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--preset", "vitt"], 2, "vit"),
        (["--param", "wavelet"], 2, "fourier"),
        (["--precision", "float8"], 2, "float32"),
        (["--stepz", "4"], 2, "--steps"),
        (["--steps", "many"], 2, "many"),
        (["--steps", "0"], 1, "at least 1"),
        (["--samples", "0"], 1, "at least 1"),
        (["--size", "0"], 1, "at least 16"),
        (["--diversity", "-1"], 1, "at least 0"),
        (["--smoothness", "nan"], 1, "at least 0"),
        (["--batch", "0"], 2, "auto"),
        (["--batch", "half"], 2, "auto"),
        (["--engine", "rays"], 2, "ray"),
        (["--workers", "2"], 2, "--engine ray"),
        (["--engine", "ray", "--workers", "0"], 2, "0"),
        (["--engine", "ray", "--device", "cpu"], 2, "--device requires --engine local"),
        (["--engine", "ray", "--dry-run"], 2, "--dry-run requires --engine local"),
        (["--shard", "3/2"], 2, "0/4"),
        (["--shard", "0/0"], 2, "0/4"),
        (["--shard", "one"], 2, "0/4"),
        (["--device", "tpu9"], 1, "cpu"),
        (["--arch", "resnet50"], 1, "--arch"),
        (["--untrained"], 1, "--untrained"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_right(
    run: Run, tmp_path: Path, words: list[str], status: int, says: str
) -> None:
    line = run("render", "cueworld/vit", "patch_embed:0", "-o", tmp_path / "s", *words)
    assert says in line.refusal(status)
    assert list(tmp_path.iterdir()) == []


WAITING = """
import signal
from featviz.rendering import batches
from cli.main import main
# A shell that runs the tests in the background makes them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
make = batches.optimize
def optimize(model, units, *rest):
    if str(units[0]) == "patch_embed:2":
        signal.pause()
    return make(model, units, *rest)
batches.optimize = optimize
main()
"""


def test_ctrl_c_gives_status_130_and_the_next_run_resumes(run: Run, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = [str(word) for word in filters(store, "--batch", 1)]
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and len(list(store.glob("shards/*.h5"))) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out) == (130, ""), err
    assert err.splitlines()[-1].startswith("interrupted; stored results are kept")
    assert "Traceback" not in err
    assert Store(store).addresses() == ["patch_embed:0", "patch_embed:1"]
    again = run(*words)
    assert again.err.endswith("2 units rendered, 2 already stored, 0 failed\n")


def test_one_line_names_the_units_that_do_not_depend_on_the_image(run: Run, tmp_path: Path) -> None:
    """The class token is the same for all images before the first attention."""
    store, units = tmp_path / "store", "blocks.0.attn.qkv:3-4@cls"
    chosen = [units, "blocks.0.mlp.fc1:0"]
    result = run("render", "cueworld/vit", *chosen, "-o", store, *FEW, "--json")
    named = "constant: blocks.0.attn.qkv:3@cls, blocks.0.attn.qkv:4@cls: it does not depend on the"
    assert [line for line in result.err.splitlines() if line.startswith(named)]
    assert result.status == 0
    found = json.loads(result.out)
    assert list(found["constants"]) == [f"blocks.0.attn.qkv:{index}@cls" for index in (3, 4)]
    assert found["failures"] == {}
    assert "constant" in run("info", store).out
