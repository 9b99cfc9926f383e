"""Calls of a custom function that do not make separate experts of the same layers."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from edge_experts.errors import UsageError


@pytest.fixture
def shapes(keras: Any) -> Any:
    from edge_experts.training.networks import Shapes

    return Shapes("table", {"x": ((6,), "float32")}, 3, {})


def _expert(shapes: Any, *layers: Any) -> Any:
    import tf_keras

    inputs = shapes.keras_inputs()
    hidden = inputs["x"]
    for layer in layers:
        hidden = layer(hidden)
    return tf_keras.Model(inputs, tf_keras.layers.Dense(shapes.labels)(hidden))


def _refusal(build: Any, shapes: Any) -> str:
    from edge_experts.training.networks import user_networks

    with pytest.raises(UsageError) as caught:
        user_networks.experts(build, shapes, 3, 1.0)
    return str(caught.value)


def test_one_network_for_all_experts_is_refused(keras: Any, shapes: Any) -> None:
    network = _expert(shapes)

    def build(shapes: Any) -> Any:
        return network

    assert "two of its networks share parameters (dense" in _refusal(build, shapes)


def test_a_layer_that_experts_share_is_refused_by_its_name(keras: Any, shapes: Any) -> None:
    layer = keras.layers.Dense(4, name="of_all")

    def build(shapes: Any) -> Any:
        return _expert(shapes, layer)

    assert "share parameters (of_all/kernel:0, of_all/bias:0)" in _refusal(build, shapes)


def test_experts_of_other_sizes_are_refused(keras: Any, shapes: Any) -> None:
    sizes = count(4)

    def build(shapes: Any) -> Any:
        return _expert(shapes, keras.layers.Dense(next(sizes)))

    told = "one has Dense (6, 4) (4,) where another has Dense (6, 5) (5,)"
    assert told in _refusal(build, shapes)


def test_experts_of_fewer_layers_are_refused(keras: Any, shapes: Any) -> None:
    layers = iter([[keras.layers.ReLU()], [], []])

    def build(shapes: Any) -> Any:
        return _expert(shapes, *next(layers))

    told = "one has ReLU where another has Dense (6, 3) (3,)"
    assert told in _refusal(build, shapes)


def test_a_router_that_shares_a_layer_with_the_experts_is_refused(keras: Any, shapes: Any) -> None:
    import numpy as np

    from edge_experts.training import SparseExperts, TrainConfig
    from edge_experts.training.network_checks import refuse_unusable

    layer = keras.layers.Dense(4, name="of_all")
    experts = [_expert(shapes, keras.layers.Dense(4)), _expert(shapes, layer)]
    model = SparseExperts(_expert(shapes, layer), experts)
    config = TrainConfig(experts=2, model="users:build", router_model="users:router")
    with pytest.raises(UsageError, match=r"^--router-model users:router and --model users:build"):
        refuse_unusable(model, config, {"x": np.zeros((4, 6), np.float32)})
