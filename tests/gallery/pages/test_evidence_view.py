"""Evidence on a unit's page, and the report, in Chromium from the file system."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

import gallery
from featviz.analysis.evidence.unit_evidence import read_evidence
from tests.featviz.analysis.evidence.rows import scores
from tests.gallery.browsing import allow_clipboard, eventually, fits, open_page, violations
from tests.gallery.evidence import HOSTILE, LOGIT, SITE, UNITS, write_evidence
from tests.gallery.made_stores import write_store
from tests.gallery.results import write_results


@pytest.fixture(scope="session")
def browser_name() -> str:
    """Run these tests in one browser: they use nothing that browsers do unlike."""
    return "chromium"


@pytest.fixture(scope="module")
def model_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evidence")
    gallery.export([write_evidence(folder / "s")], folder / "site")
    (found,) = (folder / "site").glob("cueworld-vit-*.html")
    return found


def block(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def test_natural_images_are_shown_with_activation_and_class(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    top = block(page, "Highest activation").locator("figure")
    expect(top).to_have_count(3)
    expect(top.nth(0).locator("b")).to_have_text("4.000")
    expect(top.nth(0).locator("bdi")).to_have_text("bar")
    expect(top.nth(1).locator("bdi")).to_have_text(HOSTILE)
    expect(block(page, "Examples by percentile").locator(".quantile")).to_have_text(
        [re.compile(f"^{share}\\s%$") for share in (25, 50, 75)]
    )
    block(page, "Lowest activation").scroll_into_view_if_needed()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.example img')].every((one) => one.naturalWidth)"
    )
    expect(page.locator(".example img").first).to_have_attribute(
        "alt", "Natural image 8, bar, activation 4.000"
    )


def test_activation_maps_are_shown_on_demand_and_the_choice_is_kept(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    nine = page.locator("figure.nine")
    layers = nine.locator(".patch-map")
    expect(layers).to_have_count(3)
    expect(layers.first).to_be_hidden()
    switch = nine.get_by_role("button", name="Activation maps")
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(layers.first).to_be_visible()
    expect(nine.get_by_role("img", name="Dark: activation 0.00 or lower")).to_have_text(
        "≤ 0.00≥ 7.00"
    )
    # The layer of the best image: dark blue, clear at the best patch.
    opacity = layers.first.evaluate(
        """(map) => [...map.getContext("2d").getImageData(0, 0, map.width, map.height).data]
            .filter((_, i) => i % 4 === 3)"""
    )
    assert opacity == [217, 173, 116, 72, 14, 0]
    # It covers the image, and takes no click from it.
    assert layers.first.bounding_box() == nine.locator(".framed").first.bounding_box()
    nine.locator("button.zoom").first.click()
    dialog = page.locator("#zoom")
    expect(dialog.locator(".patch-map")).to_be_visible()
    dialog.get_by_role("button", name="Activation maps").click()
    expect(dialog.locator(".patch-map")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    expect(layers.first).to_be_visible()
    page.reload()
    expect(page.locator("figure.nine .patch-map").first).to_be_visible()
    assert violations(page) == []


def test_a_unit_without_maps_has_no_switch(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[1]}")
    expect(page.locator("figure.nine img").first).to_be_visible()
    expect(page.get_by_role("button", name="Activation maps")).to_have_count(0)


def test_correlated_units_are_a_strip_with_the_correlation(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    strip = page.get_by_role("region", name="Correlated units")
    expect(strip.locator(".caption")).to_have_text([f"{UNITS[1].removeprefix('blocks.')}1.00"])


def test_the_answer_is_on_the_first_screen(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    verdict = block(page, "Verdict")
    expect(verdict.locator(".headline")).to_have_text(
        "0.8\u00d7 best image necessary and sufficient for stripes"
    )
    expect(verdict.get_by_role("listitem")).to_have_text(
        [
            re.compile("Activation below that of the best natural image$"),
            re.compile("Optimization converged$"),
            re.compile("Hidden activations match those of its top natural images$"),
            re.compile("Necessary for stripes$"),
            re.compile("Sufficient for stripes$"),
            re.compile("Own picture has a larger effect"),
        ]
    )
    picture = page.locator(".large img").bounding_box()
    nine = page.locator(".nine-images").bounding_box()
    said = verdict.bounding_box()
    assert picture is not None
    assert nine is not None
    assert said is not None
    assert picture["y"] == nine["y"] == pytest.approx(said["y"], abs=1)
    assert picture["x"] + picture["width"] < nine["x"] < nine["x"] + nine["width"] < said["x"]
    # Three natural images fill a third of nine, which are as high as the picture.
    assert nine["width"] == pytest.approx(picture["height"], abs=1)
    assert nine["height"] == pytest.approx(picture["height"] / 3, abs=3)
    assert said["y"] + said["height"] < 800
    expect(page.locator(".how-made")).not_to_have_attribute("open", "")
    expect(page.locator(".command")).to_be_hidden()


def test_a_key_copies_the_command_while_it_is_folded(
    page: Page, context: BrowserContext, model_page: Path
) -> None:
    allow_clipboard(context)
    open_page(page, model_page, f"#unit={UNITS[0]}")
    expect(page.locator(".how-made")).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator(".message")).to_have_text("Command copied")
    expect(page.locator(".command")).to_be_visible()


def test_natural_images_open_enlarged_with_class_and_dataset(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    buttons = page.locator(".nine-images").get_by_role("button")
    expect(buttons).to_have_count(3)
    buttons.nth(0).click()
    dialog = page.get_by_role("dialog", name="Enlarged picture")
    expect(dialog.get_by_role("img", name="Natural image 8, bar, activation 4.000")).to_be_visible()
    expect(dialog).to_contain_text(re.compile(r"4\.000\s· bar\s· image 8 of photos & <b>more</b>"))
    expect(dialog.locator(".frame")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("img", name=re.compile("^Natural image 7"))).to_be_visible()
    page.keyboard.press("Escape")
    expect(buttons.nth(1)).to_be_focused()


def test_the_frame_is_around_the_patch(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    image = page.locator(".framed").first
    expect(image.locator(".frame")).to_have_count(1)
    outer, inner = image.bounding_box(), image.locator(".frame").bounding_box()
    assert outer is not None
    assert inner is not None
    assert (inner["x"] - outer["x"]) / outer["width"] == pytest.approx(1 / 8, abs=0.01)
    assert (inner["y"] - outer["y"]) / outer["height"] == pytest.approx(1 / 8, abs=0.01)
    assert inner["width"] / outer["width"] == pytest.approx(1 / 8, abs=0.01)
    crop = page.locator(".crop").first
    # The patch fills the crop: eight times as large, and one seventh of the way along.
    expect(crop).to_have_css("background-size", "800% 800%")
    expect(crop).to_have_css("background-position", re.compile(r"^14\.28\d*% 14\.28\d*%$"))


def test_the_legend_distinguishes_the_two_patches_of_a_logit(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={LOGIT}")
    natural = block(page, "Natural images")
    expect(natural).to_contain_text("Solid frame: query patch.")
    expect(natural).to_contain_text("Dashed frame: key patch")
    expect(natural).to_contain_text("Tokens that are not patches have no frame.")
    expect(natural.get_by_role("img", name="query patch of natural image 8")).to_have_count(1)
    expect(natural.get_by_role("img", name=re.compile("^key patch"))).to_have_count(0)


def test_causal_tests_are_a_table_with_intervals_controls_and_verdicts(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    rows = block(page, "Tests").get_by_role("row")
    neurons = "above 38 of 39 neurons, at most"
    directions = "above 19 of 19 random directions, at most"
    for row, cells in enumerate(
        [
            [
                "Mean ablation",
                "0.84 [0.61, 1.07]",
                f"{neurons} 0.21 (p = 0.001){directions} 0.05 (p = 0.001)",
                "= 0.004",
                "\u2713 Necessary",
            ],
            [
                "Resample ablation",
                "0.75 [0.50, 1.00]",
                f"{neurons} 0.25 (p = 0.002){directions} \u22120.01 (p = 0.001)",
            ],
            [
                "Dose of the 99th percentile",
                "1.20 [0.90, 1.50]",
                f"{neurons} 0.40 (p = 0.001){directions} 0.10 (p = 0.001)",
                "= 0.002",
                "\u2713 Sufficient",
            ],
            [
                "Dose of its own picture",
                "2.00 [1.40, 2.60]",
                "picture of another neuron: 0.30 (p = 0.001)",
                "= 0.002",
                "\u2713 Own picture has a larger effect than another unit\u2019s",
            ],
            [
                "Mediation of its picture\u2019s effect",
                "34.0\u00a0%",
                "control neurons: median 2.0\u00a0%",
                "\u2013",
                "\u2013",
            ],
        ]
    ):
        expect(rows.nth(row + 1).locator("th, td")).to_have_text(cells)
    expect(block(page, "Causal tests")).to_contain_text("on the margin of stripes, the class")
    expected = read_evidence(model_page.parent.parent / "s", UNITS[0]).sentences
    page.get_by_text("In words").click()
    expect(page.locator(".sentences li")).to_have_text(expected)
    open_page(page, model_page, f"#unit={UNITS[1]}")
    expect(rows.nth(1).locator("td")).to_have_text(
        [
            re.compile(r"^\u22120.10 "),
            "2 or more of 39 neurons reach 0.21 (p \u2265 0.8)",
            "\u2265 0.8",
            "Not shown: necessary",
        ]
    )
    open_page(page, model_page, f"#unit={UNITS[2]}")
    expect(page.locator(".sentences li")).to_have_text(
        ["The neuron does not vary over cueworld (720 images); no causal test was run."]
    )
    expect(block(page, "Tests")).to_have_count(0)


def test_the_values_of_natural_images_have_the_same_number_of_decimals(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={UNITS[0]}")
    values = page.locator(".example b")
    expect(values).to_have_text(
        "4.000 3.000 2.000 -2.000 0.000 2.000 -4.000 -3.000 -2.000".replace("-", "\u2212").split()
    )


def test_an_unknown_statistic_is_left_out(page: Page, model_page: Path, tmp_path: Path) -> None:
    (copied,) = shutil.copytree(model_page.parent, tmp_path / "site").glob("cueworld-vit-*.html")
    (shard,) = copied.parent.glob("data-1/1/details/0.js")
    text = shard.read_text()
    assert '"sparsity":0.5' in text
    shard.write_text(text.replace('"sparsity":0.5', '"sparsity":null'))
    open_page(page, copied, f"#unit={UNITS[0]}")
    names = page.locator(".distribution dt")
    expect(names).to_have_text(["Mean", "Standard deviation", "Active"])


def test_of_units_with_one_value_the_report_shows_all_or_none(page: Page, tmp_path: Path) -> None:
    units = [f"{SITE}:{number}" for number in range(7)]
    write_store(tmp_path / "s", units)
    columns = scores(units)
    for name, column in columns.items():
        if name not in {"address", "agreement", "similarity"}:
            columns[name] = column[:, :1]
    columns["fine"][0, 0] = 0.75  # the only one that is not 0.25
    write_results(tmp_path / "s", "scores", columns, {"seeds": 2})
    gallery.export([tmp_path / "s"], tmp_path / "site")
    (found,) = (tmp_path / "site").glob("cueworld-vit-*.html")
    open_page(page, found, "#report")
    row = page.locator(".report-table tr", has_text="High-frequency energy")
    pictures = row.locator(".report-picture")
    expect(pictures).to_have_count(1)  # the worst; which of six are the best is arbitrary
    expect(pictures).to_have_attribute("title", units[0])
    ties = row.get_by_role("link", name=re.compile(r"6\sunits with 0.25"))
    expect(ties).to_have_count(2)
    ties.first.click()
    expect(page.locator("#units .cell")).to_have_count(6)


def test_metrics_have_their_rank_among_the_units(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[1]}")
    row = page.locator(".metrics tr", has_text="Layer-path similarity")
    # 0.8 is better than -0.5 and worse than 0.9.
    expect(row.locator(".value")).to_have_text("0.8000")
    expect(row).to_contain_text(re.compile(r"better than 50\s% of 2"))
    row.locator("summary").press("Enter")
    expect(row.locator("p")).to_be_visible()


def test_what_was_not_measured_is_not_shown(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={UNITS[3]}")
    expect(page.locator(".command")).to_be_visible()
    expect(page.locator(".evidence")).to_have_count(0)
    expect(page.locator(".verdict, .nine")).to_have_count(0)


def test_the_report_leads_to_the_neurons_of_a_class(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Report").press(
        "Enter"
    )
    shares = block(page, "Checks and claims, by layer").get_by_role("row").nth(1)
    # Of three neurons one is necessary; the hidden activations of two of three pictures match.
    expect(shares.get_by_role("cell").nth(3)).to_have_text(re.compile(r"33\s% 1 of 3"))
    expect(shares.get_by_role("cell").nth(2)).to_have_text(re.compile(r"67\s% 2 of 3"))
    # Two of them vary and were tested; 5 % are expected by chance.
    ranks = block(page, "Checks and claims, by layer").get_by_role("row", name="expected by chance")
    expect(ranks.get_by_role("cell")).to_have_text(["", "", "", "0.1", "0.1", "0.1"])
    stripes = block(page, "stripes")
    expect(stripes).to_contain_text(re.compile(r"Necessary: 1\sneuron"))
    stripes.get_by_role("link").first.press("Enter")
    expect(page.locator("#unit h1")).to_have_text(UNITS[0])
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Report", exact=True)).to_be_visible()


def test_a_metric_of_the_report_sorts_the_units(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#report")
    page.get_by_role("link", name="Layer-path similarity").click()
    name = f"{UNITS[0]}, layer-path similarity 0.9000"
    expect(page.locator("#units .cell").first).to_have_attribute("aria-label", name)
    eventually(lambda: page.url.endswith("sort=-path"))


def test_a_comparison_marks_the_best_value_of_metrics_on_a_common_scale(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#pins={UNITS[0]},{UNITS[1]}")
    rows = page.locator(".compared tr")
    best = {
        name: rows.filter(has=page.get_by_role("rowheader", name=name, exact=True)).locator("b")
        for name in ("layer-path similarity", "activation", "high-frequency energy")
    }
    expect(best["layer-path similarity"]).to_have_text(["0.9000"])
    expect(best["activation"]).to_have_count(0)  # each unit has a scale of its own
    expect(best["high-frequency energy"]).to_have_count(0)  # both are equal


@pytest.mark.parametrize("view", [f"#unit={UNITS[0]}", f"#unit={LOGIT}", "#report"])
def test_axe_finds_nothing_serious(schemed: Page, model_page: Path, view: str) -> None:
    open_page(schemed, model_page, view)
    expect(schemed.locator(".evidence, .report-table").first).to_be_visible()
    assert violations(schemed) == []


@pytest.mark.parametrize("view", [f"#unit={UNITS[0]}", "#report"])
def test_nothing_is_wider_than_a_phone(page: Page, model_page: Path, view: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    open_page(page, model_page, view)
    expect(page.locator(".evidence, .report-table").first).to_be_visible()
    fits(page, 390)


def listed(page: Page) -> list[str]:
    return list(
        page.evaluate("[...featviz.page.grid.units].map((i) => featviz.page.unitTable.address(i))")
    )


def test_units_are_found_by_class_and_by_statement(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    box = page.locator("#search")
    box.fill("bar")
    options = page.locator("#found [role=option]")
    expect(options.first).to_have_text("Top images of bar 1\u00a0unit")
    eventually(lambda: listed(page), [UNITS[1]])  # of which the only top image is of that class
    box.fill("stripes sufficient")
    eventually(lambda: listed(page), [UNITS[0]])
    expect(options.first).to_have_text("Sufficient for stripes 1\u00a0unit")
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("")
    eventually(lambda: page.evaluate("location.hash"), "#units&sufficient=stripes")
    eventually(lambda: listed(page), [UNITS[0]])
    page.get_by_role("link", name="Remove filter: Sufficient for stripes").click()
    eventually(lambda: len(listed(page)), 5)


def test_facets_are_chosen_by_their_counts_and_combined(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.keyboard.press("n")
    choice = page.get_by_role("combobox", name="Necessary for")
    expect(choice.locator("option")).to_have_text(["all", "any class (1)", "stripes (1)"])
    choice.select_option("*")
    eventually(lambda: listed(page), [UNITS[0]])
    expect(page.locator("#ranges .done")).to_have_text("Show 1\u00a0unit")
    page.get_by_role("combobox", name="Top images of").select_option("bar")
    expect(page.get_by_text("No units match.")).to_be_visible()
    page.get_by_role("link", name="Show all 5\u00a0units").click()
    eventually(lambda: len(listed(page)), 5)
    expect(choice).to_have_value("")


def test_a_class_that_no_unit_has_is_named(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#units&class=zebra")
    expect(page.locator("#problem")).to_contain_text(
        "no unit has \u201cclass\u201d \u201czebra\u201d"
    )
    eventually(lambda: len(listed(page)), 5)


def test_the_preview_and_the_names_of_pictures_say_what_a_unit_responds_to(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    page.locator(f".cell[aria-label='{UNITS[0]}']").hover()
    preview = page.locator(".preview")
    expect(preview.locator("img")).to_have_count(3)  # of at most four, in this store
    eventually(lambda: preview.locator("img").first.evaluate("image => image.naturalWidth > 0"))
    headline = preview.locator("span:not([class])").last.inner_text()
    open_page(page, model_page, f"#unit={UNITS[0]}")
    picture = page.locator(".large img")
    expect(picture).to_have_attribute("alt", f"{UNITS[0]}: {headline}")
