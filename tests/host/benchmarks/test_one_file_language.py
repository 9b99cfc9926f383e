"""A dense language model as one file computes what Keras computes, token by token."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import subprocesses
from edge_experts.errors import ManifestError, UsageError
from tests.tiny import tiny_bundle

_POSITIONS = 24


def _model(seed: int, experts: int = 1) -> Any:
    from edge_experts.training.language_model.language_network import LanguageModel, LanguageSize

    size = LanguageSize(
        pieces=300,
        units=64,
        layers=2,
        heads=4,
        key_heads=2,
        inner=96,
        experts=experts,
        top_k=1,
        context=32,
        gate="softmax",
    )
    model, chance = LanguageModel(size), np.random.default_rng(seed)
    for weight in model.trainable_variables:
        if weight.shape.rank == 2:  # large enough for attention to matter
            weight.assign(chance.normal(0, 0.15, weight.shape))
    return model


def _logits(path: Path, tokens: list[int]) -> np.ndarray:
    from benchmarks.language.one_file import StepFile

    return StepFile(path).logits(tokens)


def _stepped(step: Any, tokens: list[int]) -> np.ndarray:
    """Compute the logits after each token by the function that is converted."""
    import tensorflow as tf

    inputs = step.structured_input_signature[1]
    before = {
        name: np.zeros(spec.shape, np.float32)
        for name, spec in inputs.items()
        if name not in ("token", "position")
    }
    found = []
    for place, token in enumerate(tokens):
        now = {"token": np.array([token], np.int32), "position": np.array([place], np.int32)}
        given = {name: tf.constant(value) for name, value in {**now, **before}.items()}
        made = {name: value.numpy() for name, value in step(**given).items()}
        found.append(made["logits"][0])
        for name, rows in before.items():
            kind, layer = name.split("_")
            rows[:, place] = made[kind][int(layer)]
    return np.array(found)


def test_one_file_computes_what_keras_does(keras: Any, tmp_path: Path) -> None:
    from benchmarks.converting.one_file_language import converted, step

    model, path = _model(seed=0), tmp_path / "one.tflite"
    tokens = np.random.default_rng(0).integers(0, 300, _POSITIONS).tolist()
    wanted = model(np.array([tokens]))[0].numpy()
    np.testing.assert_allclose(_stepped(step(model, _POSITIONS), tokens), wanted, atol=1e-4)
    path.write_bytes(converted(model, _POSITIONS))
    found = subprocesses.call(_logits, path, tokens)
    # Weights and activations of 8 bits.
    assert np.square(found - wanted).mean() < 0.01 * np.square(wanted).mean()


def test_a_bundle_of_another_kind_is_refused(keras: Any, tmp_path: Path) -> None:
    from benchmarks.converting.one_file_language import converted
    from benchmarks.language.one_file import measure

    path = tmp_path / "one.tflite"
    path.write_bytes(converted(_model(seed=0), _POSITIONS))
    [alone] = measure(path, [], 2)
    assert alone.token_us > 0
    assert alone.speed == (1, 1, 1)
    with pytest.raises(ManifestError):
        measure(path, [tiny_bundle(tmp_path / "tiny.bundle", seeds=(0, 1))], 1)
    with pytest.raises(UsageError, match=r"help\.bundle: must have 300 tokens"):
        measure(path, [Path("examples/help.bundle")], 1)


def test_a_routed_model_is_refused(keras: Any) -> None:
    from benchmarks.converting.one_file_language import converted

    with pytest.raises(ValueError, match="routed experts"):
        converted(_model(0, experts=2), _POSITIONS)


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(resources.files("edge_experts.runtime").joinpath("tiny.tflite").read_bytes())
    with pytest.raises(UsageError, match="synthetic-language --one-file"):
        subprocesses.call(_logits, other, [1])
