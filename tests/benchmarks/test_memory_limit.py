"""The program that measures memory beside the budget, on a small language model."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.residency.memory_limit import as_table, measure, refuse
from edge_experts.errors import MemoryBudgetError, ThresholdError


def test_each_budget_holds_and_the_text_stays_the_same(language_bundle: Path) -> None:
    rows = measure(language_bundle, [60_000_000], "a", 8, 16)
    assert [row.budget for row in rows] == [None, 60_000_000]
    assert all(row.same and row.tokens == 8 and row.peak_bytes > 0 for row in rows)
    refuse(rows)
    assert [line[0] for line in as_table(rows)] == ["budget MB", "none", "60"]
    over = replace(rows[1], budget=1)
    with pytest.raises(ThresholdError, match=r"with a budget of 0\.0 MB it took "):
        refuse([over])
    with pytest.raises(ThresholdError, match="the text is another one"):
        refuse([replace(rows[1], same=False)])


def test_a_budget_below_the_minimum_is_refused(language_bundle: Path) -> None:
    with pytest.raises(MemoryBudgetError, match="raise the budget to"):
        measure(language_bundle, [1000], "a", 1, 16)


def test_a_picture_is_drawn(language_bundle: Path, tmp_path: Path) -> None:
    picture = tmp_path / "limit.svg"
    command = [sys.executable, "-m", "benchmarks", "memory-limit", str(language_bundle)]
    options = ["--budgets", "60", "--tokens", "2", "--context", "32", "--json"]
    done = subprocess.run(
        [*command, *options, "--picture", str(picture)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["rows"]) == 2
    assert picture.read_text("utf-8").rstrip().endswith("</svg>")
