"""Results as JSON: what is written is read back equal, and anything else is refused by name."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any, get_args, get_origin, is_typeddict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_experts.benchmarking.benchmark import Benchmark
from edge_experts.benchmarking.bounds import Length, Within
from edge_experts.benchmarking.expert_map import ExpertMap
from edge_experts.benchmarking.latency import Latency, summarize
from edge_experts.benchmarking.measure.timeline import Timeline
from edge_experts.benchmarking.report import decoding
from edge_experts.benchmarking.report.compared import Compared
from edge_experts.benchmarking.report.html.page import as_html
from edge_experts.benchmarking.report.html.result_reader import read_benchmark, read_comparison
from edge_experts.benchmarking.report.text_report import as_text
from edge_experts.benchmarking.row import Row
from edge_experts.benchmarking.score import Accuracy, Chrf, Score
from edge_experts.errors import MissingExtraError, UsageError
from edge_experts.runtime import Timings

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
ENVIRONMENT = {"machine": "armv7l", "interpreter": "tflite-runtime", "version": "2.14.0"}


def _of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, within its bounds: the same description that the reader uses."""
    kind, bounds = decoding._parts(hint)
    inner = _plain(kind, bounds)
    optional = type(None) in get_args(hint)
    return st.none() | inner if optional else inner


def _plain(kind: Any, bounds: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    within = next((one for one in bounds if isinstance(one, Within)), Within())
    length = next((one for one in bounds if isinstance(one, Length)), Length())
    most = min(length.most, length.least + 3)
    if kind is int:
        return st.integers(int(within.least), int(within.most))
    if kind is float:
        return st.floats(within.least, within.most, allow_nan=False)
    if kind is bool:
        return st.booleans()
    if kind is str:
        return TEXTS
    if get_origin(kind) in (list, tuple):
        arguments = get_args(kind)
        if get_origin(kind) is tuple and arguments[-1] is not ...:
            return st.tuples(*map(_of, arguments))
        items = st.lists(_of(arguments[0]), min_size=length.least, max_size=most)
        return items if get_origin(kind) is list else items.map(tuple)
    if get_origin(kind) is dict:
        return st.dictionaries(TEXTS, _of(get_args(kind)[1]), max_size=most)
    if is_typeddict(kind):
        return st.fixed_dictionaries(
            {name: _of(one) for name, one in decoding._hints(kind).items()}
        )
    return SPECIAL.get(kind, _object(kind))


def _object(kind: Any) -> st.SearchStrategy[Any]:
    if not dataclasses.is_dataclass(kind):
        return st.sampled_from([3, 2.5, "text"])  # of `object`
    built: Any = kind
    return st.builds(built, **{name: _of(one) for name, one in decoding._hints(built).items()})


def _timelines() -> st.SearchStrategy[Timeline]:
    samples = st.lists(
        st.tuples(st.floats(0, 1e6), st.integers(-(10**9), 10**9), st.integers(0, 10**9)),
        min_size=1,
        max_size=5,
    )

    def timeline(rows: list[tuple[float, int, int]]) -> Timeline:
        times, resident, anonymous = (list(column) for column in zip(*rows, strict=True))
        last = len(rows) - 1
        return Timeline(times, resident, anonymous, loads=[(0, 1)], evictions=[(last, 1)])

    return samples.map(timeline)


def _answers() -> st.SearchStrategy[ExpertMap]:
    return st.integers(1, 5).flatmap(
        lambda experts: st.builds(
            ExpertMap,
            st.just(experts),
            st.just(2),
            st.just(("a", "b")),
            st.lists(
                st.tuples(st.integers(0, experts - 1), st.integers(0, 1), st.integers(0, 99)),
                max_size=4,
            ).map(tuple),
            st.none() | st.just((1,) * experts),
        )
    )


SPECIAL: dict[Any, st.SearchStrategy[Any]] = {
    Latency: st.lists(st.floats(0, 1e9), min_size=1, max_size=9).map(summarize),
    Timeline: _timelines(),
    ExpertMap: _answers(),
}


def _benchmarks() -> st.SearchStrategy[Benchmark]:
    hints = {name: hint for name, hint in decoding._hints(Benchmark).items() if name != "sessions"}
    fields = {name: _of(hint) for name, hint in hints.items()}
    rows = st.lists(_object(Row), min_size=1, max_size=3, unique_by=lambda row: row.name)
    return st.builds(Benchmark, **{**fields, "rows": rows.map(tuple)})


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(result=_benchmarks())
def test_a_result_is_read_back_as_it_was_written(tmp_path: Path, result: Benchmark) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(result.to_json()))
    assert read_benchmark(path) == result


def example(**of_row: Any) -> Benchmark:
    """A result of one bundle."""
    latency = summarize([1.0, 2.0, 3.0], [Timings(0.1, 0.2, 0.3, 0.4)] * 3)
    settings: dict[str, Any] = {
        "name": "sparse experts", "warm": latency, "p50_interval_us": (1.0, 3.0), "ratio": 1.0,
        "ratio_interval": (1.0, 1.0), "difference_us": 0.0, "total_bytes": 9000,
        "resident_bytes": 3000, "accuracy": None, "growth": None, "session_p50_us": (2.0,),
        "session_ratio": (1.0,), "input_p50_us": (2.0,),
    }  # fmt: skip
    row = Row(**{**settings, **of_row})
    missing: dict[str, Any] = dict.fromkeys(
        ("first_from_storage", "first_cached", "switch_from_storage", "switch_cached")
    )
    from edge_experts.benchmarking.measure.conditions import Conditions

    return Benchmark(
        bundle="b", golden_examples=1, inputs=1, inputs_sha256="00", **missing, warm=latency,
        rows=(row,), experts=ExpertMap(1, 1, ("a",), ((0, 0, 1),)), before=Conditions(),
        under_load=Conditions(), cautions=(), environment=dict(ENVIRONMENT), threads=1,
    )  # fmt: skip


def test_scores_of_an_unknown_task_are_drawn_and_told(tmp_path: Path) -> None:
    scores = {
        "f1_micro": Score(0.8125, 320, "test documents"),
        "hamming_loss": Score(12.5, 320, "test documents", higher_is_better=False),
    }
    path = tmp_path / "result.json"
    path.write_text(json.dumps(example(scores=scores).to_json()))
    result = read_benchmark(path)
    header, row = (
        line.split() for line in as_text(result).splitlines() if line.startswith(("side", "sparse"))
    )
    assert "f1_micro" in header
    assert row[row.index("0.8125") + 1] == "12.50"
    assert "hamming_loss: as deployed, of test documents, where the files were made; lower" in (
        as_text(result)
    )
    page = as_html(result)
    assert "<h2>Size, latency and f1_micro</h2>" in page
    assert "<b>0.8125</b>f1_micro as deployed, 320 test documents" in page
    assert 'aria-label="f1_micro as deployed against bytes' in page
    assert "f1_micro as deployed, of test documents" in page
    assert "95 %, by the number of examples" not in page


def test_a_score_that_is_better_the_lower_is_drawn_where_there_is_no_other() -> None:
    score = Score(12.5, 320, higher_is_better=False, interval=(12.0, 13.0))
    page = as_html(example(scores={"mae": score}))
    assert "<h2>Size, latency and mae</h2>" in page
    assert "Lower is better. Bars: 95 %, by the number of examples." in page


def test_a_row_has_its_accuracy_and_chrf_among_its_scores() -> None:
    accuracy, chrf = Accuracy(0.5, 100), Chrf(57.0, 40)
    found = example(accuracy=accuracy, chrf=chrf).rows[0].scores
    assert list(found) == ["accuracy", "chrF"]
    assert found["accuracy"].interval == pytest.approx((0.402, 0.598))
    assert (found["chrF"].value, found["chrF"].of) == (57.0, "validation sentences")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"warm": None}, "warm: must be an object, got None"),
        ({"bundle": 3}, "bundle must be a text, got 3"),
        ({"rows": []}, r"rows must be a list of 1 to 64, got \[\]"),
        ({"rows": 7}, "rows must be a list of 1 to 64, got 7"),
        ({"threads": "1"}, "threads must be a whole number from 1 to 1000000000000000, got '1'"),
        ({"threads": 0}, "threads must be a whole number from 1"),
        ({"threads": True}, "threads must be a whole number"),
        ({"inputs": 2**62}, "inputs must be a whole number from 0"),
        ({"cautions": ["a", 3]}, r"cautions\[1\] must be a text, got 3"),
        ({"before": {"temperature_c": "hot"}}, "before: temperature_c must be a number"),
        ({"environment": {str(n): n for n in range(101)}}, "environment: must be an object"),
        ({"environment": {"load_average": 1e16}}, "environment: load_average must be"),
        ({"experts": {"experts": 2, "labels": 2, "names": [], "answers": [[0, 0, 1]]}},
         "experts: answers must be of experts and labels"),
        ({"experts": {"experts": 2, "labels": 2, "names": [], "answers": [[0, 0]]}},
         r"experts: answers\[0\] must be a list of 3"),
        ({"experts": {"experts": 9000, "labels": 2, "names": [], "answers": []}},
         "experts: experts must be a whole number from 1 to 8192"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named(tmp_path: Path, change: Any, words: str) -> None:
    _refused(tmp_path, {**example().to_json(), **change}, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generation": {"tokens": 3}}, "session_tokens_per_second must be a list .*is missing"),
        ({"accuracy": {"accuracy": 1.5, "examples": 3}}, "accuracy must be a number from 0 to 1"),
        ({"p50_interval_us": [1.0]}, "p50_interval_us must be a list of 2"),
        ({"ratio": -1}, "ratio must be a number from 0"),
        ({"ratio": 1e300}, "ratio must be a number from 0"),
        ({"session_ratio": [1.0, "a"]}, r"session_ratio\[1\] must be a number, got 'a'"),
        ({"scores": {"x": {"value": 1e17, "examples": 1}}}, "scores: x: value must be a number"),
        ({"scores": {"x": {"examples": 1}}}, "value must be a number, is missing"),
        ({"scores": {str(n): {"value": 1, "examples": 1} for n in range(17)}}, "scores: must be"),
        ({"warm": {"answers": 1, "total_us": {"p50": 1}, "parts_us": {}, "quantiles_us": []}},
         "warm: total_us: p90 must be a number from 0 .*is missing"),
    ],
)  # fmt: skip
def test_a_field_of_a_row_that_is_wrong_is_named(tmp_path: Path, change: Any, words: str) -> None:
    content = example().to_json()
    content["rows"][0].update(change)
    _refused(tmp_path, content, rf"rows\[0\].*{words}")


def test_two_rows_of_one_name_and_unordered_quantiles_are_refused(tmp_path: Path) -> None:
    content = example().to_json()
    _refused(tmp_path, {**content, "rows": content["rows"] * 2}, "rows must have different names")
    warm = {**content["warm"], "quantiles_us": [2.0, 1.0] + [3.0] * 99}
    _refused(tmp_path, {**content, "warm": warm}, "warm: quantiles_us must ascend")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Expecting value"),
        ("[]", "must be an object"),
        ("NaN", "NaN is not a JSON number"),
        ('{"threads": 1e999}', "too large a number"),
        ('{"threads": ' + "9" * 5000 + "}", "too large a number"),
        ('{"a": 1, "a": 2}', "a key stands twice"),
        ("[" * 100_000, "recursion"),
        ("[" * 40 + "]" * 40, "nested more than 32 deep"),
        ("[" + "0," * 400_001 + "0]", "more than 400000 values"),
    ],
)
def test_hostile_json_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    for read in (read_benchmark, read_comparison):
        with pytest.raises(UsageError, match=words):
            read(path)


def test_texts_that_would_deceive_are_shown_harmless(tmp_path: Path) -> None:
    content = {**example().to_json(), "bundle": "\u202eup\x1b[2J", "cautions": ["x" * 5000]}
    path = tmp_path / "r.json"
    path.write_text(json.dumps(content))
    result = read_benchmark(path)
    assert result.bundle == "?up?[2J"
    assert len(result.cautions[0]) == 1000


COMPARED: dict[str, Any] = {
    "data": "flowers",
    "seeds": [0],
    "examples": 500,
    "rows": [{"name": "sparse", "accuracy": 0.91, "accuracy_interval": [0.9, 0.92], "macs": 1500,
              "quantization": "int8", "total_bytes": 9000, "resident_bytes": 3000,
              "gap_closed": None}],
    "verdict": {"sentences": ["Sparse experts pay here."]},
}  # fmt: skip


def _compared(tmp_path: Path, content: Any) -> Compared:
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(content))
    return read_comparison(path)


def test_a_comparison_of_accuracies_or_of_another_score_is_drawn(tmp_path: Path) -> None:
    found = _compared(tmp_path, COMPARED)
    assert (found.score, found.rows[0].scores, found.rows[0].interval) == (
        "accuracy", {"accuracy": 0.91}, (0.9, 0.92),
    )  # fmt: skip
    row = {name: value for name, value in COMPARED["rows"][0].items() if "accuracy" not in name}
    row |= {"scores": {"r2": 0.5, "mae": 312.25}, "score_interval": None}
    found = _compared(tmp_path, {**COMPARED, "rows": [row], "score": "r2"})
    page = as_html(example(), found)
    assert "r2 as deployed, 500 test examples." in page
    assert 'aria-label="r2 as deployed against multiply-adds an answer"' in page
    assert '<td data-label="mae">312.2500</td>' in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": "r2"}, r"rows\[0\]: r2 must be a number, is missing"),
        ({"seeds": []}, "seeds must be a list of 1 to 64"),
        ({"verdict": {}}, "verdict: sentences must be a list"),
    ],
)
def test_a_wrong_comparison_is_refused(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        _compared(tmp_path, {**COMPARED, **change})


def test_without_msgspec_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"msgspec .*edge-experts\[report\]"):
        _compared(tmp_path, COMPARED)


def _refused(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=words) as raised:
        read_benchmark(path)
    assert str(path) in str(raised.value)
