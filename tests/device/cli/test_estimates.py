"""Commands of the device with a bundle of regression."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_experts.cli.app import app
from edge_experts.errors import DataError, ThresholdError, UsageError
from edge_experts.format.drift_reference import DriftReference, Histogram
from tests.tiny import INPUTS, PICKED, REGRESSION, tiny_bundle, tiny_regression

OUTPUTS = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
VALUES = OUTPUTS * (20, 0.5) + (100, -2)
PROVENANCE = {"test_scores": {"mae": 12.25, "rmse": 20.5, "r2": 0.9}, "test_examples": 40}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_regression(tmp_path / "tiny.bundle", provenance=PROVENANCE)


def done(*arguments: object, stdin: str = "") -> str:
    """Standard output of a command; raises its error."""
    return CliRunner().invoke(app, list(map(str, arguments)), stdin, catch_exceptions=False).stdout


def lines(rows: np.ndarray = INPUTS) -> str:
    return "".join(f"{json.dumps(row.tolist())}\n" for row in rows)


def test_run_prints_values(tiny: Path) -> None:
    first = done("run", tiny, stdin=lines()).splitlines()[0]
    price, width = VALUES[0]
    assert first == f"price {price:g}, width {width:g}\texpert {PICKED[0]}\t[2.0, 1.0]"


def test_run_prints_one_value_alone(tmp_path: Path) -> None:
    bundle = tiny_regression(tmp_path / "one.bundle", mean=[100], scale=[20])
    assert done("run", bundle, "[2, 1]").startswith(f"{VALUES[0, 0]:g}\texpert ")


def test_run_says_values_in_json(tiny: Path) -> None:
    (tiny / "experts/001.tflite").write_bytes(b"damaged")
    told = [
        json.loads(line)
        for line in done("run", tiny, "--json", stdin=lines()).splitlines()
        if line.startswith("{")
    ]
    for row, (one, values) in enumerate(zip(told, VALUES, strict=True)):
        assert one["degraded"] == (PICKED[row] == 1)
        if not one["degraded"]:
            assert one["values"] == dict(zip(("price", "width"), values, strict=True))
        assert one["expert"] == 0
        assert one["experts"] == [0]
        assert (one["reason"] is not None) == one["degraded"]
        assert set(one["timings"]) == {"features_us", "route_us", "load_us", "invoke_us"}
        assert "label" not in one
        assert "abstained" not in one


def test_numbers_that_are_none_are_null(tmp_path: Path) -> None:
    bundle = tiny_regression(tmp_path / "large.bundle", mean=[0, 3.4e38], scale=[1e-37, 3e38])
    told = json.loads(done("run", bundle, "--json", "[30000, 30000]"))
    assert told["values"]["width"] is None
    assert isinstance(told["values"]["price"], float)


def arrays(path: Path, targets: np.ndarray) -> Path:
    x, y = INPUTS.repeat(20, axis=0), targets.repeat(20, axis=0)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    return path


def test_evaluate_is_of_the_units_of_the_data(tmp_path: Path) -> None:
    bundle = tiny_regression(tmp_path / "one.bundle", mean=[100], scale=[20], labels=("target",))
    off = np.array([3.25, -1.0, 0.5, 0.5])
    data = arrays(tmp_path / "d.npz", VALUES[:, :1] + off[:, None])
    found = json.loads(done("evaluate", bundle, "--data", data, "--json"))
    assert found["mae"] == pytest.approx(np.abs(off).mean())
    assert found["rmse"] == pytest.approx(np.sqrt((off**2).mean()))
    wanted = VALUES[:, 0] + off
    assert found["r2"] == pytest.approx(1 - (off**2).mean() / wanted.var(), abs=1e-6)
    assert found["examples"] == 80
    assert found["expert_usage"] == [np.mean(PICKED == 0), np.mean(PICKED == 1)]
    assert "outputs" not in found
    text = done("evaluate", bundle, "--data", data)
    assert f"R2 {found['r2']:.4f}, MAE {found['mae']:.5g}" in text
    assert "experts used" in text


def test_evaluate_refuses_other_outputs(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has outputs that .* does not know: target"):
        done("evaluate", tiny, "--data", arrays(tmp_path / "d.npz", VALUES[:, :1] + 0.25))


def test_evaluate_refuses_data_without_an_output(tiny: Path, tmp_path: Path) -> None:
    data = tmp_path / "d.csv"
    data.write_text("x,target:width\n" + "1,2.5\n" * 60, encoding="utf-8")
    with pytest.raises(DataError, match=r"has no target price, .* add the column 'target:price'"):
        done("evaluate", tiny, "--data", data)


def test_evaluate_of_several_outputs(tmp_path: Path) -> None:
    bundle = tiny_regression(tmp_path / "two.bundle", labels=("target 0", "target 1"))
    names = json.loads(done("evaluate", bundle, "--data", arrays(tmp_path / "d.npz", VALUES),
                            "--json"))["outputs"]  # fmt: skip
    assert names == {name: {"mae": 0.0, "rmse": 0.0, "r2": 1.0} for name in names}
    assert len(names) == 2


def test_a_threshold_of_r2(tmp_path: Path) -> None:
    bundle = tiny_regression(tmp_path / "one.bundle", mean=[100], scale=[20], labels=("target",))
    asked = ("evaluate", bundle, "--data", arrays(tmp_path / "d.npz", 0.25 - VALUES[:, :1]))
    assert "R2" in done(*asked, "--min-r2", -100)
    for least in (0, 0.5):
        with pytest.raises(ThresholdError, match=rf"r2 -33\.\d+ is below --min-r2 {least}"):
            done(*asked, "--min-r2", least)
    with pytest.raises(UsageError, match="--min-r2 must be a finite number, got nan"):
        done(*asked, "--min-r2", "nan")


@pytest.mark.parametrize(
    ("option", "of"), [("--min-accuracy", "classification"), ("--min-chrf", "translation")]
)
@pytest.mark.parametrize("least", [0, 0.5])
def test_thresholds_of_other_tasks_are_refused(
    tiny: Path, option: str, of: str, least: float
) -> None:
    with pytest.raises(UsageError, match=f"{option} is for bundles of {of}; this one is of regres"):
        done("evaluate", tiny, "--data", "x.npz", option, least)


def test_a_threshold_of_r2_is_refused_for_labels(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "labels.bundle")
    with pytest.raises(UsageError, match="--min-r2 is for bundles of regression; this one is of c"):
        done("evaluate", bundle, "--data", "x.npz", "--min-r2", 0)


def test_inspect_names_outputs_and_scores(tiny: Path) -> None:
    text = done("inspect", tiny)
    assert re.search(r"outputs +price, width", text)
    assert "R2           0.9000 as deployed, on 40 test examples; MAE 12.25, RMSE 20.5" in text
    content = json.loads(done("inspect", tiny, "--json"))
    assert content["task_spec"] == {
        "type": "regression",
        "config": {"mean": [100.0, -2.0], "scale": [20.0, 0.5]},
    }


def test_inspect_shows_parity(tmp_path: Path) -> None:
    own = {"expert": 0, "examples": 5, "largest_difference": 0.5}
    parity = {"examples": 1200, "keras_r2": 0.91, "deployed_r2": 0.905, "experts": [own, 3]}
    bundle = tiny_regression(tmp_path / "proven.bundle", provenance={"parity": parity})
    text = done("inspect", bundle)
    assert re.search(r"beside Keras +examples +largest difference +R2: Keras's, deployed\n", text)
    assert re.search(r"end to end +1,200 +\? +0\.9100 +0\.9050\n", text)
    assert re.search(r"expert 0 +5 +0\.5 +\? +\?\n", text)


def test_monitor_counts_mean_outputs(tmp_path: Path) -> None:
    flat = Histogram((), (100,))
    score = Histogram((-3.0, 0.0, 3.0), (25, 25, 25, 25))
    reference = DriftReference(score, experts=(50, 50), confidence=flat, entropy=flat)
    bundle = tiny_regression(tmp_path / "watched.bundle", reference=reference)
    found = json.loads(done("monitor", bundle, "--json", stdin=lines(INPUTS.repeat(10, axis=0))))
    means = np.searchsorted((-3, 0, 3), OUTPUTS.mean(axis=1), side="right")
    assert found["signals"]["score"]["seen"] == [np.mean(means == bin_) for bin_ in range(4)]
    assert found["answers"] == 40


@pytest.mark.parametrize(
    "odd",
    [{}, {"test_scores": 3, "test_examples": 4}, {"test_scores": {"mae": "1"}, "test_examples": 4},
     {**PROVENANCE, "test_examples": "many"}, {"test_scores": {"mae": 1, "rmse": 1, "r2": 2}}],
)  # fmt: skip
def test_inspect_survives_odd_scores(tmp_path: Path, odd: dict[str, object]) -> None:
    bundle = tiny_regression(tmp_path / "odd.bundle", provenance=odd)
    assert "R2           not known as deployed" in done("inspect", bundle)


def test_verify_answers_golden_examples(tiny: Path) -> None:
    assert "4 golden examples answered as published" in done("verify", tiny)
