"""Files of networks that `adopt` refuses, with the file, the layer and the reason."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, from_arrays
from edge_experts.errors import UsageError


@pytest.fixture(scope="module")
def data() -> Dataset:
    x = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    return from_arrays("table", x[:45], np.arange(45) % 3, x[45:], np.arange(15) % 3)


def _adopt(path: Path, data: Dataset, tmp_path: Path) -> None:
    from edge_experts.training import adopt

    adopt(path, data, tmp_path / "adopted.run")


def test_a_lambda_in_a_nested_network_is_named(keras: Any, tmp_path: Path, data: Dataset) -> None:
    inner = keras.Sequential([keras.Input((6,)), keras.layers.Lambda(lambda x: x / 2, name="half")])
    keras.Sequential([keras.Input((6,)), inner, keras.layers.Dense(3)]).save(tmp_path / "net")
    with pytest.raises(UsageError, match="its layer 'half' is a Lambda"):
        _adopt(tmp_path / "net", data, tmp_path)


def test_a_class_that_computes_by_itself_is_refused(keras: Any) -> None:
    from edge_experts.training.saved_networks import keras_file

    class Doubled(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return 2.0 * super().call(inputs, training=training, mask=mask)

    inputs = keras.Input((6,))
    with pytest.raises(UsageError, match=r"^net\.keras: its class Doubled has its own call"):
        keras_file.refuse_odd(Doubled(inputs, keras.layers.Dense(3)(inputs)), "net.keras")


def _with_weights_of(path: Path, other: Path) -> Path:
    """A copy of a `.keras` file with the weights of another one."""
    made = path.with_name("mixed.keras")
    with (
        zipfile.ZipFile(path) as layers,
        zipfile.ZipFile(other) as weights,
        zipfile.ZipFile(made, "w") as file,
    ):
        for name in ("metadata.json", "config.json"):
            file.writestr(name, layers.read(name))
        file.writestr("model.weights.h5", weights.read("model.weights.h5"))
    return made


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("Dense", r"Shape mismatch.*; its weights are not those of its layers"),
        ("BatchNormalization", r"during loading.*; its weights are not those of its layers"),
    ],
)
def test_weights_of_another_network(
    keras: Any, tmp_path: Path, data: Dataset, first: str, told: str
) -> None:
    hidden = getattr(keras.layers, first)(*{"Dense": (4,)}.get(first, ()))
    keras.Sequential([keras.Input((6,)), hidden, keras.layers.Dense(3)]).save(tmp_path / "a.keras")
    other = [keras.Input((6,)), keras.layers.Dense(6), keras.layers.Dense(3)]
    keras.Sequential(other).save(tmp_path / "b.keras")
    with pytest.raises(UsageError, match=told):
        _adopt(_with_weights_of(tmp_path / "a.keras", tmp_path / "b.keras"), data, tmp_path)


def test_a_file_that_is_not_of_keras(tmp_path: Path, keras: Any, data: Dataset) -> None:
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as file:
        file.writestr("metadata.json", "[]")
    with pytest.raises(UsageError, match=r"net\.keras: not a model saved by Keras"):
        _adopt(tmp_path / "net.keras", data, tmp_path)


def test_answers_that_are_not_finite_are_refused(keras: Any, tmp_path: Path, data: Dataset) -> None:
    layer = keras.layers.Dense(3, bias_initializer=keras.initializers.Constant(np.nan))
    keras.Sequential([keras.Input((6,)), layer]).save(tmp_path / "net.keras")
    with pytest.raises(UsageError, match="are not finite"):
        _adopt(tmp_path / "net.keras", data, tmp_path)


def test_answers_that_depend_on_the_batch_are_refused(
    keras: Any, tmp_path: Path, data: Dataset
) -> None:
    import tensorflow as tf

    inputs = keras.Input((6,))
    centred = inputs - tf.reduce_mean(inputs, axis=0, keepdims=True)
    keras.Model(inputs, keras.layers.Dense(3)(centred)).save(tmp_path / "net.keras")
    with pytest.raises(UsageError, match="depends on the other examples of a batch"):
        _adopt(tmp_path / "net.keras", data, tmp_path)


def test_a_layer_that_cannot_be_read_is_named(keras: Any, tmp_path: Path, data: Dataset) -> None:
    def twice(x: Any) -> Any:
        return 2 * x

    layers = [keras.Input((6,)), keras.layers.Dense(3, twice, name="own")]
    keras.Sequential(layers).save(tmp_path / "net.keras")
    told = r"its layer 'own' \(Dense\): Unknown activation function"
    with pytest.raises(UsageError, match=told):
        _adopt(tmp_path / "net.keras", data, tmp_path)
