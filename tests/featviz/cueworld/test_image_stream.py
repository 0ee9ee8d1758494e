"""Images by number."""

from __future__ import annotations

import pytest
import torch

from featviz.cueworld import batches, draw, sample


@pytest.mark.parametrize("fewer", [1, 18, 25])
def test_more_images_of_a_seed_begin_with_the_fewer(fewer: int) -> None:
    more, some = draw(40, seed=3, size=32), draw(fewer, seed=3, size=32)
    assert torch.equal(some.images, more.images[:fewer])
    assert torch.equal(some.labels, more.labels[:fewer])
    assert torch.equal(some.masks, more.masks[:fewer])


def test_classes_take_turns() -> None:
    assert draw(40, seed=0, size=32).labels.tolist() == [*range(18), *range(18), 0, 1, 2, 3]


def test_batches_are_consecutive_and_complete() -> None:
    parts = list(batches(40, seed=3, size=32))
    assert [len(part.images) for part in parts] == [18, 18, 4]
    assert torch.equal(torch.cat([part.images for part in parts]), draw(40, 3, 32).images)
    assert not torch.equal(parts[0].images, parts[1].images)


def test_a_stream_begins_with_the_sample_of_its_seed() -> None:
    expected = sample(torch.arange(18), torch.Generator().manual_seed(11), 32)
    assert torch.equal(draw(18, seed=11, size=32).images, expected.images)


def test_two_streams_read_in_turns_are_independent() -> None:
    one, other = batches(36, seed=1, size=32), batches(36, seed=1, size=32)
    for first, second in zip(one, other, strict=True):
        assert torch.equal(first.images, second.images)


def test_drawing_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    draw(20, seed=0, size=32)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("count", [0, -3])
def test_no_image_at_all_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1 image, not {count}"):
        draw(count, seed=0)
