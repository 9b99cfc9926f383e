"""Commands, HTTP and benchmarks of a bundle that detects anomalies."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.serving.load import running
from edge_experts import ExpertRuntime
from edge_experts.benchmarking import expected
from edge_experts.benchmarking.benchmark import benchmark
from edge_experts.benchmarking.contender import read
from edge_experts.benchmarking.reference_loop import reference_texts
from edge_experts.benchmarking.score import primary
from edge_experts.cli.app import app
from edge_experts.datasets.targets.anomaly_scores import auroc
from edge_experts.errors import DataError, ThresholdError, UnsuitableError, UsageError
from edge_experts.format.npz import npz
from edge_experts.serving.tensors import outputs_of
from tests.tiny import INPUTS, PICKED, REGRESSION, tiny_anomaly, tiny_bundle

OUTPUTS = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
ERRORS = np.array([[0.5, 0.25], [2.0, 1.0]])[PICKED]
SCORES = np.sqrt((((INPUTS - OUTPUTS) / ERRORS) ** 2).mean(axis=1)) / np.array([2.0, 4.0])[PICKED]
DEPLOYED = {"auroc": 0.75, "detection_rate": 0.5, "false_alarm_rate": 0.0625}
PROVENANCE = {"test_scores": DEPLOYED, "test_examples": 40, "false_alarms": 0.05}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_anomaly(tmp_path / "tiny.bundle", provenance=PROVENANCE)


def done(*arguments: object, stdin: str = "") -> str:
    """Standard output of a command; raises its error."""
    return CliRunner().invoke(app, list(map(str, arguments)), stdin, catch_exceptions=False).stdout


def lines() -> str:
    return "".join(f"{json.dumps(row.tolist())}\n" for row in INPUTS)


def data(path: Path, anomalous: np.ndarray) -> Path:
    x, y = INPUTS.repeat(20, axis=0), anomalous.repeat(20).astype(int)
    np.savez(path, x_train=x, y_train=0 * y, x_test=x, y_test=y)
    return path


def test_run_prints_the_regime_and_the_odd_features(tiny: Path) -> None:
    for row, line in enumerate(done("run", tiny, stdin=lines()).splitlines()):
        told = "anomalous" if SCORES[row] > 1 else "normal"
        features = r"((heat|noise) -?[\d.]+ \(expected -?[\d.]+\)(, )?){1,2}"
        assert re.fullmatch(
            rf"{told}\t{SCORES[row]:.3f}\tregime {PICKED[row]}\t{features}\t\[.*\]", line
        )


def test_run_says_all_in_json(tiny: Path) -> None:
    told = [json.loads(line) for line in done("run", tiny, "--json", stdin=lines()).splitlines()]
    for row, one in enumerate(told):
        assert one["anomalous"] == (SCORES[row] > 1)
        assert one["score"] == pytest.approx(SCORES[row], rel=1e-5)
        assert one["regime"] == one["expert"] == PICKED[row]
        assert not one["degraded"]
        for odd in one["odd"]:
            place = ("heat", "noise").index(odd["feature"])
            mean, scale = ((100, 20), (-2, 0.5))[place]
            assert odd["value"] == pytest.approx(INPUTS[row, place] * scale + mean, rel=1e-5)
            assert odd["expected"] == pytest.approx(OUTPUTS[row, place] * scale + mean, rel=1e-5)


def test_evaluate_tells_auroc_and_rates(tiny: Path, tmp_path: Path) -> None:
    anomalous = np.array([True, False, True, False])
    path = data(tmp_path / "d.npz", anomalous)
    found = json.loads(done("evaluate", tiny, "--data", path, "--json"))
    assert found["auroc"] == pytest.approx(auroc(SCORES, anomalous), abs=1e-6)
    assert found["detection_rate"] == np.mean(SCORES[anomalous] > 1)
    assert found["false_alarm_rate"] == np.mean(SCORES[~anomalous] > 1)
    assert (found["examples"], found["anomalous"]) == (80, 40)
    assert found["stated_false_alarms"] == 0.05
    assert [one["share"] for one in found["regimes"]] == found["expert_usage"]
    text = done("evaluate", tiny, "--data", path)
    assert f"AUROC {found['auroc']:.4f}" in text
    assert "(0.05 was stated), on 80 examples of d, test, 40 of them anomalous" in text
    assert "regime 1, " in text


def test_evaluate_without_anomalous_examples(tiny: Path, tmp_path: Path) -> None:
    path = data(tmp_path / "d.npz", np.zeros(4, bool))
    found = json.loads(done("evaluate", tiny, "--data", path, "--json"))
    assert found["auroc"] is None
    assert found["detection_rate"] is None
    assert found["false_alarm_rate"] == np.mean(SCORES > 1)
    with pytest.raises(DataError, match="no anomalous examples"):
        done("evaluate", tiny, "--data", path, "--min-auroc", 0.5)


def test_a_threshold_of_auroc(tiny: Path, tmp_path: Path) -> None:
    lowest = np.isin(SCORES, np.sort(SCORES)[:2])
    asked = ("evaluate", tiny, "--data", data(tmp_path / "d.npz", lowest))
    assert "AUROC 0.0000" in done(*asked, "--min-auroc", 0)
    with pytest.raises(ThresholdError, match=r"auroc 0\.0000 is below --min-auroc 0\.9"):
        done(*asked, "--min-auroc", 0.9)
    with pytest.raises(UsageError, match="--min-auroc is for bundles of anomaly; this one is of"):
        done("evaluate", tiny_bundle(tmp_path / "c"), "--data", "x.npz", "--min-auroc", 0.5)


def test_inspect_and_verify(tiny: Path) -> None:
    text = done("inspect", tiny)
    assert re.search(r"features +heat, noise", text)
    assert "AUROC        0.7500 as deployed, on 40 test examples; 50.0% of the" in text
    assert "4 golden examples answered as published" in done("verify", tiny)


def test_what_is_not_supported_is_named(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsuitableError, match="the task 'anomaly' is not supported in a browser"):
        done("export-web", tiny, "--out", tmp_path / "site")


def test_anomalies_over_http(tiny: Path) -> None:
    with ExpertRuntime(tiny) as runtime:
        assert outputs_of(runtime.task) == [
            {"name": "anomalous", "datatype": "BOOL", "shape": [-1]},
            {"name": "score", "datatype": "FP32", "shape": [-1]},
            {"name": "regime", "datatype": "INT32", "shape": [-1]},
            {"name": "odd", "datatype": "BYTES", "shape": [-1]},
            {"name": "values", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "expected", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "expert", "datatype": "INT32", "shape": [-1]},
            {"name": "degraded", "datatype": "BOOL", "shape": [-1]},
        ]
    x = {"name": "x", "datatype": "FP32", "shape": list(INPUTS.shape), "data": INPUTS.tolist()}
    with running(tiny) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/v2/models/tiny/infer", json.dumps({"inputs": [x]}))
        told: Any = json.loads(connection.getresponse().read())
        connection.close()
    found = {one["name"]: one["data"] for one in told["outputs"]}
    assert found["anomalous"] == (SCORES > 1).tolist()
    assert found["score"] == pytest.approx(SCORES, rel=1e-5)
    assert found["regime"] == PICKED.tolist()
    assert set(found["odd"]) <= {"heat", "noise"}
    values = np.array(found["expected"]).reshape(4, 2)
    assert values == pytest.approx(OUTPUTS * (20, 0.5) + (100, -2), rel=1e-5)


def test_the_reference_loop_answers_the_same(tiny: Path) -> None:
    ask = reference_texts(tiny)
    with ExpertRuntime(tiny) as runtime:
        for example in [*INPUTS, *np.random.default_rng(0).normal(size=(50, 2)).astype("f4")]:
            assert ask(example) == runtime.predict(example).text


def test_a_benchmark_has_all_scores(tiny: Path) -> None:
    found = read(tiny)
    assert {name: one.value for name, one in found.scores.items()} == DEPLOYED
    assert primary(found.scores) == "auroc"
    assert not found.scores["false_alarm_rate"].higher_is_better
    told = benchmark(tiny, rounds=2).to_json()["rows"]
    assert {name: one["value"] for name, one in told[0]["scores"].items()} == DEPLOYED


def test_expected_outputs_agree_to_the_bit(tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "expected.npz"
    file.write_bytes(npz(**expected.expect(tiny, list(INPUTS))))
    found = expected.compare(tiny, file)
    assert (found.examples, found.reference, found.other_labels) == (4, 0, 0)
