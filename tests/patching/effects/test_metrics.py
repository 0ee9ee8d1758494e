"""Metrics, against numbers worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from featviz import FeatvizError, VisionModel
from featviz.addressing.directions import read_directions
from patching.effects.metrics import Reference, margins, measure, metric_for
from patching.settings import EMBEDDING_METRICS, METRICS
from tests.featviz.models.attention_models import attention_model

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


def saved(path: Path, array: object) -> str:
    np.save(path, np.array(array, np.float32))
    return str(path)


def headless(head: nn.Module | None = None) -> VisionModel:
    model = nn.Sequential()
    model.add_module("flat", nn.Flatten())
    model.add_module("head", head or nn.Identity())
    return VisionModel("tower", model, 2, (0.0,) * 3, (1.0,) * 3)


def test_metrics_of_embeddings_are_angles_and_lengths_worked_out_by_hand(tmp_path: Path) -> None:
    clean = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    (direction,) = read_directions(saved(tmp_path / "d.npy", [0, 5]))
    reference = Reference(None, clean, clean.roll(1, 0), direction)
    runs = torch.tensor([[[4.0, 3.0], [-2.0, 0.0]], [[3.0, 4.0], [5.0, 5.0]]])
    found = measure(runs, reference, EMBEDDING_METRICS)
    torch.testing.assert_close(
        found["cosine"], torch.tensor([[24 / 25, -1.0], [1.0, 0.5**0.5]]).double()
    )
    assert found["projection"].tolist() == [[3.0, 0.0], [4.0, 5.0]]
    assert reference.right.all()


def test_a_model_without_a_classifier_has_no_metric_of_labels(tmp_path: Path) -> None:
    tower, classifier = headless(), attention_model("ViT")
    assert metric_for(tower, None, None, "logit") == ("cosine", None)
    assert metric_for(classifier, None, None, "logit") == ("logit", None)
    assert metric_for(classifier, "cosine", None, "logit") == ("cosine", None)
    message = r"tower has no classifier, which the metric kl needs; use .* cosine, or .*--head"
    with pytest.raises(FeatvizError, match=message):
        metric_for(tower, "kl", None, "logit")
    with pytest.raises(FeatvizError, match="projection needs a direction"):
        metric_for(tower, "projection", None, "logit")
    file = saved(tmp_path / "d.npy", np.eye(12))
    with pytest.raises(FeatvizError, match="the metric cosine takes no direction"):
        metric_for(tower, "cosine", file, "logit")
    with pytest.raises(FeatvizError, match=r"has 12 directions; write .*d\.npy\.0 for one"):
        metric_for(tower, None, file, "logit")
    name, found = metric_for(tower, None, f"{file}.3", "logit")
    assert name == "projection"
    assert found is not None
    assert found.vector.tolist() == np.eye(12)[3].tolist()
    # A projection, as that of CLIP, is no classifier.
    projected = headless(nn.Linear(12, 5, bias=False))
    assert metric_for(projected, None, None, "logit") == ("cosine", None)
    short = saved(tmp_path / "short.npy", [1, 2])
    with pytest.raises(FeatvizError, match="length 2; the output of tower needs length 12"):
        metric_for(tower, "projection", short, "logit")
