"""Named lists in real browsers: kept in order, changed, shared as files; and files of any list."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

import gallery
from tests.gallery.browsing import allow_clipboard, eventually, fits, open_page, violations
from tests.gallery.conftest import NEURONS, UNITS
from tests.gallery.evidence import UNITS as MEASURED
from tests.gallery.evidence import write_evidence
from tests.gallery.made_stores import FINGERPRINT
from tests.gallery.pages.test_labels import choose, file_of

ORDER = [NEURONS[7], UNITS[0], NEURONS[2]]  # not that of the model
NAMED = "#units&list=color%20neurons"


@pytest.fixture(scope="module")
def measured_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose units have metrics, headlines and facets."""
    folder = tmp_path_factory.mktemp("measured")
    gallery.export([write_evidence(folder / "s")], folder / "site")
    (found,) = (folder / "site").glob("cueworld-vit-*.html")
    return found


def make_list(page: Page, name: str, addresses: list[str]) -> None:
    page.evaluate(
        "([name, addresses]) => { featviz.page.unitLists.change([name, addresses]); }",
        [name, addresses],
    )


def lists(page: Page) -> dict[str, list[str]]:
    return dict(page.evaluate("Object.fromEntries(featviz.page.unitLists.entries())"))


def shown(page: Page) -> list[str]:
    """Addresses of the units of the list that is shown, in its order."""
    found: list[str] = page.evaluate(
        "[...featviz.page.grid.units].map((i) => featviz.page.unitTable.address(i))"
    )
    return found


def catch_files(page: Page) -> None:
    """Keep what the page saves; Firefox says nothing of downloads over its protocol."""
    page.evaluate(
        """() => {
            globalThis.files = [];
            const make = URL.createObjectURL;
            URL.createObjectURL = (blob) => {
                blob.text().then((text) => { files.push(text); });
                return make(blob);
            };
            HTMLAnchorElement.prototype.click = function () { globalThis.named = this.download; };
        }"""
    )


def saved(page: Page, name: str) -> str:
    """Text of the one file that was saved, under this name."""
    page.wait_for_function("globalThis.files.length === 1")
    assert page.evaluate("globalThis.named") == name
    return str(page.evaluate("globalThis.files[0]"))


def test_a_list_as_csv_has_the_numbers_of_the_page_in_its_order(
    page: Page, measured_page: Path
) -> None:
    open_page(page, measured_page, f"#units&sort=ratio&layer={MEASURED[0].split(':')[0]}")
    label = 'quoted "a", b\nnext line'
    page.evaluate(
        "([one, label]) => featviz.page.labels.set(one, {label, favorite: true})",
        [MEASURED[1], label],
    )
    catch_files(page)
    page.get_by_role("button", name="Download as CSV").click()
    text = saved(page, f"cueworld-vit-{FINGERPRINT[:8]}-units.csv")
    assert text.count("\r\n") == 1 + len(shown(page))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["address"] for row in rows] == shown(page)
    columns = page.evaluate(
        """() => {
            const { metrics, headlines, facets } = featviz.units;
            const { values, units } = facets.necessary;
            return { metrics, headlines, necessary: units.map((i) => i === null ? "" : values[i]) };
        }"""
    )
    for row in rows:
        at = page.evaluate("address => featviz.page.unitTable.find(address)", row["address"])
        for key, values in columns["metrics"].items():
            assert (float(row[key]) if row[key] else None) == values[at], key
        assert row["headline"] == columns["headlines"][at]
        assert row["necessary"] == columns["necessary"][at]
        assert row["layer"] == row["address"].split(":")[0]
        is_labeled = row["address"] == MEASURED[1]
        assert (row["label"], row["favorite"]) == ((label, "true") if is_labeled else ("", "false"))
    assert "" in {row["ratio"] for row in rows} or "" in {row["necessity"] for row in rows}


def test_a_list_as_json_names_its_model_and_has_null_for_what_is_unknown(
    page: Page, measured_page: Path
) -> None:
    open_page(page, measured_page, f"#units&sort=-ratio&q={MEASURED[0].split(':')[0]}")
    catch_files(page)
    page.get_by_role("button", name="Download as JSON").click()
    file = json.loads(saved(page, f"cueworld-vit-{FINGERPRINT[:8]}-units.json"))
    assert (file["model"], file["weights"]) == ("cueworld/vit", FINGERPRINT[:8])
    assert file["view"] == page.evaluate("location.hash")
    assert [unit["address"] for unit in file["units"]] == shown(page)
    ratios = [unit["ratio"] for unit in file["units"]]
    known = [ratio for ratio in ratios if ratio is not None]
    assert ratios == sorted(known, reverse=True) + [None] * (len(ratios) - len(known))
    assert {unit["label"] for unit in file["units"]} == {None}
    assert {unit["favorite"] for unit in file["units"]} == {False}


def test_an_empty_list_is_a_valid_file(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#units&only=labeled")
    catch_files(page)
    page.get_by_role("button", name="Download as JSON").click()
    assert json.loads(saved(page, f"cueworld-vit-{FINGERPRINT[:8]}-units.json"))["units"] == []
    expect(page.get_by_role("button", name="Add to list")).to_be_disabled()


def test_a_named_list_keeps_its_order_and_outlives_the_page(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    make_list(page, "color neurons", ORDER)
    open_page(page, model_page, NAMED)
    page.reload()
    eventually(lambda: shown(page), ORDER)
    expect(page.locator("#count")).to_have_text(f"3 of {len(UNITS)}\u00a0units")
    expect(page.locator("#units h2")).to_have_count(0)
    page.locator("#units a.cell").first.click()
    expect(page.locator("#unit h1")).to_have_text(ORDER[0])
    expect(page.locator(".in-lists a")).to_have_text(["color neurons"])
    page.keyboard.press("ArrowRight")
    expect(page.locator("#unit h1")).to_have_text(ORDER[1])
    page.keyboard.press("Escape")
    page.get_by_label("Sort").select_option("activation")
    eventually(lambda: sorted(shown(page)), sorted(ORDER))
    page.get_by_role("link", name="Remove filter: list: color neurons").click()
    eventually(lambda: len(shown(page)), len(UNITS))


def test_the_keyboard_makes_a_list_of_what_is_shown_and_adds_one_unit(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#units&layer=patch_embed")
    page.locator("#pictures").focus()
    page.keyboard.press("a")
    expect(page.get_by_role("dialog", name="Add 2\u00a0units to a list")).to_be_visible()
    expect(page.get_by_role("textbox", name="Name of the list")).to_be_focused()
    page.keyboard.type("  first & last, \u00fc  ")
    page.keyboard.press("Enter")
    name = "first & last, \u00fc"
    expect(page.locator(".message")).to_contain_text(f"2\u00a0units added to \u201c{name}\u201d")
    eventually(lambda: lists(page), {name: UNITS[:2]})
    open_page(page, model_page, f"#unit={ORDER[0]}")
    expect(page.locator("#unit h1")).to_have_text(ORDER[0])
    page.keyboard.press("a")
    choice = page.get_by_role("button", name=name)
    expect(choice).to_be_focused()
    expect(choice).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Enter")
    eventually(lambda: lists(page), {name: [*UNITS[:2], ORDER[0]]})
    page.locator(".in-lists a").click()
    eventually(lambda: shown(page), [*UNITS[:2], ORDER[0]])
    page.locator("#units a.cell").nth(2).click()
    expect(page.locator("#unit h1")).to_have_text(ORDER[0])
    page.keyboard.press("a")
    expect(choice).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    eventually(lambda: lists(page), {name: UNITS[:2]})
    page.get_by_role("button", name="Undo").click()
    eventually(lambda: lists(page), {name: [*UNITS[:2], ORDER[0]]})


def test_pinned_units_become_a_list(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    page.evaluate("addresses => featviz.page.pins.replace(addresses)", ORDER)
    bar = page.get_by_role("complementary", name="Pinned units")
    bar.get_by_role("button", name="Add to list").click()
    page.get_by_role("textbox", name="Name of the list").fill("pins")
    page.get_by_role("button", name="Create").click()
    eventually(lambda: lists(page), {"pins": ORDER})


def test_a_list_is_renamed_but_not_to_a_name_that_is_taken(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    make_list(page, "color neurons", ORDER)
    make_list(page, "other", [])
    open_page(page, model_page, NAMED)
    page.get_by_role("button", name="Rename list \u201ccolor neurons\u201d").click()
    box = page.get_by_role("textbox", name="Name of the list")
    for taken, problem in (
        ("other", "There is a list \u201cother\u201d."),
        (" ", "A list needs a name."),
    ):
        box.fill(taken)
        box.press("Enter")
        expect(page.get_by_role("alert")).to_have_text(problem)
    box.fill("hues")
    box.press("Enter")
    eventually(lambda: lists(page), {"hues": ORDER, "other": []})
    eventually(lambda: page.evaluate("location.hash"), "#units&list=hues")
    eventually(lambda: shown(page), ORDER)
    expect(page.locator("#problem")).to_be_hidden()


def test_a_deleted_list_can_be_restored(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    make_list(page, "color neurons", ORDER)
    open_page(page, model_page, NAMED)
    page.get_by_role("button", name="Delete list \u201ccolor neurons\u201d").click()
    eventually(lambda: len(shown(page)), len(UNITS))
    expect(page.locator("#problem")).to_be_hidden()
    assert lists(page) == {}
    page.get_by_role("button", name="Undo").click()
    eventually(lambda: lists(page), {"color neurons": ORDER})


def test_a_link_to_a_list_that_is_not_here_says_so(page: Page, model_page: Path) -> None:
    open_page(page, model_page, NAMED)
    expect(page.locator("#problem")).to_contain_text("there is no list \u201ccolor neurons\u201d")
    eventually(lambda: len(shown(page)), len(UNITS))


def test_a_list_is_shared_as_a_file_and_nothing_is_lost(
    page: Page, context: BrowserContext, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    make_list(page, "color neurons", [*ORDER, "gone:1"])
    catch_files(page)
    page.get_by_role("button", name="Save file list \u201ccolor neurons\u201d").click()
    text = saved(page, f"cueworld-vit-{FINGERPRINT[:8]}-color-neurons.json")
    assert json.loads(text) == {
        "format": "featviz-labels",
        "version": 1,
        "model": "cueworld/vit",
        "weights": FINGERPRINT[:8],
        "labels": {},
        "lists": {"color neurons": [*ORDER, "gone:1"]},
    }
    choose(page, text.encode(), "same.json")
    expect(page.locator(".message")).to_contain_text("1\u00a0list unchanged.")
    make_list(page, "color neurons", ORDER[:1])  # mine, of the same name
    choose(page, text.encode(), "theirs.json")
    expect(page.locator(".message")).to_contain_text(
        "Imported 1\u00a0list: \u201ccolor neurons (2)\u201d. "
        "Not in this gallery, but kept: gone:1."
    )
    both = {"color neurons": ORDER[:1], "color neurons (2)": [*ORDER, "gone:1"]}
    eventually(lambda: lists(page), both)
    choose(page, text.encode(), "again.json")
    expect(page.locator(".message")).to_contain_text("1\u00a0list unchanged.")
    assert lists(page) == both
    page.get_by_role("link", name="color neurons (2)").click()
    expect(page.locator("#problem")).to_have_text(
        "Not in this gallery, but kept in the list: gone:1."
    )
    eventually(lambda: shown(page), ORDER)


def test_a_list_of_another_model_is_imported_only_when_that_is_confirmed(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    theirs = file_of({}, model="cueworld/mixer", lists={"a": [ORDER[0], "gone:1"]})
    choose(page, theirs, "a.json")
    expect(page.locator(".message")).to_contain_text(
        "a.json has labels or lists of another model: cueworld/mixer"
    )
    expect(page.locator(".message")).to_contain_text("This gallery has 1 of its 2\u00a0units.")
    assert lists(page) == {}
    page.get_by_role("button", name="Import anyway").click()
    eventually(lambda: lists(page), {"a": [ORDER[0], "gone:1"]})
    page.get_by_role("button", name="Undo").click()
    eventually(lambda: lists(page), {})


NO_LISTS: list[tuple[Any, str]] = [
    ([], 'its "lists" is not an object'),
    ({"a": "b"}, "the list \u201ca\u201d is not a list of addresses"),
    ({"a": [3]}, "the list \u201ca\u201d is not a list of addresses"),
    ({"": []}, "a list needs a name"),
    ({" a": []}, "starts or ends with a space"),
    ({"x" * 101: []}, "101 characters, more than 100"),
]


def test_a_file_that_is_dropped_is_imported_and_an_invalid_one_changes_nothing(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    make_list(page, "mine", ORDER)
    for number, (content, why) in enumerate(NO_LISTS):
        choose(page, file_of({}, lists=content), f"{number}.json")
        expect(page.locator(".message")).to_contain_text(f"{number}.json was not imported: ")
        expect(page.locator(".message")).to_contain_text(why)
        assert lists(page) == {"mine": ORDER}
    page.evaluate(
        """(text) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], "a.json", { type: "application/json" }));
            const event = { dataTransfer, bubbles: true, cancelable: true };
            document.querySelector("#unit h1").dispatchEvent(new DragEvent("drop", event));
        }""",
        file_of({}, lists={"dropped": ORDER[:1]}).decode(),
    )
    eventually(lambda: lists(page), {"dropped": ORDER[:1], "mine": ORDER})


def test_exported_marks_hold_labels_and_lists(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#labels")
    make_list(page, "color neurons", ORDER)
    page.evaluate("address => featviz.page.labels.set(address, {label: 'a'})", ORDER[0])
    catch_files(page)
    page.get_by_role("button", name="Export to file").click()
    file = json.loads(saved(page, "featviz-labels.json"))
    assert file["labels"] == {ORDER[0]: {"label": "a", "favourite": False}}
    assert file["lists"] == {"color neurons": ORDER}
    expect(page.locator(".message")).to_have_text(
        "1\u00a0unit and 1\u00a0list exported to featviz-labels.json"
    )


def test_own_lists_override_those_of_the_export(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    steps = page.evaluate(
        """() => {
            const UnitLists = featviz.page.unitLists.constructor;
            const exported = new Map([["a", ["u:1", "u:2"]]]);
            const open = () => new UnitLists(exported, "test");
            const steps = [];
            open().change(["a", ["u:2", "u:1"]]);
            steps.push(open().get("a"));
            open().change(["a", null]);
            steps.push(open().entries());
            open().change(["a", ["u:1", "u:2"]]);
            steps.push(localStorage.getItem("test"), open().isExported("a"));
            return steps;
        }"""
    )
    assert steps == [["u:2", "u:1"], [], None, True]


@pytest.mark.parametrize("fault", ["blocked", "full"])
def test_lists_that_cannot_be_stored_last_as_long_as_the_page_which_says_so(
    fault: str, page: Page, model_page: Path
) -> None:
    if fault == "blocked":
        page.add_init_script(
            "Object.defineProperty(window, 'localStorage',"
            " {get() { throw new DOMException('refused', 'SecurityError'); }})"
        )
    open_page(page, model_page, "#units&layer=patch_embed")
    if fault == "full":
        page.evaluate(
            """() => {
                const full = new DOMException("", "QuotaExceededError");
                Storage.prototype.setItem = () => { throw full; };
            }"""
        )
    page.get_by_role("button", name="Add to list").click()
    page.get_by_role("textbox", name="Name of the list").fill("a")
    page.get_by_role("button", name="Create").click()
    why = "does not store data" if fault == "blocked" else "is full"
    expect(page.locator(".message")).to_contain_text(why)
    eventually(lambda: lists(page), {"a": UNITS[:2]})
    page.get_by_role("link", name="Labels and lists").click()
    expect(page.locator(".storage-warning")).to_contain_text(why)


def test_the_copied_link_of_a_list_has_its_filters_and_says_where_it_opens(
    page: Page, context: BrowserContext, model_page: Path
) -> None:
    allow_clipboard(context)
    open_page(page, model_page, "#units&sort=-activation&layer=patch_embed")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".message")).to_have_text(
        "Link copied. It opens on this computer only: publish the folder to share it"
    )
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{model_page.as_uri()}#units&sort=-activation&layer=patch_embed"
    make_list(page, "mine", ORDER)
    open_page(page, model_page, "#units&list=mine")
    page.keyboard.press("y")
    expect(page.locator(".message")).to_contain_text("The list itself is in this browser only")


def test_lists_fit_the_screen_and_axe_finds_nothing_serious(
    schemed: Page, model_page: Path
) -> None:
    open_page(schemed, model_page)
    make_list(schemed, "x" * 100, ORDER)
    for hash_ in ("#labels", f"#units&list={'x' * 100}", f"#unit={ORDER[0]}"):
        open_page(schemed, model_page, hash_)
        for width in (320, 1280):
            schemed.set_viewport_size({"width": width, "height": 800})
            fits(schemed, width)
        if not hash_.startswith("#unit="):
            assert violations(schemed) == []
    schemed.keyboard.press("a")
    expect(schemed.get_by_role("dialog")).to_be_visible()
    assert violations(schemed) == []
