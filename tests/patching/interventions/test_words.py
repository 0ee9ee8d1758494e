"""Words drawn into images."""

from __future__ import annotations

import pytest
import torch

from featviz.errors import FeatvizError
from patching.interventions.words import draw_word


@pytest.mark.parametrize("size", [64, 128, 224, 518])
def test_a_word_is_black_on_white_at_the_same_place_and_nothing_else_changes(size: int) -> None:
    images = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    found = draw_word(images, "iPod")
    changed = (found != images).any(1)
    rows, columns = changed.any(0).any(1).nonzero()[:, 0], changed.any(0).any(0).nonzero()[:, 0]
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    assert changed[(slice(None), *box)].all()
    assert not changed.sum() > 3 * len(rows) * len(columns)
    label = found[(slice(None), slice(None), *box)]
    assert torch.equal(label, label[:1, :1].expand_as(label))
    assert label.amin() < 0.1
    assert label.amax() == 1
    assert (label == 1).float().mean() > 0.5
    assert len(rows) >= size / 8
    # Centered from left to right.
    assert abs(int(columns[0]) + int(columns[-1]) + 1 - size) <= 1
    assert rows[0] > size / 2


def test_longer_words_are_drawn_smaller_until_they_do_not_fit() -> None:
    images = torch.full((1, 3, 224, 224), 0.5)
    heights = [
        int((draw_word(images, word) != images)[0, 0].any(1).sum())
        for word in ("tea", "golden retriever", "a golden retriever puppy")
    ]
    assert heights[0] > heights[1] > heights[2] >= 1.5 * 224 / 14 - 1
    message = r"^the word 'm{40}' does not fit into images of 224 pixels; use at most about (\d+)"
    with pytest.raises(FeatvizError, match=message) as caught:
        draw_word(images, "m" * 40)
    fits = int(str(caught.value).split("about ")[1].split()[0])
    assert (draw_word(images, "m" * fits) != images).any()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("two\nlines", r"^expected word:TEXT with a line of text, got 'two\\nlines'$"),
        ("", r"^expected word:TEXT with a line of text, got ''$"),
        ("猫", "^the font has no character '猫'; use another word$"),
    ],
)
def test_what_cannot_be_drawn_is_refused(word: str, message: str) -> None:
    with pytest.raises(FeatvizError, match=message):
        draw_word(torch.zeros(1, 3, 64, 64), word)
