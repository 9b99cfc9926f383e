"""Conversion of untrained networks before a training: refused, warned of, or silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import UsageError
from edge_experts.format.manifest import expert_path

OPTIONS = {expert_path(0): "--model users:build"}
INPUTS = {"x": np.random.default_rng(0).normal(size=(4, 8, 4)).astype(np.float32)}


def _tried(keras: Any, hidden: Any) -> None:
    from edge_experts.converters.trial import try_conversion

    from edge_experts.training import SparseExperts

    inputs = {"x": keras.Input((8, 4), name="x")}
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(hidden(inputs["x"])))
    model = SparseExperts(None, [keras.Model(inputs, outputs)])
    try_conversion(model, INPUTS, OPTIONS)


def test_a_network_that_converts_needs_no_words(
    keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    _tried(keras, lambda x: keras.layers.Dense(4)(x) + x)
    assert "Warning" not in capsys.readouterr().err


def test_operators_that_no_interpreter_has_are_refused(keras: Any) -> None:
    import tensorflow as tf

    def hashed(x: Any) -> Any:
        return tf.cast(keras.layers.Hashing(20)(tf.cast(x, tf.int32)), tf.float32)

    with pytest.raises(UsageError, match=r"--model users:build: .*TensorFlow's own operators"):
        _tried(keras, hashed)


@pytest.mark.long
def test_a_recipe_is_named_where_int8_fails(
    keras: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _tried(keras, keras.layers.GRU(4))  # the converter dies of it in int8
    assert "cannot be converted to int8, the default" in (told := capsys.readouterr().err)
    assert "--quantization dynamic" in told
