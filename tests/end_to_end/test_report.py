"""The page of a benchmark, in a real browser: what it shows is what the JSON says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.benchmarking.report.html.page import as_html, require
from edge_experts.benchmarking.report.html.result_reader import read_benchmark
from edge_experts.errors import MissingExtraError, UsageError
from edge_experts.format.drift_reference import DriftReference, Histogram
from tests.conftest import run_cli
from tests.end_to_end.pages import PHONE, READ, Shown, read, texts
from tests.tiny import tiny_bundle

PAPER = 718  # CSS pixels: A4 without its margins
HOSTILE = "<img src=x onerror=alert(1)></svg><script>alert(2)</script>&amp; $\\frac{1$ 狐"
COMPARISON: dict[str, Any] = {
    "schema_version": "1.1",
    "data": "flowers <b>",
    "seeds": [0, 1],
    "examples": 500,
    "rows": [
        {"name": "sparse", "accuracy": 0.91, "accuracy_interval": [0.9, 0.92], "macs": 1500,
         "quantization": "int8", "total_bytes": 9000, "resident_bytes": 3000, "gap_closed": 0.5},
        {"name": "dense-all", "accuracy": 0.93, "accuracy_interval": None, "macs": 6000,
         "quantization": "int8", "total_bytes": 8000, "resident_bytes": 8000, "gap_closed": None},
    ],
    "verdict": {"sentences": ["Sparse experts pay here."]},
    "command": "edge-experts compare --data flowers.csv --seeds 2",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark's JSON and page, of a bundle of two experts beside another one."""
    folder = tmp_path_factory.mktemp("report")
    some = Histogram((), (40,))
    for name, seeds, accuracy in (("tiny", (0, 1), 0.8), ("other", (2, 3), 0.85)):
        tiny_bundle(
            folder / f"{name}.bundle",
            seeds=seeds,
            provenance={"test_accuracy": accuracy, "test_examples": 400},
            reference=DriftReference(some, (30, 10), some, some),
        )
    (folder / "comparison.json").write_text(json.dumps(COMPARISON))
    done = run_cli(
        "benchmark", "tiny.bundle", "--against", "other.bundle", "--rounds", 5, "--json",
        "--report", "page.html", "--comparison", "comparison.json", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "result.json").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def result(folder: Path) -> Any:
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def shown(browser: Any, folder: Path) -> Shown:
    return Shown(browser, folder / "page.html", PHONE)


def test_it_loads_nothing_and_complains_of_nothing(shown: Shown) -> None:
    assert shown.troubles == []
    assert (
        shown.run("document.querySelectorAll('script, iframe, link[rel=stylesheet]').length") == 0
    )
    assert shown.run("document.querySelectorAll('figure svg').length") == 10
    ids = shown.run("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_the_conclusion_comes_first_with_the_date_and_the_baseline(
    shown: Shown, result: Any
) -> None:
    first = shown.run("document.querySelector('h1').nextElementSibling.textContent")
    p50 = result["rows"][0]["warm"]["total_us"]["p50"]
    assert first.startswith("An answer of tiny takes ")
    assert f"{p50:,.0f} µs" in first or f"{p50:.1f} µs" in first
    assert "other " in first
    body = shown.run("document.body.textContent")
    assert result["environment"]["date"] in body
    lists = shown.run("document.querySelector('.highlights').textContent")
    assert lists.count("other: ") >= 3


def test_it_is_dark_where_the_reader_wants_it_so(browser: Any, folder: Path) -> None:
    shown = Shown(browser, folder / "page.html", PHONE)
    papers = set()
    for scheme in ("light", "dark"):
        shown.page.emulate_media(color_scheme=scheme)
        papers.add(shown.run("getComputedStyle(document.body).backgroundColor"))
    assert papers == {"rgb(255, 255, 255)", "rgb(22, 24, 27)"}
    shown.page.close()


@pytest.mark.parametrize(
    ("width", "media"), [(PHONE, "screen"), (1200, "screen"), (PAPER, "print")]
)
def test_nothing_is_cut_off(browser: Any, folder: Path, width: int, media: str) -> None:
    shown = Shown(browser, folder / "page.html", width)
    shown.page.emulate_media(media=media)
    assert shown.run("document.documentElement.scrollWidth") == width
    beyond = shown.run(
        "(width) => [...document.querySelectorAll('body *')].filter((one) => {"
        "  const box = one.getBoundingClientRect();"
        "  return box.width > 1 && (box.right > width + 1 || box.left < -1); })"
        ".map((one) => one.outerHTML.slice(0, 80))",
        width,
    )
    assert beyond == []
    smallest = shown.run(
        "Math.min(...[...document.querySelectorAll('svg text')].map((text) =>"
        "  parseFloat(getComputedStyle(text).fontSize)"
        "  * text.ownerSVGElement.getScreenCTM().a))"
    )
    least = 11 if media == "screen" else 7
    assert smallest >= least, "CSS pixels: smaller letters cannot be read"
    shown.page.close()


def test_it_is_printed(shown: Shown) -> None:
    assert shown.page.pdf(format="A4").startswith(b"%PDF")


def test_the_curves_are_the_measured_times(shown: Shown, result: Any) -> None:
    curves = [row["warm"] for row in result["rows"]]
    for picture, latencies in (
        ("warm", curves),
        ("phases", [result[name] for name in PHASES if result[name] is not None]),
    ):
        for place, latency in enumerate(latencies):
            points = shown.drawn(picture, f"quantiles-{place}", log=True)
            assert points[:, 0] == pytest.approx(latency["quantiles_us"], rel=0.01)
            assert points[:, 1] == pytest.approx(np.arange(101) / 100, abs=0.002)
    assert result["rows"][0]["warm"]["total_us"]["p50"] == pytest.approx(
        result["rows"][0]["warm"]["quantiles_us"][50], abs=0.011
    )


PHASES = ("first_from_storage", "first_cached", "switch_from_storage", "switch_cached", "warm")


def test_memory_loads_and_evictions_are_those_that_were_sampled(shown: Shown, result: Any) -> None:
    timeline = result["rows"][0]["growth"]["timeline"]
    for place, kind in enumerate(("resident_bytes", "anonymous_bytes")):
        points = shown.drawn("memory", f"memory-{place}", x=2)
        span = max(timeline[kind]) / 1e6
        assert points[:, 0] == pytest.approx(timeline["milliseconds"], abs=1)
        assert points[:, 1] == pytest.approx(np.array(timeline[kind]) / 1e6, abs=0.01 * span)
    assert timeline["loads"], "with room for one expert, others must have come"
    for kind in ("loads", "evictions"):
        found = shown.run(READ, ["memory", {"x": 2, "y": 2}, kind])
        places = [timeline["milliseconds"][place] for place, _ in timeline[kind]]
        assert read(found["x"], np.array(found["points"])[:, 0]) == pytest.approx(places, abs=1)


def test_an_expert_is_drawn_where_it_was_in_memory(shown: Shown, result: Any) -> None:
    timeline = result["rows"][0]["growth"]["timeline"]
    for expert in range(2):
        came = [place for place, who in timeline["loads"] if who == expert and place < 20]
        bars = shown.run(
            "(id) => document.getElementById(id).querySelectorAll(':scope > path').length",
            f"residency-residency-{expert}",
        )
        assert bars == len(came)


def test_points_are_accuracies_and_costs(shown: Shown, result: Any) -> None:
    for cost in ("resident_bytes", "macs"):
        costs = [row[cost] for row in COMPARISON["rows"]]
        for place, row in enumerate(COMPARISON["rows"]):
            ((x, y),) = shown.drawn(
                f"compared-{cost.replace('_', '-')}", f"point-{place}", log=_apart(costs)
            )
            assert x == pytest.approx(row[cost], rel=0.01)
            assert y == pytest.approx(row["accuracy"], abs=0.001)
    rows = [row for row in result["rows"] if row["name"] != "reference loop"]
    times = [row["warm"]["total_us"]["p50"] for row in rows]
    for place, row in enumerate(rows):
        ((x, y),) = shown.drawn("accuracy-time", f"point-{place}", log=_apart(times))
        assert x == pytest.approx(row["warm"]["total_us"]["p50"], rel=0.01)
        assert y == pytest.approx(row["accuracy"]["accuracy"], abs=0.001)


def _apart(costs: list[float]) -> bool:
    """Whether they differ by so much that they are drawn as factors."""
    return max(costs) > 3 * min(costs)


def test_the_map_counts_who_answered_what(shown: Shown, result: Any) -> None:
    counted = result["experts"]["answers"]
    assert sum(count for _, _, count in counted) == result["inputs"] == 4
    for expert, place, count in counted:
        told = shown.run("(id) => document.getElementById(id).textContent.trim()",
                         f"answers-answers-{expert}-{place}")  # fmt: skip
        assert told == str(count)


def test_bars_are_the_shares_of_validation_examples(shown: Shown) -> None:
    for expert, share in enumerate((0.75, 0.25)):
        corners = shown.drawn("usage", f"usage-{expert}")
        assert sorted(corners[:, 1]) == pytest.approx([0, 0, share, share], abs=0.005)
        assert corners[:, 0].mean() == pytest.approx(expert, abs=0.01)


def test_tables_say_what_the_json_says(shown: Shown, result: Any) -> None:
    from edge_experts.text_table import number

    for cells, row in zip(texts(shown, 1), result["rows"], strict=True):
        assert cells[0] == row["name"]
        assert cells[1] == number(row["warm"]["total_us"]["p50"])
        assert cells[4] == f"{row['ratio']:.2f}"
        assert cells[6] == f"{row['total_bytes'] / 1000:.0f}"
    environment = dict(texts(shown, 3))
    told = dict(result["environment"])
    assert environment.pop("memory") == f"{told.pop('memory_bytes') / 1e9:,.1f} GB"
    assert list(environment.values()) == [str(value) for value in told.values()]
    assert environment["processor"] == told["cpu"]
    assert not any("_" in name for name in environment)
    heads = shown.run(
        "[...document.querySelectorAll('table')].map((table) =>"
        " [...table.querySelectorAll('th')].map((cell) => cell.textContent))"
    )
    for head in heads:
        assert len(set(head)) == len(head), "two columns of one name"
    text = shown.run("document.body.innerText")
    for row in result["rows"][1:]:
        low, high = row["ratio_interval"]
        if row["name"] != "reference loop":
            assert f"(95 %: {low:.2f} to {high:.2f})" in text, "a verdict in words"
    assert "µs an answer over the reference loop" in text
    assert result["command"] in text
    assert "edge-experts benchmark tiny.bundle" in result["command"]
    assert COMPARISON["command"] in text


def test_a_page_is_made_of_the_json_alone(folder: Path) -> None:
    """On a workstation, of what a board printed."""
    done = run_cli(
        "report", "result.json", "again.html", "--comparison", "comparison.json", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "again.html").read_text() == (folder / "page.html").read_text()


def test_what_a_board_says_is_text_and_nothing_else(
    browser: Any, folder: Path, result: Any, tmp_path: Path
) -> None:
    hostile = json.loads(json.dumps(result))
    hostile["bundle"] = hostile["command"] = hostile["rows"][1]["name"] = HOSTILE
    hostile["rows"][2]["name"] = "_hidden"
    hostile["cautions"] = [HOSTILE]
    hostile["before"] = {"temperature_c": 61.234, "governor": HOSTILE}
    hostile["energy"] = {"sensor": HOSTILE, "idle_w": 2.5, "answering_w": 3.5, "answers": 100,
                         "per_answer_uj": 250.0, "whole_per_answer_uj": 900.0}  # fmt: skip
    hostile["environment"]["cpu"] = hostile["environment"][HOSTILE] = HOSTILE
    hostile["experts"]["names"] = [HOSTILE, "\u202e_down"]
    (tmp_path / "hostile.json").write_text(json.dumps(hostile))
    done = run_cli("report", "hostile.json", "hostile.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = Shown(browser, tmp_path / "hostile.html", PHONE)
    assert shown.troubles == []
    assert shown.run("document.querySelectorAll('script, img, b:not(.highlights b)').length") == 0
    assert shown.page.title() == f"Benchmark of {HOSTILE}"
    assert ["temperature, °C", "61.234", ""] in texts(shown, 3)
    assert f"Energy, by {HOSTILE}: an answer adds 250 µJ" in shown.run("document.body.innerText")
    assert shown.run("document.documentElement.scrollWidth") == PHONE
    labels = shown.run(
        "[...document.querySelectorAll('#answers text')].map((text) => text.textContent)"
    )
    assert HOSTILE[:17] + "…" in labels
    assert "?_down" in labels
    drawn = shown.run("document.querySelector('#warm').textContent")
    assert HOSTILE[:39] in drawn
    assert "_hidden" in drawn
    shown.page.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"warm": None}, "warm: must be an object"),
        ({"rows": []}, "rows must be a list of 1 to"),
        ({"threads": "1"}, "threads must be a whole number"),
        ({"experts": {"experts": 2, "labels": 2, "names": [], "answers": [[0, 0, 1]]}},
         "answers must be of experts and labels"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_result_is_refused(
    result: Any, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    (tmp_path / "r.json").write_text(json.dumps({**result, **change}))
    with pytest.raises(UsageError, match=words):
        read_benchmark(tmp_path / "r.json")


def test_what_is_missing_is_named_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "jinja2" else real(name)
    )
    with pytest.raises(MissingExtraError, match=r"Jinja2 .*edge-experts\[report\]"):
        require(tmp_path / "page.html")


def test_a_page_needs_a_folder_and_a_result(folder: Path, tmp_path: Path) -> None:
    for arguments, words in (
        ((folder / "result.json", "none/x.html"), "does not exist"),
        ((folder / "comparison.json", "x.html"), "not what this version's `edge-experts benchmark"),
        (("none.json", "x.html"), "no such file"),
    ):
        done = run_cli("report", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_results_of_earlier_versions_areread(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "result.json").read_text())
    content["schema_version"] = "1.1"
    for row in content["rows"]:
        del row["generation"], row["chrf"]
        if row["growth"] is not None:
            del row["growth"]["bound_bytes"]
    (tmp_path / "r.json").write_text(json.dumps(content))
    assert "Text generation" not in as_html(read_benchmark(tmp_path / "r.json"))
