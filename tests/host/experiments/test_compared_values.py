"""Comparison and advice of regression: R2, squared errors in pairs, and the words for them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.datasets import Dataset, Split
from edge_experts.errors import DataError

EXAMPLES = 400


def _losses(r2: float, seed: int = 0) -> tuple[float, ...]:
    """Squared errors, by the variance of the targets, whose mean gives this R2."""
    drawn = np.random.default_rng(seed).exponential(size=EXAMPLES)
    return tuple((drawn * (1 - r2) / drawn.mean()).tolist())


@pytest.fixture
def compared(keras: Any) -> Any:
    """A comparison of rows by their R2, one for each seed."""
    from edge_experts.experiments.comparison import Comparison, ComparisonRow, SeedResult

    def measured(r2: float) -> Any:
        scores = {"r2": r2, "mae": 300 * (1 - r2), "rmse": 500 * (1 - r2)}
        sizes = (EXAMPLES, 500, 4000, 3000, 2000, "int8")
        return SeedResult(scores, {**scores, "r2": r2 + 0.01}, *sizes, _losses(r2))

    def make(**r2: tuple[float, ...]) -> Any:
        rows = tuple(
            ComparisonRow(name.replace("_", "-"), tuple(map(measured, values)), "r2")
            for name, values in r2.items()
        )
        seeds = tuple(range(len(next(iter(r2.values())))))
        return Comparison("diamonds", 9000, False, "int8", seeds, rows, {}, "regression")

    return make


def test_rows_have_their_scores_in_place_of_an_accuracy(compared: Any) -> None:
    from edge_experts.experiments.comparison import as_json

    found = as_json(compared(sparse=(0.9, 0.92), dense_active=(0.8, 0.8), dense_all=(0.9, 0.9)))
    assert (found["task"], found["score"]) == ("regression", "r2")
    row = found["rows"][0]
    assert row["scores"] == {"r2": 0.91, "mae": 27.0, "rmse": 45.0}
    assert [one["r2"] for one in row["seed_scores"]] == [0.9, 0.92]
    assert row["float_scores"][0]["r2"] == pytest.approx(0.91)
    low, high = row["score_interval"]
    assert low < 0.91 < high
    assert not {"accuracy", "accuracies", "accuracy_interval", "float_accuracies"} & set(row)
    assert row["gap_closed"] == pytest.approx(1.1)
    json.dumps(found)


def test_what_compare_leaves_becomes_a_part_of_the_page(compared: Any, tmp_path: Path) -> None:
    from edge_experts.benchmarking.report.html.result_reader import read_comparison
    from edge_experts.experiments.comparison import write

    write(compared(sparse=(0.9,), dense_active=(0.8,), dense_all=(0.9,)), tmp_path)
    found = read_comparison(tmp_path / "comparison.json")
    assert found.score == "r2"
    assert found.rows[1].scores == {"r2": 0.8, "mae": 60.0, "rmse": 100.0}
    assert (tmp_path / "comparison.png").stat().st_size > 1000


def test_the_text_names_the_score(compared: Any) -> None:
    from edge_experts.experiments.comparison import as_text

    dense = {"dense_active": (0.80, 0.80, 0.80), "dense_all": (0.84, 0.84, 0.84)}
    text = as_text(compared(sparse=(0.82, 0.822, 0.824), **dense))
    header, row, *_ = text.splitlines()
    assert "R2" in header.split()
    assert "MAE" in header
    assert "RMSE" in header
    assert "accuracy" not in text
    assert row.split()[:3] == ["sparse", "int8", "0.8220"]
    assert "Sparse experts pay here: +2.2 points of R2 (95 %:" in text
    assert "which is +4.0 points of R2." in text


def test_the_picture_is_of_r2(compared: Any, tmp_path: Path) -> None:
    from edge_experts.experiments.comparison import comparison_picture

    path = tmp_path / "p.svg"
    comparison_picture.draw(compared(sparse=(0.9,), dense_active=(0.8,), dense_all=(0.9,)), path)
    assert "R2 as deployed" in path.read_text()


def test_a_gap_of_less_than_a_point_of_r2_is_none(compared: Any) -> None:
    found = compared(sparse=(0.9,), dense_active=(0.8,), dense_all=(0.8099,))
    assert found.gap_closed(found.row("sparse")) is None
    found = compared(sparse=(0.9,), dense_active=(0.8,), dense_all=(0.811,))
    assert found.gap_closed(found.row("sparse")) == pytest.approx(0.1 / 0.011)


def test_one_seed_is_judged_by_the_errors_in_pairs(compared: Any) -> None:
    """Models that err on the same examples are told apart by few of them."""
    from edge_experts.experiments.comparison.verdict import difference

    found = compared(sparse=(0.82,), dense_active=(0.80,), dense_all=(0.84,))
    gain, (low, high) = difference(found, found.row("sparse"), found.row("dense-active"))
    assert gain == pytest.approx(0.02)
    paired = np.array(_losses(0.80)) - np.array(_losses(0.82))
    assert high - low == pytest.approx(2 * 1.96 * paired.std(ddof=1) / 20)
    assert low > 0


@given(
    values=st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)),
        min_size=3,
        max_size=40,
    )
)
def test_the_difference_of_losses_is_that_of_r2(values: list[tuple[float, float, float]]) -> None:
    from edge_experts.datasets.targets.regression_scores import scores
    from edge_experts.experiments.tasks import ModelResult
    from edge_experts.experiments.tasks.regression import COMPARISON, losses_of

    wanted, one, other = (np.array(column)[:, None] for column in zip(*values, strict=True))
    if wanted.var() < 1:
        return
    outcomes = [ModelResult({}, len(values), losses_of(made, wanted)) for made in (one, other)]
    gain, error = COMPARISON.paired(*outcomes)
    r2 = [scores(made, wanted, ["y"])["r2"] for made in (one, other)]
    assert gain == pytest.approx(r2[0] - r2[1], rel=1e-3, abs=1e-4)
    assert error > 0


def test_the_paired_error_is_that_of_many_draws(keras: Any) -> None:
    from edge_experts.experiments.tasks import ModelResult
    from edge_experts.experiments.tasks.regression import COMPARISON

    chance, gains, errors = random.Random(0), [], []
    for _ in range(300):
        base = [chance.expovariate(5) for _ in range(200)]
        better = [loss * chance.uniform(0.7, 1.1) for loss in base]
        outcomes = (ModelResult({}, 200, tuple(losses)) for losses in (better, base))
        gain, error = COMPARISON.paired(*outcomes)
        gains.append(gain)
        errors.append(error)
    assert np.mean(gains) == pytest.approx(0.02, abs=0.002)
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.2)


def test_a_record_keeps_losses_and_older_ones_are_read(keras: Any, tmp_path: Path) -> None:
    from edge_experts.experiments.comparison import SeedResult
    from edge_experts.experiments.comparison.records import Record, read

    path = tmp_path / "sparse.json"
    scores = {"r2": 0.9, "mae": 1.0, "rmse": 2.0}
    measured = SeedResult(scores, scores, 3, 500, 4000, 3000, 2000, "int8", (0.1, 0.2, 0.0))
    Record({}, measured).write(path)
    found = read(path, {})
    assert found is not None
    assert found.measured == measured
    old = {"accuracy": 0.9, "float_accuracy": 0.91, "examples": 100, "macs": 500,
           "total_bytes": 4000, "compressed_bytes": 3000, "resident_bytes": 2000,
           "quantization": "int8"}  # fmt: skip
    path.write_text(json.dumps({"made_with": {}, "measured": old, "reason": ""}))
    found = read(path, {})
    assert found is not None
    assert found.measured is not None
    assert found.measured.scores == {"accuracy": 0.9}
    assert found.measured.float_scores == {"accuracy": 0.91}


def _values(count: int = 200) -> Dataset:
    random = np.random.default_rng(0)

    def split(rows: int) -> Split:
        inputs = random.normal(size=(rows, 3))
        return Split(inputs, (inputs[:, :1] * inputs[:, 1:2]) * 50 + 100)

    train, validation, test = (split(rows) for rows in (count, 40, 40))
    return Dataset(
        "products", "window", "regression", ("y",), train, validation, test, "a test", "regression"
    )


def test_a_quick_look_at_numbers_takes_any_rows(keras: Any) -> None:
    from edge_experts.experiments.advice.advice import quick_look

    dataset = _values()
    sample = quick_look(dataset, seed=0)
    assert len(sample.train) + len(sample.validation) == 200
    assert sample.train.targets.shape[1:] == (1,)
    drawn = np.concatenate([sample.train.targets, sample.validation.targets])
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(dataset.train.targets, axis=0))


def test_advice_on_numbers_speaks_of_r2(keras: Any) -> None:
    from edge_experts.experiments.advice.advice import Advice, as_text
    from edge_experts.experiments.advice.advice_verdict import Candidate, judge
    from edge_experts.experiments.tasks.regression import COMPARISON

    def candidate(name: str, experts: int, r2: float) -> Candidate:
        scores = {"r2": r2, "mae": 10.0, "rmse": 20.0}
        return Candidate(name, experts, scores, r2 - 0.8, 0.004, 1000, 10_000, 20_000, 50.0)

    active, everything = candidate("active", 1, 0.8), candidate("all", 1, 0.83)
    sparse = [candidate("4 experts", 4, 0.82), candidate("8 experts", 8, 0.82)]
    verdict = judge(everything, sparse, gained=COMPARISON.gained)
    assert verdict.word == "likely"
    assert verdict.reasons[0] == (
        "4 experts explain +2.0 (± 0.8) points more of the targets' variance (R2) than "
        "the dense network of the same cost."
    )
    found = Advice(
        "diamonds", "table", 1, 9000, 6000, 900, (active, everything, *sparse), verdict,
        "regression",
    )  # fmt: skip
    text = as_text(found)
    assert text.startswith("diamonds: table, 1 output(s), 9,000 examples to train on")
    assert text.splitlines()[3].split()[0] == "R2"
    said = found.to_json()
    assert said["score"] == "r2"
    assert said["candidates"][0]["scores"]["mae"] == 10.0
    assert "accuracy" not in said["candidates"][0]


@pytest.mark.parametrize("command", ["compare", "advise"])
def test_other_tasks_are_refused_by_name(keras: Any, tmp_path: Path, command: str) -> None:
    from edge_experts.experiments.advice.advice import advise
    from edge_experts.experiments.comparison import compare

    pairs = Split([("open", "öffnen")] * 10, np.zeros(10, int))
    dataset = Dataset(
        "words", "translation", "t", ("de",), pairs, pairs, pairs, "a test", "translation"
    )
    words = f"words: {command} does not support translation; use `train`"
    commands: dict[str, Callable[[], object]] = {
        "compare": lambda: compare(dataset, tmp_path),
        "advise": lambda: advise(dataset),
    }
    with pytest.raises(DataError, match=words):
        commands[command]()
