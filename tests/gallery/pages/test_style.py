from __future__ import annotations

import re
from pathlib import Path

import pytest

import gallery

HERE = Path(gallery.__file__).parent
STYLE = (HERE / "browser/styles/base.css").read_text()
SHEETS = sorted((HERE / "static").glob("*.css"))


def palettes() -> dict[str, dict[str, str]]:
    """Colors by name, for light and dark."""
    pairs = re.findall(r"--([a-z0-9]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", STYLE)
    return {
        "light": {name: color for name, color, _ in pairs},
        "dark": {name: color for name, _, color in pairs},
    }


def luminance(color: str) -> float:
    """Relative luminance. Source: WCAG 2.1."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio. Source: WCAG 2.1."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["ink", "quiet", "accent", *(f"s{i}" for i in range(8))])
def test_every_color_of_text_is_legible_on_paper(scheme: str, name: str) -> None:
    colors = palettes()[scheme]
    assert contrast(colors[name], colors["paper"]) >= 4.5
    assert name.startswith("s") or contrast(colors[name], colors["surface"]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_border_of_a_control_stands_out_from_paper(scheme: str) -> None:
    colors = palettes()[scheme]
    assert contrast(colors["edge"], colors["paper"]) >= 3  # WCAG 1.4.11


def declared(name: str) -> list[tuple[str, str]]:
    """Selector and value of each declaration of this property, or of the shorthand `font`."""
    sources = sorted((HERE / "browser/styles").glob("*.css"))
    text = re.sub(
        r"/\*.*?\*/", "", "\n".join(path.read_text() for path in sources), flags=re.DOTALL
    )
    rules = re.findall(r"([^{};]+)\{([^{}]*)\}", text)
    return [
        (" ".join(selector.split()), value)
        for selector, body in rules
        for value in re.findall(rf"(?:^|[\s;])(?:font|{name}): ([^;]+);", body)
    ]


def test_text_has_two_sizes_besides_those_of_headings() -> None:
    sizes = [
        (selector, size)
        for selector, value in declared("font-size")
        for size in re.findall(r"var\(--small\)|clamp\(.*?\)|[\d.]+(?:rem|px|em)\b", value)[:1]
    ]
    others = [s for s, size in sizes if size not in {"1rem", "var(--small)"}]
    assert all(re.search(r"\bh[12]\b|\.headline b$", selector) for selector in others), others


def test_serifs_are_of_headings_and_mono_is_of_addresses_and_commands() -> None:
    families = declared("font-family")
    serif = {selector for selector, value in families if "--serif" in value}
    assert serif == {"h1", "h2", ".plain-title.plain-title"}
    mono = {selector for selector, value in families if "--mono" in value}
    commands = {".command pre", ".measured code"}
    addresses = mono - commands
    assert not any(re.search(r"kbd|settings|input|card|strips|overview", s) for s in addresses)


def test_the_contrast_formula_is_right_at_its_ends() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#777777") == 1


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_no_style_sheet_loads_anything(sheet: Path) -> None:
    text = sheet.read_text()
    assert "url(" not in text
    assert "@import" not in text
