from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from featviz._util.seeding import generator_for
from featviz.cueworld import draw
from featviz.errors import FeatvizError
from patching.attribution.fidelity import sampled
from patching.effects.bootstrap import intervals, peak_counts

SEEDS = [0.0, False, np.False_, torch.tensor(0.0), torch.tensor(False), None]


@pytest.mark.parametrize("number", [np.int64(7), np.uint8(7), torch.tensor(7)])
def test_whole_numbers_of_numpy_and_pytorch_make_the_generator_of_their_value(number: Any) -> None:
    state = generator_for("a purpose", 7).get_state()
    assert torch.equal(generator_for("a purpose", number).get_state(), state)


@pytest.mark.parametrize("seed", SEEDS, ids=repr)
def test_a_seed_that_is_no_whole_number_is_refused(seed: Any) -> None:
    values = np.random.default_rng(0).standard_normal((5, 2))
    for use in (
        lambda: generator_for("a purpose", seed),
        lambda: intervals(values, seed=seed),
        lambda: peak_counts(values, seed=seed),
        lambda: sampled([], 1, seed),
    ):
        with pytest.raises(FeatvizError, match="seed must be a whole number, got"):
            use()


def test_images_of_cueworld_accept_whole_numbers_of_numpy() -> None:
    assert torch.equal(draw(2, seed=np.int64(5)).images, draw(2, seed=5).images)  # type: ignore[arg-type]
