"""Compression of networks, from a trained one to the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_experts.compression import METHODS, Compression
from edge_experts.errors import UnsuitableError, UsageError

KINDS: dict[str, dict[str, tuple[tuple[int, ...], str]]] = {
    "text": {"ids": ((16,), "int32"), "weights": ((16,), "float32")},
    "table": {"x": ((12,), "float32")},
    "image": {"x": ((12, 12), "float32")},
    "window": {"x": ((32, 3), "float32")},
}
SETTINGS = {"word_bits": 6, "char_bits": 6}


@pytest.fixture
def trained(keras: Any) -> Any:
    """A dense network for a kind of data, what it was trained on, and a fine-tuning."""
    from edge_experts.training import networks
    from edge_experts.training.compression import Tuning

    def make(kind: str, epochs: int = 2) -> Any:
        keras.utils.set_random_seed(3)
        shapes = networks.Shapes(kind, KINDS[kind], 2, SETTINGS)
        network = networks.BY_KIND[kind].dense_all(shapes, 3, 1.0)
        random = np.random.default_rng(0)
        inputs = {
            name: random.integers(0, 128, (300, *shape)).astype(dtype)
            if dtype == "int32"
            else random.normal(size=(300, *shape)).astype(dtype)
            for name, (shape, dtype) in KINDS[kind].items()
        }
        key = inputs["ids"] < 64 if kind == "text" else inputs["x"] > 0
        targets = (key.reshape(300, -1).mean(axis=1) > 0.5).astype(np.int64)
        tuning = Tuning(inputs, targets, (inputs, targets), epochs, 0.01, 32)
        tuning.fit(network)
        return network, tuning

    return make


@pytest.mark.parametrize("kind", ["text", "image"])
def test_pruning_leaves_as_many_weights_as_asked(trained: Any, kind: str) -> None:
    from edge_experts.training.compression import prune, sparsity_for

    network, tuning = trained(kind)
    before = network.get_weights()
    nonzero = network.count_params() // 3
    pruned = prune(network, tuning, sparsity=sparsity_for(network, nonzero))
    left = sum(int(np.count_nonzero(weight)) for weight in pruned.get_weights())
    assert left == pytest.approx(nonzero, rel=0.05)
    assert pruned.count_params() == network.count_params()
    for old, now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now, "the network itself is left alone")


@pytest.mark.parametrize("kind", KINDS)
def test_what_quantization_awareness_learned_survives_saving_and_conversion(
    trained: Any, kind: str, tmp_path: Any, keras: Any
) -> None:
    from edge_experts.converters.tflite.quantization import to_tflite

    from edge_experts.runtime.interpreter import Model
    from edge_experts.training import SparseExperts
    from edge_experts.training.compression import quantization_aware

    network, tuning = trained(kind)
    aware = quantization_aware(network, tuning)
    model = SparseExperts(None, [aware])
    answers = model.predict(tuning.inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(answers, loaded.predict(tuning.inputs, verbose=0))
    assert any(layer.name.startswith("quant_") for layer in loaded.experts[0].layers)

    content = to_tflite(loaded.experts[0], "int8", {n: a[:100] for n, a in tuning.inputs.items()})
    if kind == "text":  # the table, which tfmot does not know, is in int8 too
        assert len(content) < 2 * network.count_params() + 4000
    logits = loaded.experts[0].predict(tuning.inputs, verbose=0)
    deployed = Model(content, "expert")
    got = np.stack(
        [deployed({n: a[row : row + 1] for n, a in tuning.inputs.items()}) for row in range(50)]
    )
    # A few int8 steps of the logits' range.
    assert np.abs(got - logits[:50]).max() < 0.06 * np.ptp(logits)


def test_a_network_without_such_layers_is_said_to_be_unsuitable(trained: Any, keras: Any) -> None:
    from edge_experts.training.compression import prune, quantization_aware

    _, tuning = trained("table")
    inputs = {"x": keras.Input((12,), name="x")}
    network = keras.Model(inputs, keras.layers.BatchNormalization()(inputs["x"]))
    with pytest.raises(UnsuitableError, match="none of its layers can be trained for int8"):
        quantization_aware(network, tuning)
    with pytest.raises(UnsuitableError, match="none of its layers can be pruned"):
        prune(network, tuning, sparsity=0.5)


@pytest.mark.parametrize("method", METHODS[4:])  # each step is in one of them
def test_every_step_keeps_what_those_before_it_made(trained: Any, method: str) -> None:
    from edge_experts.training.compression import apply

    network, tuning = trained("table")
    before = network.get_weights()
    made = apply(network, tuning, Compression(method, sparsity=0.5, clusters=4))
    kernels = [_largest(layer) for layer in made.layers if layer.weights]
    assert kernels
    for kernel in kernels:
        if "pruning" in method:
            assert np.mean(kernel == 0) == pytest.approx(0.5, abs=0.05)
        if "clustering" in method:
            assert len(np.unique(kernel)) <= 4
    aware = [layer for layer in made.layers if layer.name.startswith("quant_")]
    assert bool(aware) == ("quantization-aware" in method)
    answers = made.predict(tuning.inputs, verbose=0)
    assert np.mean(answers.argmax(axis=1) == tuning.targets) > 0.6
    for old, now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now, "the network itself is left alone")


@pytest.mark.parametrize("method", ["pruning+clustering"])
def test_a_table_of_embeddings_is_clustered(trained: Any, method: str) -> None:
    from edge_experts.training.compression import apply

    network, tuning = trained("text")
    made = apply(network, tuning, Compression(method, clusters=8))
    assert len(np.unique(_largest(made.layers[2]))) <= 8


@pytest.mark.parametrize("kind", ["table", "image"])
def test_two_of_four_weights_that_meet_are_zero(trained: Any, kind: str) -> None:
    from edge_experts.training.compression import prune

    network, tuning = trained(kind)
    made = prune(network, tuning, sparsity="2:4")
    fours = [
        np.moveaxis(kernel, -2, -1).reshape(-1, 4)
        for kernel in (_largest(layer) for layer in made.layers if layer.weights)
        if kernel.shape[-2] % 4 == 0
    ]
    assert fours
    for four in fours:
        assert ((four == 0).sum(axis=1) >= 2).all()


def test_clusters_survive_int8(keras: Any) -> None:
    """Where each channel had a scale of its own, a value would be as many integers as channels."""
    from edge_experts.converters.tflite.quantization import to_tflite

    from edge_experts.runtime import interpreter

    inputs = {"x": keras.Input((64,), name="x")}
    network = keras.Model(inputs, keras.layers.Dense(32)(inputs["x"]))
    random = np.random.default_rng(0)
    values = np.linspace(0.1, 1, 16)
    reach = 2 + np.arange(32) // 2  # channels reach differently far
    kernel = values[(random.random((64, 32)) * np.minimum(reach, 16)).astype(int)]
    network.set_weights([kernel, np.zeros(32)])
    content = to_tflite(network, "int8", {"x": random.normal(size=(50, 64)).astype(np.float32)})
    model = interpreter.interpreter_class()(model_content=content)
    model.allocate_tensors()
    largest = max(model.get_tensor_details(), key=lambda one: np.prod(one["shape"]))
    assert len(np.unique(model.get_tensor(largest["index"]))) <= 16


def test_what_does_not_hold_for_token_ids_is_refused(trained: Any, keras: Any) -> None:
    from edge_experts.training import networks
    from edge_experts.training.compression import apply

    _, tuning = trained("text")
    expert = networks.BY_KIND["text"].expert(networks.Shapes("text", KINDS["text"], 2, SETTINGS))
    for method, sparsity, message in (
        ("quantization-aware", 0.5, "none of its layers can be trained for int8"),
        ("pruning", "2:4", "none of its layers is Dense or Conv2D"),
    ):
        with pytest.raises(UnsuitableError, match=message):
            apply(expert, tuning, Compression(method, sparsity=sparsity))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "zip"}, "compress must be one of"),
        ({"method": "clustering+pruning"}, "compress must be one of"),
        ({"method": "pruning", "sparsity": 1.0}, "sparsity must be a share"),
        ({"method": "pruning", "sparsity": "1:4"}, "sparsity must be a share"),
        ({"method": "clustering", "clusters": 2}, "clusters must be from 3 to 256"),
        ({"method": "clustering", "epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_a_compression_that_is_none_is_refused(options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Compression(**options)


def _largest(layer: Any) -> np.ndarray:
    kernel: np.ndarray = max(layer.get_weights(), key=np.size)
    return kernel
