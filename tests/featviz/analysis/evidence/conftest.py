from __future__ import annotations

from pathlib import Path

import pytest

from tests.featviz.analysis.evidence.rows import whole_store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of four neurons with all kinds of evidence; not to be changed."""
    return whole_store(tmp_path_factory.mktemp("evidence") / "s")
