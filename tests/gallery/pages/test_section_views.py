"""The sections of a model's page in a real browser, opened from the file system."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import gallery
from tests.gallery import results
from tests.gallery.browsing import back, eventually, fits, open_page
from tests.gallery.made_stores import activation, write_store
from tests.gallery.results import LAYERS, LOGIT, write_everything, write_results

NEURONS = ["blocks.2.mlp.fc1:3", "blocks.10.mlp.fc1:3"]
ROUTES = ["filters", "attention", "grids", "gradients", "tokens", "compare", "traces"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sections")
    mixer = {"model": results.OTHER["model"], "fingerprint": results.OTHER["fingerprint"]}
    filters = results.filters([f"stem:{i}" for i in range(120)])
    stores = [
        write_everything(folder / "all", NEURONS),
        write_store(folder / "units", [*NEURONS, f"{NEURONS[0]}@2"], failures={"head:1": "NaN"}),
        write_store(folder / "other", ["patch_embed:9"], **mixer),
        write_results(folder / "filters", "filters", filters, **mixer),
        write_results(
            folder / "alone", "filters", filters, model="m", fingerprint="cd" * 32, sites=["stem"]
        ),
    ]
    gallery.export(stores, folder / "site")
    return folder / "site"


@pytest.fixture(scope="module")
def model_page(site: Path) -> Path:
    (found,) = site.glob("cueworld-vit-*.html")
    return found


def decoded(page: Page) -> None:
    """Wait until every picture is there, in sight or not."""
    page.evaluate(
        """Promise.all([...document.querySelectorAll("#section img")].map((image) => {
            image.loading = "eager";
            return image.decode();
        }))"""
    )


def width(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["width"]


def number(element: Locator) -> float:
    return numbers(element)[0]


def numbers(elements: Locator) -> list[float]:
    """Numbers that elements show; NaN for one that is empty, as those out of sight are."""
    return [float(text or "nan") for text in elements.all_inner_texts()]


def test_the_page_leads_to_each_section_with_its_count(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    links = page.locator("#views a")
    expect(links).to_have_text(
        [
            "Units 5",
            "Map",
            "Heads 2",
            "Filters 24",
            "Attention 6",
            "Grids 2",
            "Gradients 2",
            "Positions 2",
            "Comparison 2",
            "Patching 3",
            "Labels and lists",
        ]
    )
    for link, name in zip(links.all()[2:-1], ["heads", *ROUTES], strict=True):
        link.click()
        expect(page.locator("#section .title")).to_be_visible()
        expect(page).to_have_url(f"{model_page.as_uri()}#{name}")
        expect(page.locator("#views [aria-current=page]")).to_have_attribute("href", f"#{name}")
        expect(page.locator("#units")).to_be_hidden()
    links.first.click()
    expect(page.locator(".cell").first).to_be_visible()
    expect(page.locator("#section")).to_be_hidden()


def test_a_page_without_other_results_has_no_such_links(page: Page, tmp_path: Path) -> None:
    gallery.export([write_store(tmp_path / "a", NEURONS)], tmp_path / "site")
    (found,) = (tmp_path / "site").glob("cueworld-*.html")
    open_page(page, found, "#filters")
    expect(page.locator(".cell")).to_have_count(2)
    expect(page.locator("#views a")).to_have_text(["Units 2", "Labels and lists"])
    expect(page.locator("#section")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "item", "count"),
    [
        ("filters", ".chip", 24 + 6),
        ("attention", ".card-head", 6),
        ("grids", ".grid-table table", 2),
        ("gradients", ".triple", 2 * 3),
        ("tokens", ".token-map", 2),
        ("compare", ".match", 2),
        ("traces", ".labeled", 3),
    ],
)
def test_a_link_opens_a_section_with_all_its_pictures(
    name: str, item: str, count: int, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#{name}")
    expect(page.locator(f"#section {item}")).to_have_count(count)
    decoded(page)
    alts = page.locator("#section button.zoom img").evaluate_all("all => all.map((i) => i.alt)")
    assert all(alts)
    assert len(set(alts)) == len(alts)


@pytest.mark.parametrize("screen", [320, 768, 1280])
def test_no_section_is_wider_than_the_screen(screen: int, page: Page, model_page: Path) -> None:
    page.set_viewport_size({"width": screen, "height": 800})
    for name in ROUTES:
        open_page(page, model_page, f"#{name}")
        expect(page.locator("#section .title")).to_be_visible()
        fits(page, screen)
    open_page(page, model_page.with_name("index.html"))
    fits(page, screen)


def test_heat_maps_are_enlarged_by_a_whole_number_without_smoothing(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#attention")
    decoded(page)
    for picture in page.locator(".maps img:not(.legend img)").all():
        scale = width(picture) / picture.evaluate("node => node.naturalWidth")
        assert scale == round(scale) >= 8
        expect(picture).to_have_css("image-rendering", "pixelated")


def test_the_shares_of_a_head_add_up_and_the_bar_shows_them(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#attention")
    card = page.locator(".card-head").first
    expect(card.locator(".bar")).to_be_visible()
    shares = [float(text.split()[0].strip("%")) for text in card.locator("b").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    bar = width(card.locator(".bar"))
    widths = [width(part) for part in card.locator(".bar span").all()]
    assert widths == pytest.approx([bar * share / 100 for share in shares], abs=1)


def test_a_class_of_filters_has_its_count_and_its_share_of_the_bar(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#filters")
    facts = page.locator("#section section .heading p")
    expect(facts).to_have_text([re.compile(rf"^{count}\s") for count in (14, 6, 4)])
    for section, count in zip(page.locator("#section section").all(), (14, 6, 4), strict=True):
        expect(section.locator(".chip")).to_have_count(count)
    widths = [width(part) for part in page.locator(".bar").first.locator("span").all()]
    assert widths == pytest.approx([sum(widths) * n / 24 for n in (14, 6, 4)], abs=1)


def test_a_click_enlarges_and_the_keyboard_goes_on_and_returns(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#filters")
    buttons = page.locator("#section button.zoom")
    expect(buttons.nth(4)).to_be_visible()
    names = buttons.locator("img").evaluate_all("all => all.map((image) => image.alt)")
    buttons.nth(3).click()
    dialog = page.locator("dialog#zoom")
    expect(dialog).to_be_visible()
    picture = dialog.locator("figure > img")
    expect(picture).to_have_attribute("alt", names[3])
    eventually(lambda: width(picture) % 8, 0)
    eventually(lambda: width(picture) > 400)
    page.keyboard.press("ArrowRight")
    expect(picture).to_have_attribute("alt", names[4])
    expect(dialog.locator("b")).to_have_text(names[4].split(",")[0])
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(picture).to_have_attribute("alt", names[2])
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(buttons.nth(2)).to_be_focused()  # the event that moves the focus comes after closing
    eventually(lambda: page.url.endswith("#filters"))


def test_the_values_behind_a_token_map_come_when_it_is_opened(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#tokens={NEURONS[0]}")
    figure = page.locator(".token-map").first
    expect(figure.locator("table")).to_have_count(0)
    figure.get_by_text("4 tokens").click()
    rows = figure.locator("tbody tr")
    expect(rows.last).to_be_visible()
    expect(rows).to_have_count(4)
    columns = results.tokens(NEURONS)
    for i, row in enumerate(rows.all()):
        token, optimum, reached, share, likeness = row.locator("th, td").all_inner_texts()
        assert token == str(columns["tokens"][0][i])
        assert float(optimum) == pytest.approx(columns["optimum"][0][i], rel=5e-4)
        assert float(reached) == pytest.approx(columns["reached"][0][i], rel=5e-4)
        wanted = 100 * columns["reached"][0][i] / columns["optimum"][0][i]
        assert float(share.strip("\u00a0%")) == pytest.approx(wanted, abs=0.06)
        assert float(likeness) == pytest.approx(columns["similarity"][0][i], abs=0.006)
    # Of the four tokens the second has a picture of its own.
    expect(rows.locator("a")).to_have_text(["2"])
    rows.locator("a").click()
    expect(page.locator("#unit h1")).to_have_text(f"{NEURONS[0]}@2")


def test_back_and_escape_return_from_a_unit_to_the_section_it_was_opened_from(
    page: Page, model_page: Path
) -> None:
    page.set_viewport_size({"width": 800, "height": 400})
    open_page(page, model_page, "#tokens")
    link = page.locator(".token-map a").last
    link.scroll_into_view_if_needed()
    position = page.evaluate("scrollY")
    assert position > 0
    leaves: list[Callable[[], None]] = [
        lambda: back(page),
        lambda: page.keyboard.press("Escape"),
    ]
    for leave in leaves:
        link.click()
        expect(page.locator("#unit h1")).to_have_text(NEURONS[1])
        leave()
        expect(link).to_be_in_viewport()
        eventually(lambda: page.evaluate("scrollY"), pytest.approx(position, abs=2))
        eventually(lambda: page.evaluate("document.activeElement.hash"), f"#unit={NEURONS[1]}")


@pytest.mark.parametrize("way", ["link", "back"])
def test_a_section_is_found_where_escape_left_it(way: str, page: Page, model_page: Path) -> None:
    page.set_viewport_size({"width": 800, "height": 400})
    open_page(page, model_page, "#tokens")
    last = page.locator(".token-map a").last
    last.scroll_into_view_if_needed()
    position = page.evaluate("scrollY")
    assert position > 0
    page.keyboard.press("Escape")
    expect(page.locator(".cell").first).to_be_visible()
    if way == "back":
        back(page)
    else:
        page.locator("#views a[href='#tokens']").evaluate("link => link.click()")
    expect(last).to_be_in_viewport()
    eventually(lambda: page.evaluate("scrollY"), pytest.approx(position, abs=2))


def test_the_keyboard_opens_each_section_from_its_link(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    for name in ["heads", *ROUTES]:
        page.locator(f"#views a[href='#{name}']").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#views [aria-current=page]")).to_have_attribute("href", f"#{name}")
        expect(page.locator("#section .title")).to_be_visible()
    page.locator("#views a").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".cell").first).to_be_visible()


def test_a_unit_has_links_to_related_results(page: Page, model_page: Path) -> None:
    page.set_viewport_size({"width": 800, "height": 500})
    open_page(page, model_page, f"#unit={LOGIT}")
    links = page.locator(".related a")
    expect(links).to_have_text(["attention map", "gradients on images"])
    links.first.click()
    card = page.get_by_role("article", name="blocks.2.attn.qk:0")
    expect(card).to_be_in_viewport()
    expect(card.locator("button.zoom").first).to_be_focused()
    back(page)
    expect(page.locator("#unit h1")).to_have_text(LOGIT)
    links.nth(1).click()
    expect(page.locator(".gradient", has_text=LOGIT)).to_be_in_viewport()


def test_a_logit_of_two_images_shows_query_and_key(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    cell = page.get_by_role("link", name=LOGIT, exact=True)
    other = page.get_by_role("link", name=NEURONS[0], exact=True)
    eventually(lambda: width(cell) > 1.9 * width(other))
    cell.click()
    block = page.locator(".render.sides")
    values = activation(LOGIT, 2)
    order = sorted(range(2), key=lambda sample: -values[sample])
    for rank, sample in enumerate(order):
        block.locator(".choice").nth(rank).click()
        expect(block.locator(".large .side")).to_have_text(["query", "key"])
        for place, side in enumerate(("query", "key")):
            expect(block.locator(".large img").nth(place)).to_have_attribute(
                "alt", f"{LOGIT}, sample {rank + 1}, {side} side"
            )
        value = block.locator(".samples figcaption b")
        eventually(partial(number, value), pytest.approx(values[sample], rel=5e-4))
        page.wait_for_function(
            "() => [...document.querySelectorAll('.large img')].every((i) => i.naturalWidth === 32)"
        )
        sources = block.locator(".large img").evaluate_all("all => all.map((image) => image.src)")
        links = block.locator("a.download").evaluate_all("all => all.map((link) => link.href)")
        assert links == sources
        assert [source[-8:] for source in sources] == [f"{sample}-0.webp", f"{sample}-1.webp"]


def test_pictures_of_pairs_in_a_strip_do_not_overlap(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={NEURONS[0]}")
    strip = page.get_by_role("region", name="Units with similar pictures")
    pictures = strip.locator("a > :first-child")
    expect(pictures.first).to_be_visible()
    boxes = pictures.evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).map(({ x, y, width }) => "
        "[x, y, width])"
    )
    assert max(wide for _, _, wide in boxes) == 192
    for (x, y, wide), (next_x, next_y, _) in itertools.pairwise(boxes):
        assert next_y > y or x + wide < next_x


def test_layers_are_labeled_and_a_pointer_reads_the_value(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#compare")
    plot = page.locator("svg.layers")
    expect(plot.locator(".tick")).to_have_count(4 + 3)
    labels = plot.locator(".tick title")
    eventually(labels.all_text_contents, ["blocks.0", "blocks.1", "blocks.2", "blocks.10", *LAYERS])
    expect(plot.locator(".name")).to_have_text(["cueworld/mixer", "cueworld/vit"])
    wanted = results.values(["blocks.0", "blocks.1", "blocks.2", "blocks.10"], 3)
    box = plot.locator("image").bounding_box()
    assert box is not None
    side = box["width"] / 3
    assert box["height"] == pytest.approx(4 * side, abs=4 / 60)  # Firefox lays out in sixtieths
    page.mouse.move(box["x"] + 1.5 * side, box["y"] + 3.5 * side)
    said = page.locator(".cka output")
    expect(said).to_have_text(f"blocks.10\u00a0\u00b7 {LAYERS[1]}\u00a0\u00b7 {wanted[3, 1]:.2f}")
    page.get_by_text("Values").click()
    cells = page.locator("table tbody tr").nth(2).locator("td")
    expect(cells).to_have_count(3)
    eventually(lambda: numbers(cells), pytest.approx(wanted[2], abs=0.006))


def test_labels_of_many_long_layer_names_neither_overlap_nor_leave_the_plot(
    page: Page, tmp_path: Path
) -> None:
    rows = [f"inception.{i}.branch.of.a.long.name" for i in range(40)]
    configuration = {"other": results.OTHER, "layers": LAYERS}
    store = write_results(tmp_path / "a", "cka", results.cka(rows), configuration)
    gallery.export([store], tmp_path / "site")
    (found,) = (tmp_path / "site").glob("cueworld-*.html")
    page.set_viewport_size({"width": 400, "height": 800})
    open_page(page, found, "#compare")
    plot = page.locator("svg.layers")
    expect(plot).to_be_visible()
    expect(plot.locator(".tick[text-anchor=end]").nth(10)).to_be_visible()
    outer = plot.bounding_box()
    assert outer is not None
    boxes = [tick.bounding_box() for tick in plot.locator(".tick[text-anchor=end]").all()]
    assert len(boxes) > 10
    for one, other in itertools.pairwise(boxes):
        assert one is not None
        assert other is not None
        assert one["y"] + one["height"] <= other["y"] + 3  # of air within the letters' boxes
        assert one["x"] >= outer["x"]


def test_a_matched_unit_opens_in_the_other_models_page(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#compare")
    matches = page.locator(".match")
    expect(matches.first.locator(".who a")).to_have_text([NEURONS[0]])
    expect(matches.last.locator(".who a")).to_have_text([NEURONS[1], "patch_embed:9"])
    values = matches.locator("figcaption b")
    eventually(lambda: numbers(values), pytest.approx(results.values(NEURONS), abs=0.006))
    matches.last.get_by_text("patch_embed:9").click()
    expect(page.locator("#unit h1")).to_have_text("patch_embed:9")
    expect(page.locator("#unit .breadcrumbs")).to_contain_text("cueworld/mixer")


def test_a_store_without_units_opens_with_what_it_has(page: Page, site: Path) -> None:
    (found,) = site.glob("m-*.html")
    open_page(page, found)
    expect(page.locator("#section .title")).to_have_text("Filters")
    expect(page.locator(".chip")).to_have_count(120)
    expect(page.locator("#views a")).to_have_text([re.compile("^Filters"), "Labels and lists"])
    expect(page.locator("#facts")).to_have_text("weights cdcdcdcd")


def test_the_index_shows_the_filters_of_all_models(page: Page, site: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    open_page(page, site / "index.html", "#filters")
    expect(page.get_by_role("heading", name="First-layer filters")).to_be_in_viewport()
    strips = page.locator("#strips li")
    expect(strips.locator("h3")).to_have_text(["cueworld/vit", "cueworld/mixer", "m"])
    for strip, shown in zip(strips.all(), (24, 96, 96), strict=True):
        expect(strip.locator("img")).to_have_count(shown)
    expect(strips.nth(1).locator("p")).to_contain_text("96 of 120\u00a0filters")
    strips.nth(1).locator("h3 a").click()
    expect(page.locator("h1#name")).to_have_text("cueworld/mixer")
    expect(page.locator(".chip")).to_have_count(120)


def test_the_filters_of_one_model_alone_are_not_compared(page: Page, tmp_path: Path) -> None:
    store = write_results(tmp_path / "a", "filters", results.filters(["stem:0", "stem:1"]))
    gallery.export([store], tmp_path / "site")
    open_page(page, tmp_path / "site" / "index.html", "#filters")
    expect(page.locator("#models h2")).to_have_count(1)
    expect(page.locator("#filters")).to_be_hidden()


def test_failures_are_reached_from_a_section(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#tokens")
    expect(page.locator("#section .title")).to_be_visible()
    page.get_by_role("link", name="1 failed").click()
    expect(page.locator("#failed")).to_be_in_viewport()
    expect(page.locator("#section")).to_be_hidden()


def test_the_skip_link_stays_in_the_section(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#tokens")
    expect(page.locator(".token-map")).to_have_count(2)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(".token-map")).to_have_count(2)
    eventually(lambda: page.evaluate("document.activeElement.className"), "zoom")


@pytest.mark.parametrize("hash_", ["#tokens=none", "#tokens=%E0%A4%A", "#tokens="])
def test_a_link_to_nothing_in_a_section_opens_the_section(
    hash_: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, hash_)
    expect(page.locator(".token-map")).to_have_count(2)


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString", "filter"])
def test_a_hash_that_names_no_section_opens_the_units(
    name: str, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#{name}")
    expect(page.locator(".cell")).to_have_count(5)
    expect(page.locator("#section")).to_be_hidden()


def test_a_missing_section_is_named(browser: Browser, site: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(site, tmp_path / "site")
    (broken / "data-1/1/sections/tokens.js").unlink()
    page = browser.new_page()
    (found,) = broken.glob("cueworld-vit-*.html")
    open_page(page, found, "#tokens")
    expect(page.get_by_text("A file of this gallery is missing")).to_contain_text("tokens.js")
    page.close()


def test_on_a_phone_the_link_of_the_section_that_is_shown_is_in_sight(
    page: Page, model_page: Path
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    open_page(page, model_page, "#traces")
    current = page.locator("#views a[aria-current=page]")
    expect(current).to_contain_text("Patching")
    expect(current).to_be_in_viewport(ratio=0.9)
