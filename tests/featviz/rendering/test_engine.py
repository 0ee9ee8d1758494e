from __future__ import annotations

import pytest

from featviz.errors import FeatvizError
from featviz.rendering import engine
from featviz.rendering.engine import Local, engine_named


@pytest.mark.parametrize(
    ("name", "workers", "line"),
    [
        ("rays", None, "no engine 'rays': choose from local, ray; did you mean ray?"),
        ("local", 2, "workers are a number from 1 up, and of the engine ray"),
        ("ray", 0, "workers are a number from 1 up, and of the engine ray"),
    ],
)
def test_an_engine_that_is_none_is_refused(name: str, workers: int | None, line: str) -> None:
    with pytest.raises(FeatvizError) as caught:
        engine_named(name, workers)
    assert str(caught.value) == line


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(FeatvizError, match=r"needs Ray: pip install 'featviz\[ray\]'"):
        engine_named("ray")
    assert isinstance(engine_named("local"), Local)
