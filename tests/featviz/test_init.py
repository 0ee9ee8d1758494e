from __future__ import annotations

import subprocess
import sys

import pytest

import featviz


def test_each_name_is_what_its_module_defines() -> None:
    for name in featviz.__all__:
        assert getattr(featviz, name).__module__.startswith("featviz.")
        assert getattr(featviz, name).__name__ == name


@pytest.mark.parametrize("name", ["units", "readout", "render"])
def test_a_function_is_not_hidden_by_the_module_of_its_name(name: str) -> None:
    code = f"import featviz.{name}, featviz; sys.exit(not callable(featviz.{name}))"
    assert (
        subprocess.run([sys.executable, "-c", f"import sys; {code}"], check=False).returncode == 0
    )


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'featviz' has no attribute 'rendr'"):
        getattr(featviz, "rendr")  # noqa: B009  mypy knows that it is not there
