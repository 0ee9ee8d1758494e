"""The HTML that embeds a unit in another page."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from tests.gallery.browser.sources import call

ODD = """<script>alert("1")</script> & 'x'"""
UNIT = {
    "address": ODD,
    "model": ODD,
    "weights": ODD,
    "headline": ODD,
    "activation": "\u22121.250",
    "link": "https://example.org/m.html#unit=a&b",
}
PICTURES = [{"url": "data:image/webp;base64,UklGRg==", "side": ""}]
SIZE = {"width": 256, "height": 192, "crisp": True}


class Parsed(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(code)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(**changes: Any) -> Parsed:
    return Parsed(call("unit/embed-code.js", "embedCode", UNIT | changes, PICTURES, SIZE))


def test_names_of_a_store_are_text_and_never_markup() -> None:
    found = parsed()
    assert {tag for tag, _ in found.tags} == {
        "figure",
        "span",
        "img",
        "figcaption",
        "a",
        "code",
        "br",
    }
    assert found.text.count(ODD) == 4
    (image,) = [attributes for tag, attributes in found.tags if tag == "img"]
    assert image["alt"] == f"Feature visualization of {ODD} of {ODD}: {ODD}"
    assert image["src"] == PICTURES[0]["url"]
    assert (image["width"], image["height"]) == ("256", "192")
    assert "activation \u22121.250" in found.text


@pytest.mark.parametrize("link", [UNIT["link"], None])
def test_a_link_is_there_if_others_can_follow_it(link: str | None) -> None:
    links = [attributes["href"] for tag, attributes in parsed(link=link).tags if tag == "a"]
    assert links == ([] if link is None else [link])


def test_no_color_is_set_so_that_it_fits_light_and_dark_pages() -> None:
    styles = [attributes.get("style") or "" for _, attributes in parsed().tags]
    declared = {one.split(":")[0] for style in styles for one in style.split(";") if one}
    assert "background" not in declared
    colors = {one for style in styles for one in style.split(";") if one.startswith("color")}
    assert colors == {"color:inherit"}
    assert not any("url(" in style or "var(" in style for style in styles)
