"""Why a worker died, in one line."""

from __future__ import annotations

from typing import Any

from ray.exceptions import RayError, RayTaskError

from featviz.errors import FeatvizError
from featviz.rendering.ray.cluster import reason

# As Ray 2.60 words the death of a process, shortened at the dots.
KILLED = """The actor died unexpectedly before finishing this task.
\tclass_name: Worker
\tactor_id: 8a670803
\tpid: 4129
\tip: 192.0.2.2
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit \
detail: Worker unexpectedly exits with a connection error code 2. End of file. Some common causes \
include: (1) the process was killed by the OOM killer due to high memory usage, (2) ...
"""


def raised(cause: Exception) -> Any:
    return RayTaskError("render", "Traceback ...", cause)


def test_the_detail_is_found_in_what_ray_says() -> None:
    assert reason(RayError(KILLED)) == "Worker unexpectedly exits with a connection error code 2"


def test_an_unknown_wording_is_cut_to_its_first_line() -> None:
    assert reason(RayError("\nThe node is gone.\nSee the logs.")) == "The node is gone."


def test_an_exception_in_a_worker_is_named() -> None:
    assert reason(raised(ValueError("no kernel\nfor this"))) == "ValueError: no kernel"
    assert reason(raised(KeyError())) == "KeyError: no reason given"
    assert reason(raised(FeatvizError("no model x"))) == "FeatvizError: no model x"
