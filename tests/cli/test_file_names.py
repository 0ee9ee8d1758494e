"""Names of files that are not UTF-8, and names that would change what a terminal shows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from featviz.store.reader import Store
from tests.cli.running import Run

NAMES = (b"a\xff", b"n\n\x1b[31mred", "狗\u202e".encode())
SHOWN = (r"a\xff", r"n\n\x1b[31mred", r"狗\u202e")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of images whose path, classes and files have such names."""
    made = tmp_path_factory.mktemp("images") / os.fsdecode(NAMES[0])
    random = np.random.default_rng(0)
    for label in map(os.fsdecode, NAMES):
        (made / label).mkdir(parents=True)
        for name in map(os.fsdecode, NAMES):
            pixels = random.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(made / label / f"{name}.png")
    return made


def test_a_dataset_may_have_any_names_and_its_store_is_read_packed_verified_and_shown(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    store = tmp_path / os.fsdecode(b"s\xfe")
    words = ["examples", "cueworld/vit", "patch_embed:0-4", "--data", f"folder:{folder}"]
    report = run(*words, "-o", store, "--top", "2", "--json")
    assert report.status == 0, report.err
    first = json.loads(report.out)
    assert first["data"]["name"] == f"folder:{folder}"
    classes = {each["class"] for unit in first["units"] for each in unit["top"]}
    assert classes <= set(map(os.fsdecode, NAMES))
    table = run(*words, "-o", store, "--top", "2")
    assert table.status == 0, table.err  # the store is of the same dataset
    lines = table.out.splitlines()
    assert len(lines) == 6
    assert all(any(shown in line for shown in SHOWN) for line in lines[1:])
    assert table.err.splitlines()[-1].startswith(f"{tmp_path}/s\\xfe: 0 units stored, 5 already")

    render = ["render", "cueworld/vit", "patch_embed:0", "--steps", "1", "--size", "16"]
    assert run(*render, "-o", store).status == 0
    packed = tmp_path / os.fsdecode(b"new\xfe") / os.fsdecode(b"s\xfe.h5")
    assert run("pack", store, packed).status == 0
    for each in (store, packed):
        facts = json.loads(run("info", each, "--json").out)
        assert facts == Store(each).info()
        assert facts["path"] == str(each)
        assert facts["configuration"]["examples"]["data"]["name"] == f"folder:{folder}"
        assert run("info", each).status == 0
        assert run("verify", each).err.startswith(str(each.parent).replace("\udcfe", r"\xfe"))
    site = tmp_path / os.fsdecode(b"site\xfe")
    exported = run("gallery", store, packed, "-o", site, "--json")
    assert exported.status == 0, exported.err
    assert json.loads(exported.out)["page"] == str(site / "index.html")
    assert (site / "index.html").is_file()


def test_image_files_may_have_any_names(run: Run, folder: Path, tmp_path: Path) -> None:
    files = [folder / os.fsdecode(NAMES[0]) / f"{os.fsdecode(name)}.png" for name in NAMES]
    result = run("activations", "cueworld/vit", "patch_embed:0", "--image", *files)
    assert (result.status, result.err) == (0, "")
    headings, values = result.out.splitlines()
    assert headings.split()[1:] == [f"{each}.png" for each in SHOWN]
    report = json.loads(
        run("activations", "cueworld/vit", "patch_embed:0", "--json", "--image", *files).out
    )
    assert [each["image"] for each in report] == list(map(str, files))
    assert [f"{each['activation']:.4g}" for each in report] == values.split()[1:]
    words = ["gradients", "cueworld/vit", "blocks.2.attn.qk:0@q2.k3", "-o", tmp_path / "store"]
    maps = run(*words, "--image", *files)
    assert maps.status == 0, maps.err
    assert len(maps.out.splitlines()) == 4
    assert run("gallery", tmp_path / "store", "-o", tmp_path / "site").status == 0


def test_a_missing_file_of_any_name_is_one_line(run: Run, tmp_path: Path) -> None:
    for name, shown in zip(map(os.fsdecode, NAMES), SHOWN, strict=True):
        refusal = run("info", tmp_path / name).refusal()
        assert shown.replace(r"\n", " ") in refusal


def test_a_selector_or_model_of_any_bytes_is_one_line(run: Run, tmp_path: Path) -> None:
    for name in map(os.fsdecode, NAMES):
        run("units", name).refusal()
        run("units", "cueworld/vit", f"{name}:0").refusal()
        run("units", "cueworld/vit", f"head:{name}").refusal()
        run("filters", "cueworld/vit", "-o", tmp_path / "o", "--device", name).refusal()


def test_a_command_in_a_deleted_folder_is_one_line(
    run: Run, neurons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run("info", neurons).status == 0
    assert run("pack", neurons, tmp_path / "all.h5").status == 0
    assert "No such file" in run("pack", neurons, "all.h5").refusal()
    assert "No such file" in run("gallery", neurons, "-o", "site").refusal()
    assert "No such file" in run("filters", "cueworld/vit", "-o", "new").refusal()
    run("pack", neurons, "./").refusal()
