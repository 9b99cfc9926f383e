"""All experts at once: what the batched operations compute is what the experts do, one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

COUNT, ROWS = 3, 4


def _perceptron(layers: Any, inputs: Any) -> Any:
    flat = layers.Flatten()(inputs["x"])
    hidden = layers.Dense(6, "edge_experts>sparse_step")(flat)
    return layers.Dense(5)(layers.Concatenate()([flat, hidden]))


def _over_time(layers: Any, inputs: Any) -> Any:
    return layers.Dense(5)(layers.GlobalAveragePooling1D()(layers.Dense(4, "tanh")(inputs["x"])))


def _convolution(layers: Any, inputs: Any) -> Any:
    normal = layers.BatchNormalization()(layers.Conv1D(4, 3)(inputs["x"]))
    return layers.Dense(5)(layers.Flatten()(normal))


def _recurrent(layers: Any, inputs: Any) -> Any:
    return layers.Dense(5, use_bias=False)(layers.LSTM(4)(inputs["x"]))


def _regularized(layers: Any, inputs: Any) -> Any:
    return layers.Dense(5, kernel_regularizer="l2")(layers.Flatten()(inputs["x"]))


def _nested(layers: Any, inputs: Any) -> Any:
    import tf_keras

    symbol = tf_keras.Input((8, 3))
    flat = layers.Flatten()(symbol)
    hidden = tf_keras.Model(symbol, [flat, layers.Dense(4, "relu")(flat)])(inputs["x"])
    head = tf_keras.Sequential([layers.Dense(3, "relu"), layers.Dense(5)])
    return head(layers.Concatenate()(hidden))


@pytest.fixture(params=[_perceptron, _nested, _over_time, _convolution, _recurrent, _regularized])
def arrays_and_experts(request: Any, keras: Any) -> Any:
    def made() -> Any:
        inputs = {"x": keras.Input((8, 3), name="x")}
        return keras.Model(inputs, request.param(keras.layers, inputs))

    return _drawn({"x": np.zeros((ROWS, 8, 3), np.float32)}, [made() for _ in range(COUNT)])


@pytest.fixture
def texts_and_experts(keras: Any) -> Any:
    from edge_experts.training.layers import WeightedBag

    layers = keras.layers

    def made() -> Any:
        inputs = {
            "ids": keras.Input((8,), dtype="int32", name="ids"),
            "weights": keras.Input((8,), name="weights"),
        }
        bag = WeightedBag(16, 4)([inputs["ids"], inputs["weights"]])
        mean = layers.GlobalAveragePooling1D()(layers.Embedding(40, 3)(inputs["ids"]))
        return keras.Model(inputs, layers.Dense(5)(layers.Concatenate()([bag, mean])))

    arrays = {"ids": np.zeros((ROWS, 8), np.int32), "weights": np.zeros((ROWS, 8), np.float32)}
    return _drawn(arrays, [made() for _ in range(COUNT)])


def _drawn(arrays: dict[str, np.ndarray], experts: list[Any]) -> Any:
    random = np.random.default_rng(0)
    for expert in experts:
        expert.set_weights([random.random(w.shape) for w in expert.get_weights()])
    drawn = {
        name: random.integers(0, 40, array.shape).astype(np.int32)
        if array.dtype == np.int32
        else random.standard_normal(array.shape).astype(np.float32)
        for name, array in arrays.items()
    }
    return drawn, experts


def _check(arrays: dict[str, np.ndarray], experts: list[Any]) -> None:
    from edge_experts.training.bank import ExpertBank

    expected = np.stack([expert(arrays).numpy() for expert in experts])
    bank = ExpertBank(experts)
    assert bank(arrays).numpy() == pytest.approx(expected, abs=1e-5)
    # Each expert's own rows: the first has rows 0 and 1, the second 1 and 2, the third 2 and 3.
    rows = np.array([0, 1, 1, 2, 2, 3])
    own = bank({name: array[rows] for name, array in arrays.items()}, own=True).numpy()
    one_by_one = np.stack([expected[index, [index, index + 1]] for index in range(COUNT)])
    assert own == pytest.approx(one_by_one, abs=1e-5)


def test_a_bank_answers_as_its_experts(arrays_and_experts: Any) -> None:
    _check(*arrays_and_experts)


def test_a_bank_of_text_experts_answers_as_they_do(texts_and_experts: Any) -> None:
    _check(*texts_and_experts)


def test_gradients_and_parameters_are_the_experts_own(arrays_and_experts: Any) -> None:
    import tensorflow as tf

    from edge_experts.training.bank import ExpertBank

    arrays, experts = arrays_and_experts
    bank = ExpertBank(experts)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(bank(arrays) ** 2)
    bank_gradients = tape.gradient(loss, bank.trainable_variables)
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_sum(expert(arrays) ** 2) for expert in experts])
    variables = [variable for expert in experts for variable in expert.trainable_variables]
    gradients = tape.gradient(loss, variables)
    together = sum(float(tf.reduce_sum(gradient**2)) for gradient in bank_gradients)
    assert together == pytest.approx(
        sum(float(tf.reduce_sum(gradient**2)) for gradient in gradients), rel=1e-4
    )
    for variable in bank.trainable_variables:
        variable.assign(variable + 1)
    before = [expert.get_weights() for expert in experts]
    bank.write(experts)
    for weights, expert in zip(before, experts, strict=True):
        moved = [variable.name for variable in expert.trainable_variables]
        for old, new, variable in zip(weights, expert.get_weights(), expert.weights, strict=True):
            assert new == pytest.approx(old + (variable.name in moved), abs=1e-6)


def test_a_step_is_traced_once_for_any_number_of_experts(keras: Any) -> None:
    import tensorflow as tf

    from edge_experts.training.bank import ExpertBank

    def operations(count: int) -> int:
        def made() -> Any:
            inputs = {"x": keras.Input((8, 3), name="x")}
            return keras.Model(inputs, _perceptron(keras.layers, inputs))

        bank = ExpertBank([made() for _ in range(count)])

        def step(x: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(bank({"x": x}) ** 2)
            return tape.gradient(loss, bank.trainable_variables)

        traced = tf.function(step).get_concrete_function(tf.TensorSpec((None, 8, 3)))
        return len(traced.graph.get_operations())

    assert operations(16) == operations(2)
