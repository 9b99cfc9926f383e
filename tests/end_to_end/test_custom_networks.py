"""Custom networks by commands: trained, converted as `train` says, or refused before a training."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Cli

# Experts as a user may write them.
MODULE = """
import tensorflow as tf
import tf_keras

L = tf_keras.layers

def _model(inputs, hidden, shapes):
    return tf_keras.Model(inputs, L.Dense(shapes.labels)(L.Flatten()(hidden)))

def skip(shapes):
    i = shapes.keras_inputs()
    return _model(i, L.Dense(4)(i["x"]) + i["x"], shapes)

def lstm_state(shapes):
    i = shapes.keras_inputs()
    _, state, _ = L.LSTM(6, return_state=True)(i["x"])
    return _model(i, state, shapes)

def lambda_layer(shapes):
    i = shapes.keras_inputs()
    return _model(i, L.Dense(8, "relu")(L.Lambda(lambda t: tf.abs(t))(i["x"])), shapes)

@tf_keras.saving.register_keras_serializable("users")
class Double(L.Layer):
    def call(self, inputs):
        return 2 * inputs

def custom_layer(shapes):
    i = shapes.keras_inputs()
    return _model(i, L.Dense(8, "relu")(Double()(i["x"])), shapes)

def gru(shapes, width=1.0):
    i = shapes.keras_inputs()
    return _model(i, L.GRU(max(1, round(4 * width)))(i["x"]), shapes)
"""
SETTINGS = """
epochs = 1
warm_epochs = 1
router_epochs = 0
choice_epochs = 1
tune_epochs = 1
teacher_epochs = 0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random, y = np.random.default_rng(0), np.arange(60) % 3
    x = (random.normal(size=(3, 8, 4))[y] + random.normal(0, 0.3, (60, 8, 4))).astype(np.float32)
    np.savez(tmp_path / "w.npz", x_train=x[:45], y_train=y[:45], x_test=x[45:], y_test=y[45:])
    (tmp_path / "users.py").write_text(MODULE)
    (tmp_path / "short.toml").write_text(SETTINGS)
    return tmp_path


@pytest.mark.long
@pytest.mark.parametrize("name", ["skip", "lstm_state", "lambda_layer", "custom_layer", "gru"])
def test_the_next_command_of_a_training_works(cli: Cli, folder: Path, name: str) -> None:
    given = ("--data", "w.npz", "--model", f"users:{name}", "--config", "short.toml")
    done = cli("train", *given, "--experts", "2", "--out", "a.run", cwd=folder)
    assert done.returncode == 0, done.stderr
    (words,) = re.findall(r"^Next: edge-experts (.*)$", done.stderr, re.MULTILINE)
    # int8 of these recurrent layers kills the converter.
    assert ("--quantization" in words) == (name in ("gru", "lstm_state"))
    done = cli(*shlex.split(words), "--max-accuracy-drop", "100", cwd=folder)
    assert done.returncode == 0, done.stderr
    done = cli("evaluate", "a.bundle", "--data", "w.npz", cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("skip", "the dense baseline as large as all experts needs the function to take a width"),
        ("gru", "it cannot be converted to int8, so training it would be of no use"),
    ],
)
def test_a_comparison_refuses_before_its_first_training(
    cli: Cli, folder: Path, model: str, reason: str
) -> None:
    given = ("--data", "w.npz", "--model", f"users:{model}", "--config", "short.toml")
    done = cli("compare", *given, "--experts", "2", "--out", "compared", cwd=folder)
    assert done.returncode == 2, done.stderr
    assert f"--model users:{model}: {reason}" in done.stderr
    assert not list((folder / "compared").rglob("*.run"))
