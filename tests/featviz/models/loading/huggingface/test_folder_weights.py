from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from featviz.errors import FeatvizError
from featviz.models.loading.load import load

ORACLE = Path(__file__).parents[4] / "oracles" / "huggingface" / "vit" / "usual"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ORACLE, tmp_path / "vit"))


@pytest.fixture(scope="module")
def fingerprint() -> str:
    return load(str(ORACLE), device="cpu").fingerprint


def split(folder: Path, suffix: str) -> Path:
    """Replace the weights by two files and their index, which is returned."""
    whole = folder / "model.safetensors"
    state = load_file(whole)
    whole.unlink()
    places: dict[str, str] = {}
    for part, names in enumerate((list(state)[:9], list(state)[9:]), start=1):
        file = f"part-{part}-of-2.{suffix.rpartition('.')[2]}"
        shard = {name: state[name] for name in names}
        if suffix.endswith("safetensors"):
            save_file(shard, folder / file)
        else:
            torch.save(shard, folder / file)
        places |= dict.fromkeys(names, file)
    index = folder / f"{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


def test_several_pickles_are_read_as_one(folder: Path, fingerprint: str) -> None:
    split(folder, "pytorch_model.bin")
    assert load(str(folder), device="cpu").fingerprint == fingerprint


def test_safetensors_take_precedence(folder: Path, fingerprint: str) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"damaged")
    assert load(str(folder), device="cpu").fingerprint == fingerprint


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, ("executed",)


def test_code_is_not_executed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Code()))
    with pytest.raises(FeatvizError, match=r"pytorch_model\.bin "):
        load(str(folder))
    assert not Path("executed").exists()


def test_a_folder_without_weights_is_refused_in_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(FeatvizError) as caught:
        load(str(folder))
    assert str(caught.value) == (
        f"{folder} has no weights: neither model.safetensors nor pytorch_model.bin"
    )
    # Such as from the log of timm.
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_missing_file_is_named(
    folder: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    index = split(folder, name)
    suffix = name.rpartition(".")[2]
    (folder / f"part-2-of-2.{suffix}").unlink()
    with pytest.raises(FeatvizError) as caught:
        load(str(folder))
    assert str(caught.value) == f"{index} names part-2-of-2.{suffix}, which is missing"
    assert capfd.readouterr() == ("", "")


def test_a_missing_tensor_of_a_file_is_named(folder: Path) -> None:
    split(folder, "model.safetensors")
    part = folder / "part-1-of-2.safetensors"
    state = load_file(part)
    lost = next(iter(state))
    save_file({name: tensor for name, tensor in state.items() if name != lost}, part)
    with pytest.raises(FeatvizError, match=f"part-1-of-2.safetensors lacks the tensor {lost}$"):
        load(str(folder))


@pytest.mark.parametrize(
    ("places", "complaint"),
    [
        ({}, r"weight_map is \{\}, not an object from the name of each tensor to its file"),
        ({"a": 1}, r"weight_map is \{'a': 1\}, not an object"),
        (["a"], r"weight_map is \['a'\], not an object"),
        ({"a": "../model.safetensors"}, r"'\.\./model\.safetensors' is not the name of a file"),
        ({"a": "/etc/passwd"}, r"'/etc/passwd' is not the name of a file in the same folder"),
    ],
)
def test_an_invalid_index_is_refused(folder: Path, places: object, complaint: str) -> None:
    index = split(folder, "model.safetensors")
    index.write_text(json.dumps({"weight_map": places}))
    with pytest.raises(FeatvizError, match=complaint):
        load(str(folder))


def test_damaged_weights_are_refused_in_one_line(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(FeatvizError, match=r"model\.safetensors") as caught:
        load(str(folder))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
