"""What the page of a benchmark shows of translators, in a real browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_experts.benchmarking.report.html.page import as_html
from edge_experts.benchmarking.report.html.result_reader import read_benchmark
from edge_experts.errors import UsageError
from tests.conftest import run_cli
from tests.end_to_end.pages import PHONE, Shown, texts


@pytest.fixture(scope="module")
def written(translator_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark's JSON of translators, and its page, made of that."""
    folder = tmp_path_factory.mktemp("written")
    done = run_cli("benchmark", translator_bundle, "--rounds", 2, "--json")
    assert done.returncode == 0, done.stderr
    (folder / "result.json").write_text(done.stdout)
    done = run_cli("report", "result.json", "page.html", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_what_translators_write_is_drawn_and_told(browser: Any, written: Path) -> None:
    from edge_experts.text_table import number

    shown = Shown(browser, written / "page.html", PHONE)
    rows = json.loads((written / "result.json").read_text())["rows"]
    assert shown.troubles == []
    assert shown.run("document.documentElement.scrollWidth") == PHONE
    for cells, row in zip(texts(shown, 1), rows, strict=True):
        made = row["generation"]
        low_high = " to ".join(map(number, made["tokens_per_second_interval"]))
        assert cells[:4] == [
            row["name"], number(made["tokens_per_second"]), low_high, str(made["tokens"])
        ]  # fmt: skip
    first = rows[0]["generation"]["first_token"]
    assert texts(shown, 1)[0][4] == number(first["total_us"]["p50"])
    points = shown.drawn("first-token", "quantiles-0", log=True)
    assert points[:, 0] == pytest.approx(first["quantiles_us"], rel=0.01)
    chrf = rows[0]["chrf"]["chrf"]
    ((_, y),) = shown.drawn("accuracy-bytes", "point-0")
    assert y == pytest.approx(chrf, rel=0.01)
    text = shown.run("document.body.innerText")
    assert f"{chrf:.2f}\nchrF as deployed" in text
    assert f"{number(rows[0]['generation']['tokens_per_second'])}\ntokens a second" in text
    timeline = rows[0]["growth"]["timeline"]
    assert f"loaded {len(timeline['loads'])} times and evicted {len(timeline['evictions'])}" in text
    shown.page.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generation": []}, "generation: must be an object"),
        ({"generation": {"tokens": 3}}, "session_tokens_per_second must be a list"),
        ({"chrf": {"chrf": 101, "sentences": 3}}, "chrf must be"),
        ({"chrf": {"chrf": 57, "sentences": 0}}, "sentences must be"),
        ({"growth": None}, ""),
        ({"generation": None}, ""),
        ({"chrf": None}, ""),
    ],
)
def test_what_is_told_of_writing_may_be_missing_and_must_be_right(
    written: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    content = json.loads((written / "result.json").read_text())
    content["rows"][0].update(change)
    (tmp_path / "r.json").write_text(json.dumps(content))
    if words:
        with pytest.raises(UsageError, match=words):
            read_benchmark(tmp_path / "r.json")
    else:
        assert as_html(read_benchmark(tmp_path / "r.json"))
