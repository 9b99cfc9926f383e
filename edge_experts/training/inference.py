"""Outputs of a network for many inputs, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

_NUMBERS = 2**22  # of the inputs of one batch


def predict(
    network: Callable[..., Any], inputs: Mapping[str, np.ndarray], batch_size: int = 1024
) -> Any:
    """Outputs of the network for (examples, ...) inputs, as arrays.

    Keras's own `predict` distributes its inputs among the workers of a distributed training, and
    each would get a part of the outputs only. Nothing is traced: with large batches, tracing would
    take longer than it saves.

    Args:
        batch_size: at most; large inputs are fewer, whose feature maps would take gigabytes.
    """
    numbers = sum(array[0].size for array in inputs.values() if len(array))
    batch_size = max(1, min(batch_size, _NUMBERS // max(1, numbers)))
    count = len(next(iter(inputs.values())))
    parts = [
        tf.nest.map_structure(
            lambda output: output.numpy(),
            network(_batch(inputs, start, batch_size), training=False),
        )
        for start in range(0, count, batch_size)
    ]
    return tf.nest.map_structure(lambda *outputs: np.concatenate(outputs), *parts)


def _batch(inputs: Mapping[str, np.ndarray], start: int, size: int) -> dict[str, tf.Tensor]:
    return {name: tf.constant(array[start : start + size]) for name, array in inputs.items()}
