from __future__ import annotations

from benchmarks import page


def test_the_page_in_the_repository_is_made_from_its_results() -> None:
    results = page.load()
    assert {"step", "quality_time"} <= set(results)  # the figure shows them
    assert page.PAGE.read_text(encoding="utf-8") == page.page(results)


def test_a_table_shows_floats_with_four_digits() -> None:
    table = page.table(("name", "x", "n"), [("a", 1.23456, 18432), ("b", 2.0, 7)])
    assert table == "| name | x | n |\n| --- | --- | --- |\n| a | 1.235 | 18432 |\n| b | 2 | 7 |\n"
