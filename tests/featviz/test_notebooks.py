"""What a notebook shows of results: pictures and tables, with every text escaped."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import featviz
import patching
from featviz._util.progress import Bar
from featviz.rendering.render import Rendering
from featviz.store.reader import Store
from tests.featviz.store.made_stores import renders, writer
from tests.featviz.toys import toy_vit

HOSTILE = '<script>alert("x")</script>&<img src=x onerror=alert(1)>'


class Page(HTMLParser):
    """The tags, the pictures, the cells and the text of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.pictures: list[Image.Image] = []
        self.titles: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "img":
            found = dict(attrs)
            start, data = str(found["src"]).split(",")
            assert start == "data:image/png;base64"
            self.titles.append(str(found["alt"]))
            self.pictures.append(Image.open(io.BytesIO(base64.b64decode(data))))

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


def made(
    count: int, samples: int = 1, size: int = 32, split: bool = False, **more: Any
) -> Rendering:
    units = [featviz.Unit("blocks.1.mlp.fc1", index) for index in range(count)]
    shape = (count, samples, *(2,) * split, size, size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    activation = np.arange(count * samples, dtype=np.float32).reshape(count, samples) + 0.12345
    trajectory = np.zeros((count, samples, 4), np.float32)
    return Rendering(units, images, activation, trajectory, **{"failures": {}, **more})


def page(result: Any) -> Page:
    return Page(result._repr_html_())


def test_a_rendering_is_a_row_of_pictures_with_addresses_and_activations() -> None:
    rendering = made(3, samples=2)
    shown = page(rendering)
    addresses = [str(unit) for unit in rendering.units]
    assert shown.titles == [address for address in addresses for _ in range(2)]
    assert all(address in shown.text for address in addresses)
    assert "2.123, 3.123" in shown.text
    assert np.array_equal(np.array(shown.pictures[3]), rendering.images[1, 1])


def test_large_pictures_are_scaled_down_and_only_the_first_units_are_shown() -> None:
    shown = page(made(40, samples=2, size=224))
    assert len(shown.pictures) == 32
    assert {picture.size for picture in shown.pictures} == {(112, 112)}
    assert "and 24 more units" in shown.text


def test_images_of_query_and_key_are_both_shown() -> None:
    assert len(page(made(2, samples=2, split=True)).pictures) == 8


def test_failed_and_constant_units_are_named_with_the_reason() -> None:
    failed, gray = featviz.Unit("head", 1), featviz.Unit("blocks.1.mlp.fc1", 0)
    shown = page(made(1, failures={failed: "broken"}, constants={gray: "no gradient"}))
    assert "failed: head:1: broken" in shown.text
    assert "no gradient" in shown.text


def test_a_rendering_without_units_is_an_empty_row() -> None:
    assert page(made(0)).pictures == []
    assert repr(made(0)).startswith("<Rendering of 0 units")


def test_names_of_units_and_reasons_are_escaped() -> None:
    unit = featviz.Unit(HOSTILE, 0)
    rendering = made(1, failures={unit: HOSTILE})
    rendering.units[0] = unit
    shown = page(rendering)
    assert {"script", "a"}.isdisjoint(shown.tags)
    assert "onerror" not in shown.attributes
    assert shown.titles == [f"{HOSTILE}:0"]


def test_a_store_is_a_table_of_its_facts_with_every_text_escaped(tmp_path: Path) -> None:
    adding = writer(tmp_path / "s", configuration={"steps": 7, "note": HOSTILE})
    adding.add(renders(["patch_embed:0"]))
    adding.add({"address": [HOSTILE], "error": [HOSTILE]}, "failures")
    shown = page(Store(tmp_path / "s"))
    assert {"script", "img"}.isdisjoint(shown.tags)
    assert "renders: steps\n7\n" in shown.text
    assert f"{HOSTILE}: {HOSTILE}" in shown.text
    assert repr(Store(tmp_path / "s")) == f"Store({str(tmp_path / 's')!r})"


@pytest.fixture(scope="module")
def table() -> patching.Table:
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return patching.sweep(toy_vit(), images, images.flip(0), torch.tensor([0, 1]))


def test_a_table_of_effects_shows_the_mean_of_each_site(table: patching.Table) -> None:
    shown = page(table.select(metric="probability"))
    assert [f"{value:.4g}\n" in shown.text for value in table.effect[0].mean(1)] == [True] * 4
    assert "denoising, 1 metrics, 4 sites, 2 images" in shown.text
    assert page(table.images(np.zeros(2, bool))).text.count("attn_out") == 4


@pytest.mark.parametrize("length", [100])
def test_reprs_are_one_short_line(table: patching.Table, length: int) -> None:
    for result in (table, made(3)):
        assert len(repr(result)) < length
        assert "\n" not in repr(result)


def test_progress_true_shows_a_bar_that_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    featviz.render(toy_vit(), "patch_embed:0-1", samples=2, steps=2, progress=True)
    assert "100%" in (shown := capsys.readouterr().err)
    assert "4/4" in shown
    featviz.render(toy_vit(), "patch_embed:0", steps=1, progress=False)
    assert capsys.readouterr().err == ""


def test_a_bar_does_not_appear_before_the_first_call(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    assert capsys.readouterr().err == ""
    bar(0.5, 2)
    assert "0/2" in capsys.readouterr().err


def test_a_mistake_is_one_line_without_a_traceback() -> None:
    """IPython calls this method of an exception."""
    with pytest.raises(featviz.FeatvizError) as raised:
        featviz.render(toy_vit(), "layer4:0")
    (line,) = raised.value._render_traceback_()
    assert line.startswith(f"{type(raised.value).__name__}: the model has no module layer4")


def test_the_public_names_are_listed() -> None:
    assert set(featviz.__all__) <= set(dir(featviz))
    assert set(patching.__all__) <= set(dir(patching))
