"""Which examples are in which batch, drawn for a whole stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

_STEPS, _SMALLEST = 50, 16


@dataclass(frozen=True)
class Batches:
    """Batches of (inputs, targets) or (inputs, targets, weights); `steps` of them are an epoch."""

    dataset: tf.data.Dataset
    steps: int


def batch_size(examples: int, most: int) -> int:
    """Small data sets get smaller batches, or an epoch would be a handful of steps."""
    return min(most, max(_SMALLEST, examples // _STEPS), examples)


def shared_out(size: int, experts: int) -> int:
    """An expert's part of a batch."""
    return max(min(size, _SMALLEST), size // experts)


def draw(
    inputs: Mapping[str, np.ndarray],
    targets: np.ndarray,
    size: int,
    epochs: int,
    *,
    seed: int,
    owners: np.ndarray | None = None,
    experts: int = 1,
) -> Batches:
    """Batches for all epochs: (size, ...); or with owners (size, experts, ...).

    Args:
        owners: the expert of each example, (examples,). Then an epoch is as long as the expert
            with most examples needs. Those of the others are spread evenly over its steps, and
            filled up with examples of weight 0.
    """
    random = np.random.default_rng(seed)
    if owners is None:
        steps = len(targets) // size
        rows = [random.permutation(len(targets))[: steps * size] for _ in range(epochs)]
        return Batches(_gathered(inputs, targets, size, np.concatenate(rows)), steps)
    mine = [np.flatnonzero(owners == expert) for expert in range(experts)]
    steps = -(-max(map(len, mine)) // size)
    shape = (epochs, steps, size, experts)
    places, weights = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    for epoch in range(epochs):
        for expert, examples in enumerate(mine):
            parts = np.array_split(random.permutation(examples), steps)
            for step, part in enumerate(parts):
                places[epoch, step, : len(part), expert] = part
                # A step counts alike for all experts, however few examples one has in it.
                weights[epoch, step, : len(part), expert] = size / max(1, len(part))
    lists = places.reshape(-1, experts), weights.reshape(-1, experts)
    return Batches(_gathered(inputs, targets, size, *lists), steps)


def _gathered(
    inputs: Mapping[str, np.ndarray], targets: np.ndarray, size: int, *drawn: np.ndarray
) -> tf.data.Dataset:
    """Batches of the rows that are drawn, with their weights if there are any."""
    arrays = {name: tf.constant(array) for name, array in inputs.items()}
    answers = tf.constant(targets)

    def batch(rows: tf.Tensor, *weights: tf.Tensor) -> tuple[object, ...]:
        taken = {name: tf.gather(array, rows) for name, array in arrays.items()}
        return taken, tf.gather(answers, rows), *weights

    lists = tf.data.Dataset.from_tensor_slices(drawn).batch(size, drop_remainder=True)
    return lists.map(batch, num_parallel_calls=2).prefetch(2)
