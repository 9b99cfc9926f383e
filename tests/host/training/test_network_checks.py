"""Custom networks of every kind: batched or looped, and refused before they are trained."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import UsageError

# Experts as a user may write them; `i` are the inputs.
MODULE = """
import tensorflow as tf
import tf_keras

L = tf_keras.layers

def _model(inputs, hidden, shapes):
    return tf_keras.Model(inputs, L.Dense(shapes.labels)(L.Flatten()(hidden)))

def skip(shapes):
    i = shapes.keras_inputs()
    return _model(i, L.Dense(4)(i["x"]) + i["x"], shapes)

def states(shapes):
    i = shapes.keras_inputs()
    _, state, _ = L.LSTM(6, return_state=True)(i["x"])
    return _model(i, state, shapes)

def attention(shapes):
    i = shapes.keras_inputs()
    scores = L.MultiHeadAttention(2, 4)(i["x"], i["x"], return_attention_scores=True)
    return _model(i, scores[1], shapes)

def shared(shapes):
    i = shapes.keras_inputs()
    layer = L.Dense(4)
    return _model(i, layer(layer(i["x"])), shapes)

def masked(shapes):
    i = shapes.keras_inputs()
    ids = tf.cast(tf.minimum(tf.abs(i["x"][:, :, 0]), 3.0), tf.int32)
    return _model(i, L.GRU(4)(L.Embedding(4, 4, mask_zero=True)(ids)), shapes)

def dropped(shapes):
    i = shapes.keras_inputs()
    return _model(i, L.Dropout(0.5)(L.BatchNormalization()(i["x"])), shapes)

def lambda_layer(shapes):
    i = shapes.keras_inputs()
    return _model(i, L.Dense(8, "relu")(L.Lambda(lambda t: tf.abs(t), name="size")(i["x"])), shapes)

def half(shapes):
    i = shapes.keras_inputs()
    hidden = L.Dense(8, dtype="mixed_float16")(i["x"])
    return tf_keras.Model(i, L.Dense(shapes.labels, dtype="float32")(L.Flatten()(hidden)))

@tf_keras.saving.register_keras_serializable("users")
class Double(L.Layer):
    def call(self, inputs):
        return 2 * inputs

def squared(x):
    return x * x

def custom_function(shapes):
    i = shapes.keras_inputs()
    return _model(i, L.Dense(4, squared)(i["x"]), shapes)

def custom(shapes):
    i = shapes.keras_inputs()
    return _model(i, Double()(i["x"]), shapes)

def of_the_batch(shapes):
    i = shapes.keras_inputs()
    return _model(i, i["x"] - tf.reduce_mean(i["x"], axis=0), shapes)

def stopped(shapes):
    i = shapes.keras_inputs()
    return tf_keras.Model(i, tf.stop_gradient(_model(i, i["x"], shapes).output))

def not_finite(shapes):
    i = shapes.keras_inputs()
    return _model(i, tf.math.log(i["x"] - 1e6), shapes)

class Forgetful(L.Layer):
    def __init__(self, scale=1.0, **options):
        super().__init__(**options)
        self.scale = scale

    def call(self, inputs):
        return self.scale * inputs

    def get_config(self):
        return {"name": self.name}

def forgetful(shapes):
    i = shapes.keras_inputs()
    return _model(i, Forgetful(3.0)(i["x"]), shapes)

class Failing(L.Layer):
    def call(self, inputs, training=False):
        if training:
            raise RuntimeError("only half written")
        return inputs

def failing(shapes):
    i = shapes.keras_inputs()
    return _model(i, L.Dense(4)(Failing()(i["x"])), shapes)
"""
BATCHED = (
    "skip",
    "states",
    "attention",
    "shared",
    "dropped",
    "lambda_layer",
    "half",
    "custom",
    "custom_function",
)
WORKING = (*BATCHED, "masked")
REFUSED = {
    "of_the_batch": "depends on the other examples of a batch",
    "stopped": "no gradient reaches its trainable weights",
    "not_finite": "are not finite",
    "forgetful": "saved and loaded again, its answers differ",
    "failing": "it cannot be trained: RuntimeError: .*only half written",
}
INPUTS = {"x": np.random.default_rng(0).normal(size=(6, 8, 4)).astype(np.float32)}

Experts = Callable[[str], list[Any]]


@pytest.fixture(scope="module")
def experts(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experts]:
    from edge_experts.training.networks import Shapes, user_networks

    folder = tmp_path_factory.mktemp("users")
    (folder / "any_networks.py").write_text(MODULE)
    sys.path.insert(0, str(folder))
    shapes = Shapes("window", {"x": ((8, 4), "float32")}, 3, {})
    keras.utils.set_random_seed(0)
    yield lambda name: user_networks.experts(f"any_networks:{name}", shapes, 2, 1.0)
    sys.path.remove(str(folder))
    sys.modules.pop("any_networks", None)


def _check(networks: list[Any], name: str) -> None:
    from edge_experts.training import SparseExperts, TrainConfig
    from edge_experts.training.network_checks import refuse_unusable

    model = SparseExperts(None, networks, combine="sum")
    refuse_unusable(model, TrainConfig(experts=2, model=f"any_networks:{name}"), INPUTS)


@pytest.mark.parametrize("name", WORKING)
def test_a_network_that_works(
    experts: Experts, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_experts.training.bank import ExpertBank
    from edge_experts.training.expert_batching import bank_of

    networks = experts(name)
    _check(networks, name)
    told = capsys.readouterr().err
    assert ("called one after the other" in told) == (name not in BATCHED)
    bank = bank_of(networks)
    assert isinstance(bank, ExpertBank) == (name in BATCHED)
    expected = np.stack([network(INPUTS).numpy() for network in networks])
    assert bank(INPUTS).numpy() == pytest.approx(expected, abs=1e-4)
    own = bank(INPUTS, own=True).numpy()  # three rows for each
    assert own[1] == pytest.approx(expected[1, 3:], abs=1e-4)
    assert sum(int(np.prod(each.shape[1:])) for each in bank.parameters()) == sum(
        int(np.prod(each.shape)) for each in networks[0].trainable_weights
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_network_that_would_fail_later_is_refused(experts: Experts, name: str) -> None:
    with pytest.raises(UsageError, match=f"^--model any_networks:{name}: .*{REFUSED[name]}"):
        _check(experts(name), name)


def test_a_loop_writes_to_other_experts(experts: Experts) -> None:
    from edge_experts.training.expert_batching import ExpertLoop

    first, others = experts("masked"), experts("masked")
    ExpertLoop(first, "a reason").write(others)
    for network, other in zip(first, others, strict=True):
        assert network(INPUTS).numpy() == pytest.approx(other(INPUTS).numpy())


def test_layers_of_half_precision_keep_their_parameters(experts: Experts) -> None:
    import tf_keras

    from edge_experts.training.networks.plain_network import plain

    inputs = tf_keras.Input((4,))
    half = tf_keras.layers.Dense(3, dtype="mixed_float16")(inputs)
    network = tf_keras.Model(inputs, tf_keras.layers.Dense(2, dtype="float32")(half))
    made = plain(network)
    assert {layer.compute_dtype for layer in made.layers} == {"float32"}
    for ours, theirs in zip(made.get_weights(), network.get_weights(), strict=True):
        assert (ours == theirs).all()


@pytest.mark.parametrize("name", ["custom", "custom_function"])
def test_modules_of_custom_layers_are_imported(
    experts: Experts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    import tf_keras

    from edge_experts.training import SparseExperts
    from edge_experts.training.model_files import load_model

    networks = experts(name)
    monkeypatch.delitem(tf_keras.utils.get_custom_objects(), "squared", raising=False)
    SparseExperts(None, networks, combine="sum").save(tmp_path / "model.keras")
    expected = networks[0](INPUTS).numpy()
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.experts[0](INPUTS).numpy() == pytest.approx(expected)


def test_a_missing_module_of_custom_layers_is_named(
    experts: Experts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.training import SparseExperts
    from edge_experts.training.model_files import load_model

    SparseExperts(None, experts("custom"), combine="sum").save(tmp_path / "model.keras")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if "users" not in each])
    monkeypatch.delitem(sys.modules, "any_networks")
    with pytest.raises(UsageError, match=r"layer Double is defined in the module any_networks, .*"):
        load_model(tmp_path / "model.keras")
