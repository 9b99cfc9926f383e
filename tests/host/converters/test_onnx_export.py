"""A dense network in ONNX Runtime: the same answers, measured beside a bundle as others are."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.benchmarking import contender, onnx, score
from edge_experts.benchmarking.benchmark import benchmark
from edge_experts.errors import BundleError, MissingExtraError, ModelError, UnsuitableError

from ..conftest import TARGETS, TEXTS


@pytest.fixture
def dense(make_model: Any) -> Any:
    from edge_experts.training import SparseExperts

    return SparseExperts(None, make_model(experts=1).experts)


def test_it_answers_as_keras_does_and_is_measured_beside_a_bundle(
    dense: Any, make_run: Any, arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    from edge_experts.converters import convert
    from edge_experts.converters.onnx import export_onnx

    run = make_run(dense)
    made = export_onnx(run, tmp_path / "dense.onnx")
    expected = dense.experts[0].predict(arrays, verbose=0)
    ask = onnx.session(made.folder / onnx.NETWORK)
    found = np.concatenate(
        [ask({name: array[row : row + 1] for name, array in arrays.items()}) for row in range(40)]
    )
    assert np.abs(found - expected).max() < 0.03 * np.ptp(expected)
    assert made.proof.float_accuracy == np.mean(expected.argmax(axis=1) == TARGETS)
    assert made.proof.accuracy == np.mean(found.argmax(axis=1) == TARGETS)
    said = onnx.read(made.folder)
    assert said == made.description
    assert said.examples == 40
    labels = [("bad", "good")[place] for place in found.argmax(axis=1)]
    assert list(map(onnx.OnnxNetwork(made.folder).predict, TEXTS)) == labels

    convert(run, tmp_path / "dense.bundle", max_accuracy_drop=100)
    result = benchmark(tmp_path / "dense.bundle", against=[made.folder], rounds=1)
    ours, theirs = result.rows[0], result.rows[-1]
    assert theirs.name == "dense.onnx"
    assert theirs.accuracy == score.Accuracy(round(made.proof.accuracy, 6), 40)
    assert theirs.total_bytes == made.bytes == sum(map(_size, made.folder.iterdir()))
    assert theirs.growth is not None
    assert ours.growth is not None
    assert theirs.growth.base_bytes > ours.growth.base_bytes, "ONNX Runtime belongs to the base"
    assert theirs.growth.answers == ours.growth.answers
    assert theirs.growth.timeline.loads == [(0, 0)]


def _size(path: Path) -> int:
    return path.stat().st_size


def test_a_task_without_rows_of_numbers_is_refused(
    dense: Any, make_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters.onnx import export_onnx
    from edge_experts.converters.tasks import classification, conversion_task

    monkeypatch.setattr(classification.ClassificationConversion, "options", conversion_task.COMMON)
    with pytest.raises(UnsuitableError, match="ONNX files are not supported for classification"):
        export_onnx(make_run(dense), tmp_path / "dense.onnx")


def test_a_run_with_experts_is_refused(make_run: Any, make_model: Any, tmp_path: Path) -> None:
    from edge_experts.converters.onnx import export_onnx

    with pytest.raises(UnsuitableError, match=r"has 3 experts; .*--dense all"):
        export_onnx(make_run(make_model()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_experts.converters.onnx import export_onnx

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name.startswith("onnx") else real(name)
    )
    with pytest.raises(MissingExtraError, match=r"edge-experts\[onnx\]\): pip install"):
        export_onnx(tmp_path, tmp_path / "out")
    with pytest.raises(MissingExtraError, match=r"ONNX Runtime is not installed"):
        onnx.session(tmp_path / onnx.NETWORK)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"name": 3}', "\0"])
def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / onnx.DESCRIPTION).write_text(content)
    with pytest.raises(BundleError, match=r"onnx\.json"):
        contender.read(tmp_path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    settings = {"shape": [2]}
    said = onnx.Description("d", ("a", "b"), "array", settings, "int8", 0.5, 10, {})
    (tmp_path / onnx.DESCRIPTION).write_text(said.to_json())
    (tmp_path / onnx.NETWORK).write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"network\.onnx: ONNX Runtime refuses it"):
        onnx.session(tmp_path / onnx.NETWORK)
    (tmp_path / onnx.FEATURES).write_bytes(b"no arrays")
    with pytest.raises(BundleError, match=r"features\.npz: not an \.npz"):
        onnx.OnnxNetwork(tmp_path)
    assert json.loads(said.to_json())["format_version"] == onnx.FORMAT_VERSION
