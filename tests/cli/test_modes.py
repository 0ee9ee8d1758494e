"""`featviz modes`: strengths of query-key modes."""

from __future__ import annotations

import json

import pytest
import torch

import featviz
from cli.main import status


def test_the_shares_of_all_modes_of_a_head_are_squares_that_add_up_to_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status(["modes", "cueworld/vit", "blocks.2.attn.qk_mode:1.all", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    strengths = [row["strength"] for row in rows]
    assert len(rows) == 32
    assert strengths == sorted(strengths, reverse=True)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    ratio = (strengths[1] / strengths[0]) ** 2
    assert rows[1]["share"] / rows[0]["share"] == pytest.approx(ratio)


def test_the_strengths_are_the_singular_values_of_the_whole_matrix(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status(["modes", "cueworld/vit", "blocks.0.attn.qk_mode:2.0-4", "--json"]) == 0
    found = [row["strength"] for row in json.loads(capsys.readouterr().out)]
    block = featviz.load("cueworld/vit", device="cpu").module.get_submodule("blocks.0")
    qkv, norm = block.get_submodule("attn.qkv"), block.get_submodule("norm1")
    weight, bias = (qkv.get_parameter(name).double() for name in ("weight", "bias"))
    gain, shift = (norm.get_parameter(name).double() for name in ("weight", "bias"))
    sides = []
    for start in (2 * 32, 128 + 2 * 32):
        rows = weight[start : start + 32]
        folded = (rows * gain) @ (torch.eye(128).double() - 1 / 128)
        sides.append(torch.cat([folded, (rows @ shift + bias[start : start + 32])[:, None]], 1))
    right = torch.linalg.svdvals(sides[0].T @ sides[1])[:5] / 32**0.5
    assert found == pytest.approx(right.tolist(), rel=1e-6)


def test_a_selector_of_a_head_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["modes", "cueworld/vit", "blocks.2.attn.qk:1@same"]) == 1
    assert "is not a mode; one looks like" in capsys.readouterr().err
