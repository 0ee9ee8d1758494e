from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

from patching.circuits.report import read_report
from tests.cli.running import Run


def test_circuits_are_printed_and_drawn(run: Run, tmp_path: Path) -> None:
    words = ("circuit", "cueworld/vit", "--data", "cueworld:8", "--corrupt", "grayscale")
    store, drawing = tmp_path / "s", tmp_path / "c.svg"
    result = run(*words, "--steps", 1, "-o", store, "--drawing", drawing)
    assert result.status == 0
    report = read_report(store)
    assert f"9110 edges, scored on {report.scored} images, tested on {report.tested}" in result.out
    assert "8 images run, 0 already stored" in result.err
    lines = result.out.splitlines()
    # So few images do not show an effect.
    assert report.low < 0 < report.high
    assert "warning: the total effect is not distinct from 0 (" in result.err
    heading = next(line for line in lines if line.startswith("edges  "))
    assert heading.split() == ["edges", "edges", "components", "random"]
    assert any(line.startswith(report.strongest[0].name) for line in lines)
    ET.fromstring(drawing.read_text())
    refused = run(*words, "--steps", 1, "-o", tmp_path / "t", "--drawing", drawing)
    assert refused.status == 1
    assert f"{drawing} exists and is not overwritten" in refused.err
    assert not (tmp_path / "t").exists()
    again = run(*words, "--steps", 1, "-o", store, "--json")
    assert "8 already stored" in again.err
    found = json.loads(again.out)
    assert found["curves"][0]["cpr"] == report.curves[0].cpr
    assert len(found["strongest"]) == 200


def test_a_corruption_is_required(run: Run, tmp_path: Path) -> None:
    result = run("circuit", "cueworld/vit", "--data", "cueworld:8", "-o", tmp_path / "s")
    assert result.status == 2
    assert "--corrupt" in result.err
    assert not (tmp_path / "s").exists()
