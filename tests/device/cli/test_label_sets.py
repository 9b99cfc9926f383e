"""Commands, HTTP and benchmarks of a bundle that answers with several labels."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Sequence
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
from edge_experts.errors import DataError, ThresholdError, UsageError
from edge_experts.format.npz import npz
from edge_experts.serving.tensors import outputs_of
from tests.tiny import INPUTS, PICKED, REGRESSION, tiny_bundle, tiny_labels

LABELS = ("red", "round")
LOGITS = np.stack([INPUTS[row] @ REGRESSION[pick] for row, pick in enumerate(PICKED)])
PRESENT = 1 / (1 + np.exp(-LOGITS)) >= (0.75, 0.25)
SCORES = {"f1_micro": 0.75, "f1_macro": 0.5}
PROVENANCE = {"test_scores": SCORES, "test_examples": 40}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_labels(tmp_path / "tiny.bundle", provenance=PROVENANCE)


def done(*arguments: object, stdin: str = "") -> str:
    """Standard output of a command; raises its error."""
    return CliRunner().invoke(app, list(map(str, arguments)), stdin, catch_exceptions=False).stdout


def lines(rows: np.ndarray = INPUTS) -> str:
    return "".join(f"{json.dumps(row.tolist())}\n" for row in rows)


def data(path: Path, targets: np.ndarray = PRESENT, labels: Sequence[str] = LABELS) -> Path:
    x, y = INPUTS.repeat(20, axis=0), targets.repeat(20, axis=0).astype(int)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y, labels=np.array(labels))
    return path


def test_run_prints_labels_or_none(tiny: Path) -> None:
    for line, present in zip(done("run", tiny, stdin=lines()).splitlines(), PRESENT, strict=True):
        joined = ";".join(np.array(LABELS)[present]) or "(no label)"
        assert re.fullmatch(rf"{re.escape(joined)}\t\d\.\d{{3}}\texpert \d\t\[.*\]", line)
    assert "(no label)" in done("run", tiny, stdin=lines())


def test_run_says_labels_probabilities_and_thresholds_in_json(tiny: Path) -> None:
    told = [json.loads(line) for line in done("run", tiny, "--json", stdin=lines()).splitlines()]
    for row, one in enumerate(told):
        assert set(one["labels"]) == set(np.array(LABELS)[PRESENT[row]])
        assert list(one["probabilities"]) == list(one["thresholds"]) == one["labels"]
        for name, threshold in one["thresholds"].items():
            assert one["probabilities"][name] >= threshold == {"red": 0.75, "round": 0.25}[name]
        assert one["label"] == LABELS[LOGITS[row].argmax()]
        assert one["expert"] == PICKED[row]
        assert not one["degraded"]
        assert "abstained" not in one
    assert [] in [one["labels"] for one in told]


def test_evaluate_tells_f1(tiny: Path, tmp_path: Path) -> None:
    wanted = PRESENT.copy()
    wanted[0] = ~wanted[0]
    found = json.loads(done("evaluate", tiny, "--data", data(tmp_path / "d.npz", wanted), "--json"))
    both, sizes = 2 * (PRESENT & wanted).sum(), PRESENT.sum() + wanted.sum()
    assert found["f1_micro"] == pytest.approx(both / sizes, abs=1e-6)
    each = 2 * (PRESENT & wanted).sum(axis=0) / (PRESENT.sum(axis=0) + wanted.sum(axis=0))
    assert found["f1_macro"] == pytest.approx(each.mean(), abs=1e-6)
    assert found["labels"] == {
        name: {"f1": pytest.approx(each[place], abs=1e-6), "examples": 20 * wanted[:, place].sum()}
        for place, name in enumerate(LABELS)
    }
    assert found["equal_sets"] == 0.75
    assert found["examples"] == 80
    assert found["expert_usage"] == [np.mean(PICKED == 0), np.mean(PICKED == 1)]
    text = done("evaluate", tiny, "--data", data(tmp_path / "d.npz", wanted))
    assert f"micro-F1 {found['f1_micro']:.4f}, macro-F1 {found['f1_macro']:.4f} over the 2" in text
    assert "the best set of labels for all examples alike" in text


def test_evaluate_of_a_file_with_some_of_the_labels(tiny: Path, tmp_path: Path) -> None:
    path, wanted = tmp_path / "d.npz", PRESENT[:, 1:]
    data(path, wanted, ["round"])
    found = json.loads(done("evaluate", tiny, "--data", path, "--json"))
    assert found["labels_that_occur"] == 1
    assert found["labels"]["red"]["examples"] == 0
    data(path, wanted, ["new"])
    with pytest.raises(DataError, match=r"has labels that .* does not know: new"):
        done("evaluate", tiny, "--data", path)


def test_a_threshold_of_f1(tiny: Path, tmp_path: Path) -> None:
    asked = ("evaluate", tiny, "--data", data(tmp_path / "d.npz", ~PRESENT))
    assert "micro-F1" in done(*asked)
    with pytest.raises(ThresholdError, match=r"f1_micro 0\.\d+ is below --min-f1 0\.9"):
        done(*asked, "--min-f1", 0.9)
    with pytest.raises(UsageError, match="--min-accuracy is for bundles of classification"):
        done(*asked, "--min-accuracy", 0.5)
    with pytest.raises(
        UsageError, match="--min-f1 is for bundles of multi-label; this one is of c"
    ):
        done("evaluate", tiny_bundle(tmp_path / "c.bundle"), "--data", "x.npz", "--min-f1", 0.5)


def test_inspect_verify_and_odd_scores(tiny: Path, tmp_path: Path) -> None:
    text = done("inspect", tiny)
    assert re.search(r"labels +red, round", text)
    assert "micro-F1     0.7500 as deployed, on 40 test examples; macro-F1 0.5000" in text
    assert "4 golden examples answered as published" in done("verify", tiny)
    odd = {"test_scores": {"f1_micro": 3, "f1_macro": 0}, "test_examples": 3}
    bundle = tiny_labels(tmp_path / "odd.bundle", provenance=odd)
    assert "micro-F1     not known as deployed" in done("inspect", bundle)


def test_labels_over_http(tiny: Path) -> None:
    with ExpertRuntime(tiny) as runtime:
        assert outputs_of(runtime.task) == [
            {"name": "labels", "datatype": "BYTES", "shape": [-1]},
            {"name": "present", "datatype": "BOOL", "shape": [-1, 2]},
            {"name": "scores", "datatype": "FP32", "shape": [-1, 2]},
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
    assert np.array(found["present"]).reshape(4, 2).tolist() == PRESENT.tolist()
    assert np.array(found["scores"]).reshape(4, 2) == pytest.approx(
        1 / (1 + np.exp(-LOGITS)), abs=1e-6
    )
    for joined, present in zip(found["labels"], PRESENT, strict=True):
        assert set(joined.split(";")) == set(np.array(LABELS)[present].tolist() or [""])


def test_the_reference_loop_answers_the_same(tiny: Path) -> None:
    ask = reference_texts(tiny)
    with ExpertRuntime(tiny) as runtime:
        for example in [*INPUTS, *np.random.default_rng(0).normal(size=(50, 2)).astype("f4")]:
            assert ask(example) == runtime.predict(example).text


def test_a_benchmark_has_both_scores(tiny: Path) -> None:
    found = read(tiny)
    assert {name: one.value for name, one in found.scores.items()} == SCORES
    assert primary(found.scores) == "f1_micro"
    told = benchmark(tiny, rounds=2).to_json()["rows"]
    assert {name: one["value"] for name, one in told[0]["scores"].items()} == SCORES


def test_expected_outputs_agree_to_the_bit(tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "expected.npz"
    file.write_bytes(npz(**expected.expect(tiny, list(INPUTS))))
    found = expected.compare(tiny, file)
    assert (found.examples, found.reference, found.other_labels) == (4, 0, 0)
