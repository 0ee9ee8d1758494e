"""Labels and favorites in real browsers: kept, searched, exported, imported, taken back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.gallery.browsing import eventually, fits, open_page, violations
from tests.gallery.conftest import UNITS
from tests.gallery.made_stores import FINGERPRINT

ONE, OTHER = UNITS[3], UNITS[8]


def file_of(labels: Any, **changes: Any) -> bytes:
    """The text of a file of labels, with parts of it changed."""
    return json.dumps(
        {"format": "featviz-labels", "version": 1, "labels": labels, **changes}
    ).encode()


def choose(page: Page, content: bytes, name: str = "labels.json") -> None:
    page.locator(".label-chooser").set_input_files(
        {"name": name, "mimeType": "application/json", "buffer": content}
    )


def held(page: Page) -> dict[str, Any]:
    """What is labeled or a favorite."""
    return dict(page.evaluate("Object.fromEntries(featviz.page.labels.entries())"))


def test_a_label_and_a_favorite_outlive_the_page(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={ONE}")
    page.locator(".label-input").fill("  edges, upright ")
    page.locator(".label-input").press("Enter")
    expect(page.locator(".message")).to_have_text("Label saved")
    page.get_by_role("button", name="Favorite").click()
    expect(page.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator(".label-input")).to_have_value("edges, upright")
    expect(page.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "true")
    eventually(lambda: held(page), {ONE: {"label": "edges, upright", "favorite": True}})


def test_the_keyboard_edits_labels_and_favorites(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={ONE}")
    expect(page.locator(".command")).to_be_visible()
    page.keyboard.press("l")
    expect(page.locator(".label-input")).to_be_focused()
    page.keyboard.type("fur? 1")  # neither its letters nor its digit act as keys
    page.keyboard.press("Enter")
    expect(page.locator("#unit h1")).to_be_focused()
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "true")
    eventually(lambda: held(page), {ONE: {"label": "fur? 1", "favorite": True}})
    page.keyboard.press("f")
    page.keyboard.press("l")
    page.keyboard.type("other")
    page.keyboard.press("Escape")  # leaves the label as it was, and the page where it is
    expect(page.locator(".label-input")).to_have_value("fur? 1")
    expect(page.locator("#unit h1")).to_be_focused()
    eventually(lambda: held(page), {ONE: {"label": "fur? 1", "favorite": False}})
    page.keyboard.press("Escape")
    expect(page.locator("#unit")).to_be_hidden()


def test_an_empty_label_without_a_star_is_no_entry(page: Page, model_page: Path) -> None:
    open_page(page, model_page, f"#unit={ONE}")
    page.evaluate("address => featviz.page.labels.set(address, {label: 'a'})", ONE)
    page.locator(".label-input").fill("")
    page.locator(".label-input").press("Enter")
    expect(page.locator(".message")).to_have_text("Label removed")
    eventually(lambda: held(page), {})
    eventually(lambda: page.evaluate("localStorage.length"), 0)


def test_a_change_in_one_window_shows_in_the_other_and_loses_nothing(
    context: BrowserContext, page: Page, model_page: Path
) -> None:
    open_page(page, model_page, f"#unit={ONE}")
    other = context.new_page()
    open_page(other, model_page, f"#unit={OTHER}")
    other.evaluate("address => featviz.page.labels.set(address, {label: 'there'})", OTHER)
    # Between two processes, a browser takes a while to pass on what is stored.
    page.wait_for_function("localStorage.getItem(featviz.page.labels.key)?.includes('there')")
    page.evaluate("address => featviz.page.labels.set(address, {label: 'here'})", ONE)
    expect(other.locator("#unit h1")).to_have_text(OTHER)
    other.wait_for_function("address => featviz.page.labels.get(address).label === 'here'", arg=ONE)
    eventually(
        lambda: {address: entry["label"] for address, entry in held(page).items()},
        {ONE: "here", OTHER: "there"},
    )
    eventually(lambda: held(other) == held(page))
    other.close()


def test_models_have_labels_of_their_own(page: Page, site: Path, model_page: Path) -> None:
    open_page(page, model_page)
    page.evaluate("featviz.page.labels.set('patch_embed:9', {label: 'of this model'})")
    (other,) = site.glob("cueworld-mixer-*.html")
    open_page(page, other, "#unit=patch_embed:9")
    expect(page.locator(".label-input")).to_have_value("")
    assert held(page) == {}


def test_a_search_finds_every_word_without_case_and_in_any_order(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    found = page.evaluate(
        """([one, other]) => {
            const { labels, unitTable, view } = featviz.page;
            labels.set(one, {label: "Red stripes, \\uff24iagonal"});
            labels.set(other, {label: "stripes"});
            const found = (q) => [...unitTable.order({ ...view.state(), q })];
            const texts = ["stripes", "DIAGONAL red", "red blue", "trip"];
            return texts.map((text) => found(text).map((i) => unitTable.address(i)));
        }""",
        [ONE, OTHER],
    )
    assert found == [[ONE, OTHER], [ONE], [], [ONE, OTHER]]


def test_an_exported_file_holds_every_label_in_the_documented_form(
    page: Page, browser_name: str, model_page: Path, tmp_path: Path
) -> None:
    open_page(page, model_page, "#labels")
    page.evaluate(
        "address => featviz.page.labels.set(address, {label: 'b \\u2028 \\u00fc', favorite: true})",
        OTHER,
    )
    page.evaluate("address => featviz.page.labels.set(address, {label: 'a'})", ONE)
    text = page.evaluate("featviz.page.labels.serialize()")
    assert json.loads(text) == {
        "format": "featviz-labels",
        "version": 1,
        "model": "cueworld/vit",
        "weights": FINGERPRINT[:8],
        "labels": {
            ONE: {"label": "a", "favourite": False},
            OTHER: {"label": "b \u2028 \u00fc", "favourite": True},
        },
    }
    page.evaluate(
        """() => {
            const make = URL.createObjectURL;
            URL.createObjectURL = (blob) => {
                blob.text().then((text) => { globalThis.saved = text; });
                return make(blob);
            };
        }"""
    )
    button = page.get_by_role("button", name="Export to file")
    if browser_name == "chromium":  # Firefox tells nothing of downloads over its protocol
        with page.expect_download() as download:
            button.click()
        assert download.value.suggested_filename == "featviz-labels.json"
        download.value.save_as(tmp_path / "saved.json")
        assert (tmp_path / "saved.json").read_text("utf-8") == text
    else:
        button.click()
    expect(page.locator(".message")).to_have_text("2\u00a0units exported to featviz-labels.json")
    page.wait_for_function("text => globalThis.saved === text", arg=text)


def test_the_keyboard_exports_the_labels(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#labels")
    page.evaluate("address => featviz.page.labels.set(address, {label: 'a'})", ONE)
    page.get_by_role("button", name="Export to file").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_have_text("1\u00a0unit exported to featviz-labels.json")


def test_labels_of_another_model_are_imported_only_when_that_is_confirmed(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    labels = {ONE: {"label": "theirs"}, "gone:1": {"label": "away"}}
    others = [{"model": "cueworld/mixer"}, {"weights": "ab" * 32}]
    for number, other in enumerate(others):
        choose(page, file_of(labels, **other), f"{number}.json")
        expect(page.locator(".message")).to_contain_text(
            f"{number}.json has labels of another model: {other.get('model', 'cueworld/vit')} "
            f"with weights {other.get('weights', FINGERPRINT)[:8]}. "
            "This gallery has 1 of its 2\u00a0units."
        )
        assert held(page) == {}
    page.get_by_role("button", name="Import anyway").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_contain_text("Imported: 2 new")
    expect(page.locator("#unit h1")).to_be_focused()
    eventually(lambda: set(held(page)), {ONE, "gone:1"})
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".labeled-unit")).to_have_count(0)
    choose(page, file_of(labels, model="cueworld/vit", weights=FINGERPRINT))
    expect(page.locator(".message")).to_contain_text("Imported: 2 new")


def test_an_import_replaces_labels_with_counts_and_can_be_undone(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    before: dict[str, Any] = {
        ONE: {"label": "mine", "favorite": True},
        "head:0": {"label": "kept", "favorite": False},
        UNITS[1]: {"label": "alike", "favorite": False},
    }
    for address, entry in before.items():
        page.evaluate(
            "([address, entry]) => featviz.page.labels.set(address, entry)", [address, entry]
        )
    imported: dict[str, dict[str, Any]] = {
        ONE: {"label": "theirs", "favourite": False},
        OTHER: {"label": "new"},
        UNITS[1]: {"label": "alike"},
        "gone:1": {"favourite": True},
    }
    choose(page, file_of(imported))
    expect(page.locator(".message")).to_contain_text(
        "Imported: 2 new, 1 changed, 1 unchanged, 1 of units not in this gallery."
    )
    full = {
        address: {"label": entry.get("label", ""), "favorite": entry.get("favourite", False)}
        for address, entry in imported.items()
    }
    eventually(lambda: held(page), {**before, **full})
    expect(page.locator(".labeled-unit")).to_have_count(5)
    page.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".labeled-unit")).to_have_count(3)
    eventually(lambda: held(page), before)


NO_LABELS = [
    (b"{", "it is not valid JSON"),
    (b"\xff\xfe\x00", "it is not valid JSON"),
    (b"null", '"format"'),
    (b"[]", '"format"'),
    (file_of({}, format="labels"), '"format" is not "featviz-labels"'),
    (file_of({}, version=2), "its version is 2"),
    (file_of({}, model=3), '"model" and "weights" are not strings'),
    (file_of({}, weights=None), '"model" and "weights" are not strings'),
    (file_of([]), '"labels" is not an object'),
    (file_of(None), '"labels" is not an object'),
    (file_of({ONE: "text"}), f"the entry of {ONE} is not an object"),
    (file_of({ONE: {"label": "fine"}, OTHER: {"label": 3}}), f"{OTHER} has a label that"),
    (file_of({ONE: {"label": "x" * 501}}), "501 characters, more than 500"),
    (file_of({ONE: {"favourite": 1}}), "neither true nor false"),
    (file_of({"a" * 99: []}), "the entry of " + "a" * 60 + "\u2026 is not an object"),
]


def test_an_invalid_label_file_changes_nothing_and_is_reported(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    page.evaluate("address => featviz.page.labels.set(address, {label: 'mine'})", ONE)
    for number, (content, why) in enumerate(NO_LABELS):
        choose(page, content, f"{number}.json")
        expect(page.locator(".message")).to_contain_text(f"{number}.json was not imported: ")
        expect(page.locator(".message")).to_contain_text(why)
        assert held(page) == {ONE: {"label": "mine", "favorite": False}}


def test_the_labels_page_links_to_units_and_removes_labels_with_undo(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page, "#labels")
    expect(page.get_by_text("No labels or favorites yet")).to_be_visible()
    for address in (OTHER, ONE):  # shown in the order of the model, whatever was labeled first
        page.evaluate(
            "address => featviz.page.labels.set(address, {label: `of ${address}`})", address
        )
    expect(page.locator(".labeled-unit b")).to_have_text([ONE, OTHER])
    page.get_by_role("button", name=f"Remove label and favorite of {OTHER}").click()
    expect(page.locator(".labeled-unit")).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".labeled-unit bdi")).to_have_text([f"of {ONE}", f"of {OTHER}"])
    page.get_by_role("link", name=OTHER).click()
    expect(page.locator("#unit h1")).to_have_text(OTHER)
    expect(page.locator(".label-input")).to_have_value(f"of {OTHER}")


def test_stored_labels_override_those_of_the_export(page: Page, model_page: Path) -> None:
    open_page(page, model_page)
    steps = page.evaluate(
        """() => {
            const exported = new Map([["a", {label: "given", favorite: true}]]);
            const Labels = featviz.page.labels.constructor;
            const mine = new Labels(exported, "test");
            const steps = [];
            const look = () => {
                const {label, favorite} = mine.get("a");
                steps.push([label, favorite, mine.own.size]);
            };
            look();
            mine.set("a", {label: "my own"});
            look();
            mine.set("a", {label: "", favorite: false});
            look();
            steps.push(new Labels(exported, "test").entries().length);
            mine.set("a", {label: "given", favorite: true});
            look();
            steps.push(localStorage.getItem("test"));
            return steps;
        }"""
    )
    assert steps == [
        ["given", True, 0],
        ["my own", True, 1],
        ["", False, 1],
        0,
        ["given", True, 0],
        None,
    ]


def test_without_storage_labels_last_as_long_as_the_page_which_says_so(
    page: Page, model_page: Path
) -> None:
    page.add_init_script(
        "Object.defineProperty(window, 'localStorage',"
        " {get() { throw new DOMException('refused', 'SecurityError'); }})"
    )
    open_page(page, model_page, f"#unit={ONE}")
    page.locator(".label-input").fill("short-lived")
    page.locator(".label-input").press("Enter")
    expect(page.locator(".storage-warning")).to_contain_text("does not store data")
    eventually(lambda: held(page), {ONE: {"label": "short-lived", "favorite": False}})


def test_stored_labels_that_cannot_be_read_are_left_as_they_are(
    page: Page, model_page: Path
) -> None:
    open_page(page, model_page)
    later = file_of({ONE: {"label": "of a later version"}}, version=2).decode()
    page.evaluate("text => localStorage.setItem(featviz.page.labels.key, text)", later)
    page.reload()
    open_page(page, model_page, "#labels")
    page.evaluate("address => featviz.page.labels.set(address, {label: 'new'})", OTHER)
    expect(page.locator(".storage-warning")).to_contain_text("its version is 2")
    assert page.evaluate("localStorage.getItem(featviz.page.labels.key)") == later
    eventually(lambda: list(held(page)), [OTHER])


def test_a_full_storage_is_reported_and_keeps_its_labels(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#labels")
    page.evaluate("address => featviz.page.labels.set(address, {label: 'kept'})", ONE)
    page.evaluate(
        """() => {
            Storage.prototype.setItem = () => { throw new DOMException("", "QuotaExceededError"); };
        }"""
    )
    page.evaluate("address => featviz.page.labels.set(address, {label: 'too much'})", OTHER)
    expect(page.locator(".storage-warning")).to_contain_text("is full")
    eventually(lambda: sorted(held(page)), sorted([ONE, OTHER]))
    page.reload()
    eventually(lambda: list(held(page)), [ONE])


def test_the_page_of_labels_fits_the_screen(page: Page, model_page: Path) -> None:
    open_page(page, model_page, "#labels")
    page.evaluate(
        "address => featviz.page.labels.set(address, {label: 'x'.repeat(500), favorite: true})",
        ONE,
    )
    expect(page.locator(".labeled-unit bdi")).to_have_text(re.compile("^x{500}$"))
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        fits(page, width)


def test_axe_finds_nothing_serious_among_labels(schemed: Page, model_page: Path) -> None:
    open_page(schemed, model_page, "#labels")
    schemed.evaluate(
        "address => featviz.page.labels.set(address, {label: 'one', favorite: true})", ONE
    )
    schemed.evaluate("featviz.page.labels.set('gone:1', {label: 'other'})")
    expect(schemed.locator(".labeled-unit")).to_have_count(2)
    assert violations(schemed) == []
