from __future__ import annotations

import pytest

from featviz.errors import FeatvizError
from featviz.rendering import engine
from featviz.rendering.engine import Local, make_engine


@pytest.mark.parametrize(
    ("name", "workers", "line"),
    [
        ("rays", None, "no engine 'rays': choose from local, ray; did you mean ray?"),
        ("local", 2, "workers must be at least 1, and need the engine ray"),
        ("ray", 0, "workers must be at least 1, and need the engine ray"),
    ],
)
def test_an_unknown_engine_or_number_of_workers_is_refused(
    name: str, workers: int | None, line: str
) -> None:
    with pytest.raises(FeatvizError) as caught:
        make_engine(name, workers)
    assert str(caught.value) == line


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(FeatvizError, match=r"needs Ray: pip install 'featviz\[ray\]'"):
        make_engine("ray")
    assert isinstance(make_engine("local"), Local)
