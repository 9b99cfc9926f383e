"""Sparse model as one network: the baseline for a bundle of separate files.

Imported only in the worker process: it needs TensorFlow. These networks give the answers of the
router's first choice. They accept one input at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from edge_experts.format.manifest import TRUNK
from edge_experts.training import SparseExperts
from edge_experts.training.model import asked

from ..recipes import LAYOUTS


def gated(model: SparseExperts) -> tf_keras.Model:
    """Compute every expert and select one answer: a mixture of experts as Keras builds it."""
    inputs, router = _inputs(model), _router(model)
    gate, seen = asked(router, inputs)
    answers = tf_keras.layers.Lambda(lambda outputs: tf.stack(outputs, axis=1))(
        [expert(seen) for expert in model.experts]
    )
    take = tf_keras.layers.Lambda(
        lambda both: tf.gather(both[1][0], tf.argmax(both[0], axis=1, output_type=tf.int32))
    )
    return tf_keras.Model(inputs, take([gate, answers]))


def nested_if(model: SparseExperts) -> tf_keras.Model:
    """Compute only the expert that the router picks, by nested IF operators of TFLite."""
    inputs, router = _inputs(model), _router(model)
    gate, seen = asked(router, inputs)
    return tf_keras.Model(inputs, _Branches(model.experts)([gate, seen]))


class _Branches(tf_keras.layers.Layer):
    """Halves the experts repeatedly, until one is left."""

    def __init__(self, experts: Sequence[tf_keras.Model]):
        super().__init__()
        self.experts = list(experts)

    def call(self, routed: Any) -> tf.Tensor:
        logits, inputs = routed
        pick = tf.argmax(logits[0], output_type=tf.int32)

        def among(first: int, last: int) -> tf.Tensor:
            if last - first == 1:
                return self.experts[first](inputs)
            middle = (first + last) // 2
            return tf.cond(pick < middle, lambda: among(first, middle), lambda: among(middle, last))

        return among(0, len(self.experts))


IN_ONE_FILE: dict[str, Callable[[SparseExperts], tf_keras.Model]] = {
    "gated": gated,
    "nested-if": nested_if,
}
assert ("split", *IN_ONE_FILE) == LAYOUTS


def _inputs(model: SparseExperts) -> dict[str, Any]:
    """Create inputs by the names that all the model's networks share."""
    networks = (*model.experts[:1], *filter(None, [model.router]))
    tensors = {tensor.name: tensor for network in networks for tensor in network.inputs}
    return {
        name: tf_keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=name)
        for name, tensor in tensors.items()
        if name != TRUNK
    }


def _router(model: SparseExperts) -> tf_keras.Model:
    assert model.router is not None, "conversion refuses these layouts without a router"
    return model.router
