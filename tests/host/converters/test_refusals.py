"""What cannot be converted or run is refused in words; what runs must not remember or hang."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, from_arrays
from edge_experts.errors import ConversionError, ModelError

from ..conftest import deployed

RANDOM = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path / "cache"))


def _windows() -> Dataset:
    y = np.arange(120) % 2
    x = (RANDOM.normal(size=(120, 6, 2)) + 2 * y[:, None, None]).astype(np.float32)
    return from_arrays("windows", x[:80], y[:80], x[80:], y[80:])


def _run(tmp_path: Path, network: Any) -> Path:
    from edge_experts.training import adopt

    network.save(tmp_path / "network.keras")
    adopt(tmp_path / "network.keras", _windows(), tmp_path / "a.run")
    return tmp_path / "a.run"


def _network(keras: Any, *layers: Any) -> Any:
    return keras.Sequential([keras.Input((6, 2)), *layers, keras.layers.Dense(2)])


@pytest.mark.parametrize("recipe", ["float32", "int8"])
def test_a_recurrent_file_starts_afresh_for_each_input(keras: Any, recipe: str) -> None:
    """A fused LSTM keeps its state in the interpreter, and would go on with the next input."""
    keras.utils.set_random_seed(1)
    network = _network(keras, keras.layers.LSTM(4))
    x = RANDOM.normal(size=(30, 6, 2)).astype(np.float32)
    answers, rolled = deployed(network, recipe, x, 5)
    assert np.array_equal(np.roll(rolled, -5, axis=0), answers), "the order says nothing"
    limit = 1e-5 if recipe == "float32" else 0.1
    assert np.abs(answers - network(x).numpy()).max() < limit


def test_the_interpreters_refusal_names_network_recipe_and_alternative(
    keras: Any, tmp_path: Path
) -> None:
    from edge_experts.converters import convert

    norm = (keras.layers.Flatten(), keras.layers.LayerNormalization())
    with pytest.raises(
        ModelError,
        match=r"^as int16x8, expert 0 does not run on the interpreter: .*(RSQRT|SIGABRT).*; "
        r"attention and layer normalization have no 16-bit .*try --quantization int8",
    ):
        convert(_run(tmp_path, _network(keras, *norm)), tmp_path / "b", quantization="int16x8")
    assert not (tmp_path / "b").exists()


def test_the_converters_refusal_names_the_operator(keras: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    foreign = (keras.layers.Flatten(), keras.layers.Dense(3, "softsign"))
    with pytest.raises(
        ConversionError, match=r"expert 0: .*TensorFlow's own operators \(Softsign\).*no --quant"
    ):
        convert(_run(tmp_path, _network(keras, *foreign)), tmp_path / "b")


def test_a_conversion_that_takes_too_long_fails_alone(tmp_path: Path) -> None:
    from edge_experts.converters.process.order import Order
    from edge_experts.converters.process.pool import Workers

    job = tmp_path / "job.json"
    os.mkfifo(job)  # nobody writes to it: reading it never ends
    task = {"do": "convert", "path": "experts/000.tflite", "recipe": "int8", "io": "float"}
    with Workers(tmp_path, 1, patience=0.2) as workers:
        failed = workers.run([{**task, "out": "made"}])
        assert failed == {0: "it took longer than 0.2 seconds, and was ended"}
        job.unlink()
        job.write_text(json.dumps({"model": "none", **Order().to_json()}))
        # A new process has taken its place, and nobody hurries what answers with Keras.
        assert "none" in workers.run([{"do": "prepare"}])[0]


def test_a_silent_proof_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_experts.converters.process.child_process import run_module

    (tmp_path / "silent.py").write_text(
        "import time; print('experts/000.tflite', flush=True); time.sleep(60)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said: list[str] = []
    with pytest.raises(ModelError, match=r"at experts/000\.tflite: it was silent for 2 seconds"):
        run_module(
            "silent",
            tmp_path,
            said.append,
            lambda last, reason: ModelError(f"at {last}: {reason}"),
            patience=2,
        )
    assert said == ["experts/000.tflite"]
