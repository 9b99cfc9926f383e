"""Matrix of Keras layers: complete by introspection, and a sample of it as CI runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

# Each way in, and each way of joining, at least once.
SAMPLE = {
    ("several inputs", "--model"): "works",
    ("several inputs", "--router-model"): "works",
    ("custom model", "--backbone"): "works",
    ("add", ".keras"): "works",
    ("shared layer", ".keras"): "works",
    ("nested residual", ".h5"): "works",
    ("concatenation", "SavedModel"): "works",
    ("multiply", "Keras 3 .keras"): "works",
    ("states of LSTM", "Keras 3 .h5"): "works",
    ("mask, mean", ".h5"): "works",
    ("Lambda", ".h5"): "refused",
    ("nested model", "weights only"): "refused",
}


def test_every_public_layer_class_has_a_case(keras: Any) -> None:
    from benchmarks.layers.layer_cases import ONLY_TF_KERAS, TABLE, layer_classes

    assert set(layer_classes()) == set(TABLE)
    assert set(TABLE) >= ONLY_TF_KERAS


def test_names_of_cases_are_unique() -> None:
    from benchmarks.layers.matrix import every_case

    names = [case.name for case in every_case()]
    assert len(names) == len(set(names))


def test_a_report_counts_what_is_refused_of_what_converts_elsewhere() -> None:
    from benchmarks.layers import matrix
    from edge_experts.errors import ThresholdError

    found = [
        {"case": case, "way": way, "outcome": outcome, "reason": "why", "int8": "", "seconds": 1}
        for case, way, outcome in (
            ("a", "plain", "works"),
            ("b", "plain", "refused"),
            ("a", "--model", "falls back"),
            ("b", "--model", "refused"),
            ("a", "weights only", "refused"),
        )
    ]
    content = matrix.report(found)
    assert content["refused_share"] == 0
    assert [row["way"] for row in content["ways"]] == ["--model", "weights only"]
    assert matrix.notes(content)[0] == "falls back: a (--model): why"
    matrix.refuse_failures(content)
    late = {**found[2], "outcome": "late"}
    with pytest.raises(ThresholdError, match="1 cases ended"):
        matrix.refuse_failures(matrix.report([*found, late]))
    with pytest.raises(ThresholdError, match=r"50\.0% refused"):
        matrix.refuse_failures(matrix.report([*found, {**found[3], "case": "a"}]))


def test_a_sample_of_the_matrix(tmp_path: Path) -> None:
    from benchmarks.layers import matrix

    assert {way for _, way in SAMPLE} == set(matrix.WAYS)
    cases = {case.name: case for case in matrix.every_case()}
    tried = [(cases[name], way) for name, way in SAMPLE]
    found = matrix.measure(tried, processes=1, results=tmp_path / "found.jsonl")
    assert {(each["case"], each["way"]): each["outcome"] for each in found} == SAMPLE
    assert matrix.measure(tried, results=tmp_path / "found.jsonl") == found  # nothing is repeated


def test_formats_that_give_the_same_network_have_one_conversion(tmp_path: Path) -> None:
    from edge_experts.converters.process.pool import Workers
    from edge_experts.converters.trial import TrialProcesses, answer_workers

    from benchmarks.layers import matrix
    from benchmarks.layers.adopted import adopted

    (case,) = [case for case in matrix.every_case() if case.name == "Dense"]
    ways = (".keras", ".h5", "SavedModel")
    (tmp_path / "job").mkdir()
    with (
        Workers(tmp_path / "job", 1) as converters,
        answer_workers(tmp_path / "job") as interpreters,
    ):
        processes = TrialProcesses(converters, interpreters)
        found = adopted(case, ways, tmp_path, tmp_path, processes)
    assert [(each.way, each.outcome, each.int8) for each in found] == [
        (way, "works", "works") for way in ways
    ]
    assert [each.parent.name for each in tmp_path.glob("*/converted")] == [".keras"]


def test_failures_are_outcomes(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.layers.outcome import attempt
    from edge_experts.errors import UsageError

    def work(error: Exception) -> Any:
        raise error

    assert attempt("a", "--model", lambda: work(UsageError("why"))).outcome == "refused"
    failed = attempt("a", "--model", lambda: work(KeyError("why")))
    assert (failed.outcome, failed.reason) == ("traceback", "KeyError: 'why'")


def test_a_line_that_was_cut_off_is_tried_again(tmp_path: Path) -> None:
    from benchmarks.layers import matrix

    line = '{"case": "Dense", "way": "plain", "outcome": "works"}'
    (tmp_path / "found.jsonl").write_text(f"{line}\n{line[:30]}")
    assert list(matrix._known(tmp_path / "found.jsonl")) == [("Dense", "plain")]


@pytest.mark.long
def test_layers_that_cannot_be_batched_or_converted() -> None:
    from benchmarks.layers import matrix

    cases = [case for case in matrix.every_case() if case.name in ("mask, mean", "Hashing")]
    found = matrix.measure(matrix.attempts(cases, matrix.TRAINED), processes=1)
    matrix.refuse_failures(matrix.report(found))
    outcomes = {(each["case"], each["way"]): each["outcome"] for each in found}
    assert outcomes["Hashing", "--model"] == "refused"
    assert outcomes["mask, mean", "--model"] == "falls back"
