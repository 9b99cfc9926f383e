"""JSON that commands print keeps its keys and their types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import run_cli

from .conftest import Convert
from .data import DATA, snapshot
from .reports import REPORTS
from .shapes import differences, shape


@pytest.mark.parametrize("name", REPORTS)
def test_a_command_prints_the_keys_of_0_1_0(name: str, tmp_path: Path) -> None:
    assert differences(snapshot("json_shapes")[name], REPORTS[name].shape(tmp_path)) == []


@pytest.mark.parametrize("run", snapshot("convert_shapes"))
def test_convert_prints_the_keys_of_0_1_0(converted: Convert, run: str) -> None:
    printed = Path(f"{converted(run, 'int8')}.json").read_text()
    assert differences(snapshot("convert_shapes")[run], shape(json.loads(printed))) == []


def test_results_of_0_1_0_become_a_page(tmp_path: Path) -> None:
    page, comparison = tmp_path / "page.html", DATA / "comparison.json"
    done = run_cli("report", DATA / "benchmark.json", page, "--comparison", comparison)
    assert done.returncode == 0, done.stderr
    assert "<svg" in page.read_text()
    assert "dense-active" in page.read_text()


def test_lost_keys_and_other_types_are_noticed_and_additions_are_not() -> None:
    recorded = shape({"a": {"b": 1, "c": [{"d": "x"}]}, "e": None, "f": []})
    assert differences(recorded, recorded) == []
    more = shape({"a": {"b": 1, "c": [{"d": "x", "n": 1}], "n": 2}, "e": 1.0, "f": [1]})
    assert differences(recorded, more) == []
    other = shape({"a": {"b": "1", "c": [{}]}, "f": []})
    assert differences(recorded, other) == [
        "a.b: integer became string",
        "a.c[].d: is missing",
        "e: is missing",
    ]
