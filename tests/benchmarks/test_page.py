"""The page of benchmarks says what the results in the repository say."""

from __future__ import annotations

from benchmarks import page


def test_the_page_is_written_from_the_results() -> None:
    results = page.load()
    assert {"step", "quality_time"} <= set(results)  # which the plot is of
    assert page.PAGE.read_text(encoding="utf-8") == page.page(results)


def test_a_table_has_four_digits_and_leaves_other_cells_as_they_are() -> None:
    made = page.table(("name", "x", "n"), [("a", 1.23456, 18432), ("b", 2.0, 7)])
    assert made == "| name | x | n |\n| --- | --- | --- |\n| a | 1.235 | 18432 |\n| b | 2 | 7 |\n"
