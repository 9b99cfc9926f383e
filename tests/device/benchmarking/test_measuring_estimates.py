"""Measurements of a bundle of regression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.benchmarking import expected
from edge_experts.benchmarking.benchmark import benchmark
from edge_experts.benchmarking.contender import read
from edge_experts.benchmarking.reference_loop import reference_texts
from edge_experts.benchmarking.report.text_report import as_text
from edge_experts.benchmarking.row import REFERENCE
from edge_experts.benchmarking.score import primary
from edge_experts.features import encode_all, read_features
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.format.npz import npz
from tests.tiny import INPUTS, PICKED, tiny_bundle, tiny_regression

SCORES = {"mae": 12.25, "rmse": 20.5, "r2": 0.875}
PROVENANCE = {"test_scores": SCORES, "test_examples": 40}


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_regression(tmp_path / "tiny.bundle", provenance=PROVENANCE)


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_reference_loop_estimates_the_same(tmp_path: Path, outputs: int) -> None:
    mean, scale = [100.3, -2.7][:outputs], [20.1, 0.3][:outputs]
    bundle = tiny_regression(tmp_path / "tiny.bundle", mean=mean, scale=scale)
    ask = reference_texts(bundle)
    dice = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    with ExpertRuntime(bundle) as runtime:
        for example in [*INPUTS, *dice]:
            assert ask(example) == runtime.predict(example).text


def test_a_row_has_the_scores_of_its_task(tiny: Path, tmp_path: Path) -> None:
    found = read(tiny)
    assert {name: one.value for name, one in found.scores.items()} == SCORES
    assert {name: one.higher_is_better for name, one in found.scores.items()} == {
        "mae": False, "rmse": False, "r2": True,
    }  # fmt: skip
    assert {(one.examples, one.of) for one in found.scores.values()} == {(40, "test examples")}
    assert primary(found.scores) == "r2"
    assert found.accuracy is None
    assert found.chrf is None
    said = {"test_accuracy": 0.75, "test_examples": 8}
    labels = read(tiny_bundle(tmp_path / "labels.bundle", provenance=said))
    assert labels.scores == {}
    assert labels.accuracy is not None
    assert (labels.accuracy.accuracy, labels.accuracy.examples) == (0.75, 8)


def test_a_benchmark_of_estimates(tiny: Path, tmp_path: Path) -> None:
    rival = tiny_regression(tmp_path / "rival.bundle")
    found = benchmark(tiny, against=[rival], rounds=2)
    told = found.to_json()["rows"]
    assert [row["name"] for row in told] == ["sparse experts", REFERENCE, "rival"]
    values = [{name: one["value"] for name, one in row["scores"].items()} for row in told]
    assert values == [SCORES, SCORES, {}]
    assert found.experts.names == ("price",)
    assert sum(count for _, _, count in found.experts.answers) == len(INPUTS)
    text = as_text(found)
    header = next(line for line in text.splitlines() if line.startswith("side by side"))
    assert f"files kB {' '.join(SCORES)} growth MB" in " ".join(header.split())
    assert "12.25" in text
    assert "0.875" in text


def recorded(bundle: Path) -> dict[str, np.ndarray]:
    return expected.expect(bundle, list(INPUTS))


def test_expected_outputs_agree_to_the_bit(tiny: Path, tmp_path: Path) -> None:
    made = recorded(tiny)
    assert made["expert"].tolist() == PICKED.tolist()
    features = read_features(tiny, read_manifest(tiny).features)
    assert np.array_equal(made["features_x"], encode_all(features, INPUTS)["x"])
    file = tmp_path / "expected.npz"
    file.write_bytes(npz(**made))
    found = expected.compare(tiny, file)
    assert (found.examples, found.reference, found.other_labels) == (4, 0, 0)
    output = made["output"].copy()
    output[2] = output[2][::-1] + np.float32(1)  # the larger output is another one
    file.write_bytes(npz(**made | {"output": output}))
    found = expected.compare(tiny, file)
    assert (found.reference, found.default, found.other_labels) == (1, 1, 0)
    assert found.largest_output > 0
