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


def _tried(keras: Any, hidden: Any, *arguments: str, **options: bool) -> str:
    """Try a network of one hidden layer; return the recipe that works."""
    from edge_experts.converters.trial import ConversionTrial

    from edge_experts.training import SparseExperts

    inputs = {"x": keras.Input((8, 4), name="x")}
    outputs = keras.layers.Dense(3)(keras.layers.Flatten()(hidden(inputs["x"])))
    model = SparseExperts(None, [keras.Model(inputs, outputs)])
    trial = ConversionTrial(*arguments, **options)
    trial(model, INPUTS, OPTIONS)
    recipe: str = trial.recipe
    return recipe


def test_a_network_that_converts_needs_no_words(
    keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _tried(keras, lambda x: keras.layers.Dense(4)(x) + x) == "int8"
    assert "Warning" not in capsys.readouterr().err


def test_operators_that_no_interpreter_has_are_refused(keras: Any) -> None:
    import tensorflow as tf

    def hashed(x: Any) -> Any:
        layer = keras.layers.Hashing(20, name="buckets")
        return tf.cast(layer(tf.cast(x, tf.int32)), tf.float32)

    with pytest.raises(
        UsageError, match=r"--model users:build: .*operators \(AsString, .*, in its layer 'buckets'"
    ):
        _tried(keras, hashed)


@pytest.mark.long
def test_a_recipe_is_named_where_int8_fails(
    keras: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # The converter dies of it in int8.
    assert _tried(keras, keras.layers.GRU(4)) == "dynamic"
    assert "cannot be converted to int8, the default" in (told := capsys.readouterr().err)
    assert "--quantization dynamic" in told


@pytest.mark.long
def test_a_recipe_that_is_required_is_refused(keras: Any) -> None:
    with pytest.raises(UsageError, match=r"--model users:build: it cannot be converted to int8"):
        _tried(keras, keras.layers.GRU(4), "int8", required=True)
