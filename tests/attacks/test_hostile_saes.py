"""Malicious files of sparse autoencoders, which must be refused without running their code."""

from __future__ import annotations

import pickle
import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from featviz import FeatvizError, load_sae
from tests.attacks.test_hostile_weights import Payload
from tests.featviz.models.sae.files import (
    STANDARD,
    prisma_config,
    random_state,
    saev_header,
    write_prisma,
    write_saev,
)

FOLDER = Path(__file__).parents[1] / "oracles/sae"
Write = Callable[[Path, object], Path]


def write_saelens(folder: Path, content: object) -> Path:
    shutil.copy(FOLDER / "saelens/standard/cfg.json", folder)
    torch.save(content, folder / "sae_weights.safetensors")
    return folder


def write_dictionary_learning(folder: Path, content: object) -> Path:
    shutil.copy(FOLDER / "dictionary_learning/topk/config.json", folder)
    torch.save(content, folder / "ae.pt")
    return folder


def write_overcomplete(folder: Path, content: object) -> Path:
    (folder / "state.pt").write_bytes(pickle.dumps(content))
    return folder


FORMATS: dict[str, Write] = {
    "SAELens": write_saelens,
    "Prisma": lambda folder, content: write_prisma(folder, prisma_config(), content),
    "saev": lambda folder, content: write_saev(folder / "sae.pt", saev_header(5, "Relu"), content),
    "dictionary_learning": write_dictionary_learning,
    "Overcomplete": write_overcomplete,
}


@pytest.mark.parametrize("name", FORMATS)
def test_code_in_a_pickle_does_not_run(name: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    folder = tmp_path / "sae"
    folder.mkdir()
    path = FORMATS[name](folder, {**random_state(STANDARD), "extra": Payload(trace)})
    with pytest.raises(FeatvizError, match=r"is refused|cannot be read") as caught:
        load_sae(path)
    assert not trace.exists()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("package", "statement"),
    [
        ("vit_prisma.sae.config", r"sae\['cfg'\]\.save_config\('config\.json'\)"),
        ("overcomplete.sae.topk_sae", r"torch\.save\(sae\.state_dict\(\), 'state\.pt'\)"),
        ("dictionary_learning.dictionary", r"torch\.save\(sae\.state_dict\(\), 'ae\.pt'\)"),
        ("saev.nn", r"saev\.nn\.dump\("),
    ],
)
def test_objects_of_a_library_are_refused_with_the_statements_that_convert_them(
    package: str, statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = types.ModuleType(package)
    module.Config = type("Config", (), {"__module__": package})
    parents = [package.rsplit(".", count)[0] for count in range(1, package.count(".") + 1)]
    for name in parents:
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, package, module)
    torch.save({"cfg": module.Config(), "state_dict": random_state(STANDARD)}, tmp_path / "sae.pt")
    complaint = (
        rf"refused: it has Python objects \({package}\.Config\).*if you trust it.*{statement}"
    )
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load_sae(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{" + b"[" * 100_000, "first line is not JSON"),
        (b'{"schema": 5}\nnot a pickle', "not a positive integer|cls is|cannot be read"),
        (b'{"schema": 99}\n', "schema is 99, not a whole number up to 5"),
        (b'{"schema": "5"}\n', "schema is '5', not"),
        (b'{"schema": 5, "cfg": 3}\n', "cfg is 3, not an object"),
        (b"{" * (3 << 20), "first line is not JSON"),
    ],
)
def test_a_damaged_header_of_saev_costs_one_line(
    content: bytes, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "sae.pt").write_bytes(content)
    with pytest.raises(FeatvizError, match=complaint) as caught:
        load_sae(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_values_that_are_not_finite_are_refused(wrong: float, tmp_path: Path) -> None:
    state = random_state(STANDARD)
    state["W_enc"][2, 3] = wrong
    with pytest.raises(FeatvizError, match="W_enc has values that are not finite"):
        load_sae(write_saev(tmp_path / "sae.pt", saev_header(5, "Relu"), state))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (
            torch.zeros(24, dtype=torch.int64),
            "b_enc is not a dense tensor of floating-point numbers",
        ),
        (torch.zeros(24).to_sparse(), "b_enc is not a dense tensor"),
        (torch.zeros(24, 1), r"b_enc has shape \(24, 1\), not \(24\)"),
        ("text", "is not a state dict"),
    ],
)
def test_entries_of_another_kind_are_refused(wrong: Any, complaint: str, tmp_path: Path) -> None:
    state = {**random_state(STANDARD), "b_enc": wrong}
    with pytest.raises(FeatvizError, match=complaint):
        load_sae(write_saev(tmp_path / "sae.pt", saev_header(5, "Relu"), state))


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    for case in ("saelens/standard", "dictionary_learning/topk", "saev/relu"):
        folder = tmp_path / case
        shutil.copytree(FOLDER / case, folder)
        weights = next(each for each in folder.iterdir() if each.suffix in (".pt", ".safetensors"))
        weights.write_bytes(weights.read_bytes()[:-300])
        with pytest.raises(FeatvizError, match="cannot be read as weights"):
            load_sae(folder)
