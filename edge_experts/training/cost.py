"""Cost of a network: its multiply-adds for one input."""

from __future__ import annotations

import math

import tensorflow as tf
import tf_keras

from .model import SparseExperts


def macs(network: tf_keras.Model) -> int:
    """Multiply-adds of all matrix products and convolutions for one input.

    Counted in the graph that is the input of a conversion. TensorFlow's profiler is not used: it
    ignores batched products, which a bag of embeddings consists of.
    """
    signature = {
        tensor.name: tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype)
        for tensor in network.inputs
    }
    function = tf.function(lambda inputs: network(inputs, training=False))
    graph = function.get_concrete_function(signature).graph
    return sum(_operation(operation) for operation in graph.get_operations())


def active(model: SparseExperts) -> dict[str, int]:
    """Multiply-adds of a router, of an expert, and of an answer."""
    router = 0 if model.router is None else macs(model.router)
    expert = macs(model.experts[0])
    asked = len(model.experts) if model.combine == "sum" else model.top_k
    return {"router": router, "expert": expert, "active": router + asked * expert}


def _operation(operation: tf.Operation) -> int:
    """Number of outputs times the length of the sum for each of them."""
    if operation.type in ("MatMul", "BatchMatMulV2", "BatchMatMulV3"):
        left = operation.inputs[0].shape
        turned = "transpose_a" if operation.type == "MatMul" else "adj_x"
        length = left[-2] if operation.get_attr(turned) else left[-1]
    elif operation.type == "Conv2D":
        length = math.prod(operation.inputs[1].shape[:3])
    elif operation.type == "DepthwiseConv2dNative":
        length = math.prod(operation.inputs[1].shape[:2])
    elif operation.type == "Einsum":
        return _einsum(operation)
    else:
        return 0
    return math.prod(operation.outputs[0].shape) * length


def _einsum(operation: tf.Operation) -> int:
    """Product of all its dimensions, each counted once."""
    terms = operation.get_attr("equation").decode().split("->")[0].split(",")
    sizes = {
        letter: size
        for term, tensor in zip(terms, operation.inputs, strict=True)
        for letter, size in zip(term, tensor.shape, strict=True)
    }
    return math.prod(sizes.values())
