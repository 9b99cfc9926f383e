"""Dense layers of several rows in int8 are made so that every kernel computes them, on ARM too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_experts.runtime.interpreter import Delegate, Model

ROWS, UNITS = 6, 5


def _converted(keras: Any, *, rows: int, recipe: str = "int8") -> bytes:
    """Two layers one after the other, the first without a bias."""
    from edge_experts.converters.tflite.quantization import to_tflite

    keras.utils.set_random_seed(0)
    x = keras.Input((rows, 4) if rows > 1 else (4,), name="x")
    hidden = keras.layers.Dense(UNITS, use_bias=False)(keras.layers.Activation("tanh")(x))
    hidden = keras.layers.Activation("tanh")(keras.layers.Dense(UNITS)(hidden))
    network = keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten()(hidden)))
    made: bytes = to_tflite(network, recipe, {"x": _inputs(rows)})
    return made


def _inputs(rows: int) -> np.ndarray:
    shape = (40, rows, 4) if rows > 1 else (40, 4)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _dense(content: bytes) -> list[tuple[int, tuple[int, ...]]]:
    """How many inputs each has, and the shape of what it gives."""
    from edge_experts.converters.targets.tflite_reader import schema

    model = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
    graph, kind = model.subgraphs[0], schema().BuiltinOperator.FULLY_CONNECTED
    return [
        (int((one.inputs >= 0).sum()), tuple(graph.tensors[one.outputs[0]].shape.tolist()))
        for one in graph.operators
        if model.operatorCodes[one.opcodeIndex].builtinCode == kind
    ]


def test_they_have_a_bias_and_two_dimensions(keras: Any) -> None:
    # A bias of zeros, as all are here, is left out by TensorFlow's converter.
    assert _dense(_converted(keras, rows=ROWS)) == [(3, (ROWS, UNITS))] * 2 + [(2, (1, 2))]


def test_what_needs_nothing_stays_as_it_is(keras: Any) -> None:
    from edge_experts.converters.tflite import dense

    assert _dense(_converted(keras, rows=1))[0] == (2, (1, UNITS))
    for content in (_converted(keras, rows=1), _converted(keras, rows=ROWS)):
        assert dense.mended(content) == content


@pytest.mark.parametrize("delegate", ["none", "xnnpack", "reference"])
def test_every_kernel_answers_as_in_float(keras: Any, delegate: Delegate) -> None:
    x = _inputs(ROWS)
    wanted = Model(_converted(keras, rows=ROWS, recipe="float32"), "it")
    model = Model(_converted(keras, rows=ROWS), "it", delegate=delegate)
    once, again, exact = (
        np.array([asked({"x": row[None]}).copy() for row in x]) for asked in (model, model, wanted)
    )
    assert np.array_equal(once, again)
    assert np.sqrt(np.mean((once - exact) ** 2)) < 0.08 * exact.std()
