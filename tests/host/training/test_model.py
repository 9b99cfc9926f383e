"""The Keras model: what it computes, and that it is a Keras model like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ..conftest import TARGETS

Arrays = dict[str, np.ndarray]


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return result


def _parts(model: Any, arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    gate = model.router.predict(arrays, verbose=0)
    outputs = np.stack([expert.predict(arrays, verbose=0) for expert in model.experts], axis=1)
    return gate, outputs


def test_one_expert_answers_each_input(make_model: Any, arrays: Arrays) -> None:
    model = make_model()
    gate, outputs = _parts(model, arrays)
    picked = gate.argmax(axis=1)
    assert len(set(picked)) > 1
    expected = _softmax(outputs[np.arange(len(picked)), picked])
    assert np.exp(model.predict(arrays, verbose=0)) == pytest.approx(expected, abs=1e-5)
    assert (model.route(arrays) == picked).all()


def test_top_2_weighs_the_two_best_by_the_gate(make_model: Any, arrays: Arrays) -> None:
    model = make_model(top_k=2)
    gate, outputs = _parts(model, arrays)
    gate[np.arange(len(gate)), gate.argmin(axis=1)] = -np.inf
    expected = (_softmax(gate)[:, :, None] * _softmax(outputs)).sum(axis=1)
    assert np.exp(model.predict(arrays, verbose=0)) == pytest.approx(expected, abs=1e-5)


def test_sum_adds_outputs_and_has_no_router(make_model: Any, arrays: Arrays) -> None:
    model = make_model(combine="sum")
    outputs = np.stack([expert.predict(arrays, verbose=0) for expert in model.experts])
    expected = _softmax(outputs.sum(axis=0))
    assert np.exp(model.predict(arrays, verbose=0)) == pytest.approx(expected, abs=1e-5)
    assert model.router is None


def test_training_minimizes_the_mixtures_likelihood(make_model: Any, arrays: Arrays) -> None:
    model = make_model(balance=0.0)
    gate, outputs = _parts(model, arrays)
    mixture = (_softmax(gate)[:, :, None] * _softmax(outputs)).sum(axis=1)
    expected = -np.log(mixture[np.arange(len(TARGETS)), TARGETS]).mean()
    model.compile("sgd", _cross_entropy())
    first = model.train_on_batch(arrays, TARGETS)
    assert first == pytest.approx(expected, rel=1e-4)
    losses = [model.train_on_batch(arrays, TARGETS) for _ in range(30)]
    assert losses[-1] < first


def test_the_balance_loss_is_1_for_even_use_and_n_for_one_expert(
    make_model: Any, arrays: Arrays
) -> None:
    model = make_model(balance=1.0)
    router = model.router.layers[-1]
    for bias, expected in ((np.zeros(3), 1.0), (np.array([50.0, 0, 0]), 3.0)):
        router.set_weights([np.zeros((128, 3)), bias])
        model(arrays, training=True)
        assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-4)


def test_experts_have_parameters_of_their_own(make_model: Any) -> None:
    model = make_model()
    names = [id(variable) for expert in model.experts for variable in expert.variables]
    assert len(names) == len(set(names))
    assert model.count_params() == sum(
        network.count_params() for network in [model.router, *model.experts]
    )


def test_a_saved_model_comes_back_whole(
    keras: Any, make_model: Any, arrays: Arrays, tmp_path: Path
) -> None:
    model = make_model(top_k=2, balance=0.1)
    before = model.predict(arrays, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert again.predict(arrays, verbose=0) == pytest.approx(before, abs=1e-6)
    assert (again.top_k, again.balance) == (2, 0.1)


def test_fit_and_evaluate_as_any_keras_model(make_model: Any, arrays: Arrays) -> None:
    model = make_model()
    model.compile("adam", _cross_entropy(), metrics=["accuracy"])
    history = model.fit(arrays, TARGETS, epochs=3, verbose=0, validation_data=(arrays, TARGETS))
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert set(model.evaluate(arrays, TARGETS, verbose=0, return_dict=True)) == {
        "loss",
        "accuracy",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"combine": "vote"}, "must be one of"),
        ({"top_k": 4}, "from 1 to 3"),
        ({"top_k": 0}, "from 1 to 3"),
    ],
)
def test_options_that_make_no_sense(make_model: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_model(**options)


def test_layers_of_another_keras_are_refused_by_name(keras: Any) -> None:
    import keras as keras_3

    from edge_experts.training import SparseExperts

    foreign = keras_3.Sequential([keras_3.Input((4,)), keras_3.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"must be tf_keras models, got keras\."):
        SparseExperts(None, [foreign])


def _cross_entropy() -> Any:
    import tf_keras

    return tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
