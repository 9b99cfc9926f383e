"""The sparse activation: 1 above 0, else 0, in Keras, in its gradient, and in a converted file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_ON_THE_DEVICE = """
import sys
import numpy as np
from pathlib import Path
from edge_experts.runtime.interpreter import Model

model = Model(Path(sys.argv[1]).read_bytes(), "step")
random = np.random.default_rng(1)
inputs = random.standard_normal((50, 1, 4)).astype(np.float32)
print(sorted({float(value) for x in inputs for value in model({"x": x})}))
assert "tensorflow" not in sys.modules
"""
_CHEAP = {"QUANTIZE", "FULLY_CONNECTED", "GREATER", "CAST", "DEQUANTIZE"}


def _network(keras: Any) -> Any:
    inputs = {"x": keras.Input((4,), name="x")}
    return keras.Model(inputs, keras.layers.Dense(6, "edge_experts>sparse_step")(inputs["x"]))


def test_it_is_a_step_with_a_straight_through_gradient(keras: Any) -> None:
    import tensorflow as tf

    from edge_experts.training.activations import sparse_step

    x = tf.Variable([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
    with tf.GradientTape() as tape:
        y = sparse_step(x)
    assert y.numpy().tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert tape.gradient(y, x).numpy().tolist() == [0, 1, 1, 1, 1, 1, 0]


def test_it_is_saved_by_its_name(keras: Any, tmp_path: Path) -> None:
    network = _network(keras)
    network.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    x = {"x": np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)}
    assert np.array_equal(again.predict(x, verbose=0), network.predict(x, verbose=0))


@pytest.mark.parametrize("quantization", ["float32", "int8"])
def test_a_converted_file_yields_zeros_and_ones_by_cheap_operators(
    keras: Any, tmp_path: Path, quantization: str
) -> None:
    import tensorflow as tf
    from edge_experts.converters.tflite.quantization import to_tflite

    samples = {"x": np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)}
    content = to_tflite(_network(keras), quantization, samples)
    (tmp_path / "step.tflite").write_bytes(content)
    used = tf.lite.Interpreter(model_content=content)._get_ops_details()
    assert {operator["op_name"] for operator in used} <= _CHEAP
    command = [sys.executable, "-c", _ON_THE_DEVICE, str(tmp_path / "step.tflite")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[0.0, 1.0]"


def test_summed_experts_with_the_sparse_activation_learn(keras: Any, tmp_path: Path) -> None:
    """The article's model without its copying: the straight-through gradient carries it."""
    from edge_experts.datasets import from_arrays
    from edge_experts.training import config_for, train

    random = np.random.default_rng(0)
    x = random.standard_normal((1200, 4)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)  # no single unit tells
    config = config_for(
        "table", combine="sum", activation="sparse_step", experts=3, epochs=10, teacher_epochs=0,
        choice_epochs=0, mixture_learning_rate=0.02,
    )  # fmt: skip
    data = from_arrays("signs", x[:900], y[:900], x[900:], y[900:])
    run = train(data, tmp_path / "signs.run", config, pictures=False)
    assert run.metrics["test_accuracy"] > 0.85
