"""The trunk: the router's hidden layer as an input of experts."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tf_keras

from ...format.manifest import TRUNK

layers = tf_keras.layers


def attach(
    router: tf_keras.Model, gate: tf_keras.Model, experts: Sequence[tf_keras.Model]
) -> tuple[tf_keras.Model, list[tf_keras.Model]]:
    """Add the hidden layer as a second output to the router, and as an input to the experts.

    An expert adds a linear function of the trunk to its logits. This reuses the router's features
    for few multiply-adds, and leaves the expert's own for the rest. A router whose last layer does
    not have one vector of features as input (such as a bag of n-grams) has no trunk; then both are
    unchanged.

    Args:
        gate: network that routes: the router itself, or another network of the same inputs.
    """
    hidden = _hidden(router)
    if hidden is None:
        return gate, list(experts)
    inputs = dict(zip(router.input_names, router.inputs, strict=True))
    outputs = {"gate": router.output if gate is router else gate(inputs), TRUNK: hidden}
    units = hidden.shape[-1]

    def builds_on(expert: tf_keras.Model) -> tf_keras.Model:
        shared = tf_keras.Input((units,), name=TRUNK)
        more = layers.Dense(expert.output_shape[-1], use_bias=False)(shared)
        return tf_keras.Model([*expert.inputs, shared], layers.Add()([expert.output, more]))

    return tf_keras.Model(router.inputs, outputs), [builds_on(expert) for expert in experts]


def alone(router: tf_keras.Model, expert: tf_keras.Model) -> tf_keras.Model | None:
    """Build a dense network of one expert and the trunk: a sparse model without routing.

    None if the router has no trunk.
    """
    hidden = _hidden(router)
    if hidden is None:
        return None
    trunk = tf_keras.Model(router.inputs, hidden)
    shared = trunk(dict(zip(expert.input_names, expert.inputs, strict=True)))
    more = layers.Dense(expert.output_shape[-1], use_bias=False)(shared)
    return tf_keras.Model(expert.inputs, layers.Add()([expert.output, more]))


def _hidden(router: tf_keras.Model) -> tf.Tensor | None:
    last = router.layers[-1]
    if type(last) is not layers.Dense or len(last.input.shape) != 2:
        return None
    return last.input
