from __future__ import annotations

import itertools
import math

import pytest
import torch

from featviz.optimization.schedule import frequency_cutoff, learning_rate, masked_step
from featviz.parametrization.fourier import Fourier


@pytest.mark.parametrize("cooldown", [1.0, 0.5, 0.25])
def test_the_learning_rate_is_constant_and_falls_to_zero_in_the_cooldown(cooldown: float) -> None:
    rates = [learning_rate(0.3, cooldown, step, 64) for step in range(64)]
    first = round(64 * (1 - cooldown))
    assert rates[: first + 1] == [0.3] * (first + 1)
    assert rates[(first + 64) // 2] == pytest.approx(0.15)
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[first:]))
    assert 0 < rates[-1] < 0.01 * rates[0] / cooldown**2


def test_the_frequency_cutoff_rises_by_equal_factors_from_4_cycles_to_the_diagonal() -> None:
    cutoffs = [frequency_cutoff(0.5, 100, step, 64) for step in range(64)]
    assert cutoffs[0] == pytest.approx(4 / 100)
    factors = [later / earlier for earlier, later in itertools.pairwise(cutoffs[:32])]
    assert factors == pytest.approx([(math.sqrt(0.5) * 25) ** (1 / 32)] * 31)
    assert cutoffs[32:] == [math.inf] * 32
    assert frequency_cutoff(0.0, 100, 0, 64) == math.inf


def test_a_masked_step_changes_only_frequencies_up_to_the_cutoff() -> None:
    image = Fourier(32, 32)
    initial = image.initial(torch.Generator().manual_seed(0))[None]
    parameters = initial.clone().requires_grad_()
    optimizer = torch.optim.Adam([parameters], lr=0.01)
    cycles = torch.hypot(torch.fft.fftfreq(32)[:, None], torch.fft.rfftfreq(32))
    for step, bound in [(0, 4 / 32), (2, (4 / 32 * math.sqrt(0.5)) ** 0.5), (4, math.inf)]:
        before = parameters.detach().clone()
        parameters.grad = torch.ones_like(parameters)
        cutoff = frequency_cutoff(0.5, 32, step, 8)
        masked_step(optimizer, parameters, initial, image.frequencies(), cutoff)
        expected = (cycles <= bound * (1 + 1e-6))[..., None]
        assert torch.equal(parameters != before, expected.expand_as(before))


def test_the_first_step_of_a_masked_parameter_is_no_longer_than_the_learning_rate() -> None:
    """Adam's moments know its gradients already."""
    initial = torch.zeros(2)
    parameters = initial.clone().requires_grad_()
    optimizer = torch.optim.Adam([parameters], lr=0.1)
    for cutoff in (0.2, 0.2, 0.2, math.inf, math.inf):
        parameters.grad = torch.tensor([1.0, -1.0])
        masked_step(optimizer, parameters, initial, torch.tensor([0.1, 0.4]), cutoff)
    assert parameters.tolist() == pytest.approx([-0.5, 0.2], rel=1e-4)
