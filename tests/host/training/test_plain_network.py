"""Lambdas, variables and classes in custom networks: replaced with the same answers, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import UsageError

X = np.random.default_rng(0).normal(size=(5, 8, 4)).astype(np.float32)

Hidden = Callable[[Any], Any]


@pytest.fixture
def network(keras: Any) -> Callable[[Hidden], Any]:
    """Network of some hidden layers, from windows."""

    def build(hidden: Hidden) -> Any:
        inputs = {"x": keras.Input((8, 4), name="x")}
        outputs = keras.layers.Dense(3)(keras.layers.Flatten()(hidden(inputs["x"])))
        return keras.Model(inputs, outputs)

    return build


def _in_training(x: Any, training: bool = False) -> Any:
    return 2.0 * x if training else x


def _masked(x: Any, mask: Any = None) -> Any:
    return x if mask is None else 2.0 * x


def _in_python(x: Any) -> Any:
    import tensorflow as tf

    result = tf.numpy_function(lambda array: array + 1, [x], tf.float32)
    result.set_shape(x.shape)
    return result


def _refused() -> dict[str, tuple[Hidden, str]]:
    """Hidden layers, and the end of the message, by what is refused."""
    import tensorflow as tf
    import tf_keras

    layers = tf_keras.layers
    variable = tf.Variable(2.0, name="scale")
    dense = layers.Dense(4, name="inner")
    dense.build((None, 8, 4))
    scaled = layers.Lambda(lambda x: x * variable, name="own")
    twice = layers.Lambda(lambda x: 2.0 * x, name="own")
    return {
        "mode": (
            layers.Lambda(_in_training, name="own"),
            "is a Lambda that takes `training`",
        ),
        "mask": (
            lambda x: layers.Lambda(_masked, name="own")(layers.Masking()(x)),
            "'own' is a Lambda that takes or gives a mask",
        ),
        "variable": (scaled, "'own' is a Lambda that uses scale:0"),
        "parameters": (
            layers.Lambda(lambda x: dense(x), name="own"),
            "is a Lambda that uses kernel:0",
        ),
        "python": (layers.Lambda(_in_python, name="own"), "layer 'own' (Lambda): it cannot be "),
        "shapes": (
            lambda x: layers.Concatenate()([layers.Flatten()(twice(x)), twice(x[:, 0])]),
            "'own' is a Lambda that is called with different shapes",
        ),
        "wrapped": (
            layers.TimeDistributed(layers.Lambda(lambda x: 2.0 * x), name="own"),
            "'own' (TimeDistributed) wraps a Lambda",
        ),
        "operation": (lambda x: x * variable, "calls TensorFlow's functions with scale:0"),
    }


@pytest.mark.parametrize(
    "what",
    ["mode", "mask", "variable", "parameters", "python", "shapes", "wrapped", "operation"],
)
def test_a_layer_without_a_replacement_is_named(
    network: Callable[[Hidden], Any], what: str
) -> None:
    from edge_experts.training.networks.plain_network import plain

    hidden, told = _refused()[what]
    with pytest.raises(UsageError) as caught:
        plain(network(hidden))
    assert told in str(caught.value)


def test_masks_end_at_a_lambda(keras: Any, network: Callable[[Hidden], Any]) -> None:
    from edge_experts.training.networks.plain_network import plain

    def hidden(x: Any) -> Any:
        masked = keras.layers.Lambda(lambda x: 2.0 * x)(keras.layers.Masking()(x))
        return keras.layers.GlobalAveragePooling1D()(masked)

    inputs = {"x": X * (np.arange(8) % 2)[None, :, None]}
    made = network(hidden)
    assert plain(made)(inputs).numpy() == pytest.approx(made(inputs).numpy(), abs=1e-5)


def test_classes_of_models_keep_their_call(keras: Any, network: Callable[[Hidden], Any]) -> None:
    from edge_experts.training.networks.plain_network import plain

    class Doubled(keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            return 2.0 * super().call(inputs, training=training, mask=mask)

    def nested(hidden: Hidden) -> Any:
        inputs = keras.Input((8, 4))
        return Doubled(inputs, hidden(inputs), name="own")

    twice = keras.layers.Lambda(lambda x: 2.0 * x)
    made = network(lambda x: twice(nested(keras.layers.Dense(4))(x)))
    assert plain(made)({"x": X}).numpy() == pytest.approx(made({"x": X}).numpy(), abs=1e-5)
    with pytest.raises(UsageError, match="model 'own' is of the class Doubled and has a Lambda"):
        plain(network(nested(keras.layers.Lambda(lambda x: 2.0 * x))))


@pytest.mark.parametrize("method", ["call", "train_step"])
def test_a_class_with_a_method_that_is_not_used_is_refused(keras: Any, method: str) -> None:
    from edge_experts.training.networks import Shapes, user_networks

    def own(self: Any, *arguments: Any, **options: Any) -> Any:
        return getattr(keras.Model, method)(self, *arguments, **options)

    kind = type("Own", (keras.Model,), {method: own})

    def build(shapes: Any) -> Any:
        inputs = shapes.keras_inputs()
        return kind(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs["x"])))

    shapes = Shapes("window", {"x": ((8, 4), "float32")}, 3, {})
    with pytest.raises(UsageError, match=f"its class Own has its own {method}, which is not used"):
        user_networks.experts(build, shapes, 1, 1.0)
