from __future__ import annotations

import json

from featviz.models.loading.registry import known_models
from tests.cli.running import Run


def test_every_known_name_is_printed_one_per_line(run: Run) -> None:
    result = run("models")
    assert result.out.splitlines() == known_models()
    assert json.loads(run("models", "--json").out) == known_models()
    assert (result.status, result.err) == (0, "")
