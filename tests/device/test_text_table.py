"""Tables as text: alignment, and division for a narrow terminal."""

from __future__ import annotations

import pytest

from edge_experts.text_table import aligned, terminal_columns

ROWS = [["model", "p50", "p99", "files kB"], ["a", "1.5", "20", "1,000"], ["of all", "9", "1", "-"]]


def test_the_first_column_is_left_aligned_and_others_right() -> None:
    assert aligned(ROWS) == [
        "model   p50  p99  files kB",
        "a       1.5   20     1,000",
        "of all    9    1         -",
    ]
    assert aligned(ROWS, columns=26) == aligned(ROWS)


def test_a_wide_table_is_divided_and_repeats_its_first_column() -> None:
    assert aligned(ROWS, columns=25) == [
        "model   p50  p99",
        "a       1.5   20",
        "of all    9    1",
        "",
        "model   files kB",
        "a          1,000",
        "of all         -",
    ]


@pytest.mark.parametrize("columns", range(1, 30))
def test_every_cell_is_there_whatever_the_width(columns: int) -> None:
    lines = aligned(ROWS, columns)
    for row in ROWS:
        found = [line[6:].split("  ") for line in lines if line.startswith(row[0].ljust(6))]
        cells = [cell.strip() for part in found for cell in part if cell.strip()]
        assert cells == row[1:]


def test_a_pipe_has_no_width(capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal_columns() is None
