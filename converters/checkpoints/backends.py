"""Backends of `file_networks.Operations`: numpy, and TensorFlow for templates."""

from __future__ import annotations

from typing import Any

import numpy as np

from .tensor_rows import TensorRows


class NumpyOperations:
    """Operations in float32; weights are read from the checkpoint in parts."""

    def product(self, x: np.ndarray, weight: TensorRows | np.ndarray) -> np.ndarray:
        if isinstance(weight, np.ndarray):
            return x @ weight.T
        parts = [x @ weight.read(first, end).T for first, end in weight.chunks()]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def normed(self, x: np.ndarray, scale: np.ndarray, epsilon: float) -> np.ndarray:
        root = np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(epsilon))
        made: np.ndarray = x * scale / root
        return made

    def sigmoid(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            made: np.ndarray = 1 / (1 + np.exp(-x))
        return made

    def shaped(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        return x.reshape(shape)

    def joined(self, parts: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(parts, axis=-1)

    def summed(self, x: np.ndarray) -> np.ndarray:
        made: np.ndarray = x.sum(axis=-1, keepdims=True)
        return made


class TensorFlowOperations:
    """Operations of a template; its weights are constants."""

    def __init__(self, tensorflow: Any):
        self._tf = tensorflow

    def product(self, x: Any, weight: Any) -> Any:
        return self._tf.matmul(x, weight, transpose_b=True)

    def normed(self, x: Any, scale: Any, epsilon: float) -> Any:
        tf = self._tf
        mean = tf.reduce_mean(tf.square(x), -1, keepdims=True)
        # In this order: TensorFlow would multiply the scale into the weight of a product after it.
        return (x * scale) * tf.math.rsqrt(mean + epsilon)

    def sigmoid(self, x: Any) -> Any:
        return self._tf.sigmoid(x)

    def shaped(self, x: Any, shape: tuple[int, ...]) -> Any:
        return self._tf.reshape(x, shape)

    def joined(self, parts: list[Any]) -> Any:
        return self._tf.concat(parts, -1)

    def summed(self, x: Any) -> Any:
        return self._tf.reduce_sum(x, -1, keepdims=True)
