"""Metrics, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from featviz import FeatvizError
from patching.effects.metrics import Reference, margins, measure
from patching.settings import METRICS

LABELS = torch.tensor([0, 2])
CLEAN = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0]])
CORRUPTED = torch.tensor([[0.0, -1.0, 2.0], [4.0, 2.0, 5.0]])
REFERENCE = Reference(LABELS, CLEAN, CORRUPTED)


def logits(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_each_metric_is_what_it_is_by_hand() -> None:
    found = measure(torch.tensor([[[1.0, 1.0, 1.0], [0.0, math.log(2), 0.0]]]), REFERENCE)
    assert tuple(found) == METRICS
    torch.testing.assert_close(found["probability"], torch.tensor([[1 / 3, 1 / 4]]).double())
    torch.testing.assert_close(found["logit"], torch.tensor([[1.0, 0.0]]).double())
    # In the corrupted run the best class except 0 is 2, and the best except 2 is 0.
    torch.testing.assert_close(found["logit_difference"], torch.tensor([[0.0, 0.0]]).double())
    clean = [[math.exp(x) / sum(map(math.exp, row)) for x in row] for row in CLEAN.tolist()]
    run = [[1 / 3] * 3, [1 / 4, 1 / 2, 1 / 4]]
    kl = [sum(p * math.log(p / q) for p, q in zip(*rows, strict=True)) for rows in zip(clean, run)]  # noqa: B905
    torch.testing.assert_close(found["kl"], torch.tensor([kl]).double())


def test_the_rival_is_the_same_for_every_run() -> None:
    found = measure(torch.stack([CLEAN, CORRUPTED]), REFERENCE)["logit_difference"]
    assert found.tolist() == [[1.0, 3.0], [-2.0, 1.0]]


def test_the_clean_run_has_no_divergence_from_itself_and_every_other_has_some() -> None:
    reference = Reference(torch.zeros(50, dtype=torch.long), logits(50, 7), logits(50, 7))
    assert not measure(reference.clean[None], reference)["kl"].any()
    others = reference.clean + logits(4, 50, 7)
    assert (measure(others, reference)["kl"] > 0).all()


def test_the_logit_difference_is_linear_and_blind_to_what_all_logits_share() -> None:
    reference = Reference(torch.arange(5), logits(5, 6), logits(2, 5, 6)[1])
    one, other = logits(2, 3, 5, 6).double()

    def difference(runs: Tensor) -> Tensor:
        return measure(runs, reference, ["logit_difference"])["logit_difference"]

    mixed = difference(0.25 * one + 0.75 * other)
    torch.testing.assert_close(mixed, 0.25 * difference(one) + 0.75 * difference(other))
    torch.testing.assert_close(difference(one + 7), difference(one))


def test_runs_may_come_one_at_a_time() -> None:
    runs = logits(3, 2, 3)
    together = measure(runs, REFERENCE)
    for number, run in enumerate(runs):
        for name, values in measure(run, REFERENCE).items():
            assert torch.equal(values, together[name][number])


def test_gradients_pass_through_every_metric() -> None:
    run = logits(2, 3).requires_grad_()
    for values in measure(run, REFERENCE).values():
        (slope,) = torch.autograd.grad(values.sum(), run)
        assert slope.abs().sum() > 0


def test_huge_logits_give_finite_numbers() -> None:
    reference = Reference(LABELS, CLEAN * 1e4, CORRUPTED * 1e4)
    for values in measure(torch.stack([CLEAN * 1e4, CORRUPTED * 1e4]), reference).values():
        assert values.isfinite().all()


def test_right_are_the_images_whose_largest_clean_logit_is_the_label_s() -> None:
    assert REFERENCE.right.tolist() == [True, True]
    assert Reference(torch.tensor([1, 2]), CLEAN, CORRUPTED).right.tolist() == [False, True]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (-1, "an image has no label; the classes of the model are 0 to 2"),
        (3, "an image is of class 3; the classes of the model are 0 to 2"),
    ],
)
def test_a_label_that_is_no_logit_is_refused(label: int, message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        Reference(torch.tensor([0, label]), CLEAN, CORRUPTED)


def test_an_unknown_metric_is_refused_with_the_nearest() -> None:
    with pytest.raises(FeatvizError, match="unknown metric 'probabilty'; did you mean probability"):
        measure(CLEAN, REFERENCE, ["probabilty"])


def test_a_margin_is_a_logit_minus_the_mean_of_the_others() -> None:
    logits = torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, -3.0]])
    assert margins(logits, [2, 0]).tolist() == [[4.5, -3.0], [-3.0, 1.5]]
