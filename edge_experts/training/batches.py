"""Batches of a stage; the rows of an epoch depend only on the seed and the epoch's number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

_STEPS, _SMALLEST = 50, 16

Lists = tuple[np.ndarray, ...]  # rows, and their weights if there are any


@dataclass(frozen=True)
class Batches:
    """Batches of (inputs, targets) or (inputs, targets, weights).

    Attributes:
        steps: number of batches of an epoch.
        epochs: number of epochs.
        lists: draws the rows of an epoch, (steps * size, ...), by its number.
        gathered: builds a data set of batches from lists of rows.
    """

    steps: int
    epochs: int
    lists: Callable[[int], Lists]
    gathered: Callable[[Callable[[], Iterator[Lists]]], tf.data.Dataset]

    @property
    def dataset(self) -> tf.data.Dataset:
        """All batches of all epochs."""
        return self.after(0)

    def after(self, step: int) -> tf.data.Dataset:
        """Batches after the first `step` of all steps."""
        first, passed = divmod(step, self.steps)

        def epochs() -> Iterator[Lists]:
            for epoch in range(first, self.epochs):
                lists = self.lists(epoch)
                size = len(lists[0]) // self.steps
                begin = passed * size if epoch == first else 0
                yield tuple(each[begin:] for each in lists)

        return self.gathered(epochs)


def batch_size(examples: int, most: int) -> int:
    """Batch size: smaller for small data sets, so that an epoch has more than a few steps."""
    return min(most, max(_SMALLEST, examples // _STEPS), examples)


def shared_out(size: int, experts: int) -> int:
    """Number of an expert's rows in a batch."""
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
    weights: np.ndarray | None = None,
) -> Batches:
    """Batches for all epochs: (size, ...); or with owners (size, experts, ...).

    Args:
        owners: the expert of each example, (examples,). The expert with most examples determines
            the length of an epoch. Examples of the others are spread evenly over its steps, and
            padded with examples of weight 0.
        weights: weight of each example, (examples,); not with owners.
    """
    if owners is None:
        steps = len(targets) // size

        def lists(epoch: int) -> Lists:
            rows = np.random.default_rng((seed, epoch)).permutation(len(targets))[: steps * size]
            return (rows,) if weights is None else (rows, weights[rows].astype(np.float32))

        kinds = 1 if weights is None else 2
        return Batches(steps, epochs, lists, _gather(inputs, targets, size, kinds, ()))
    mine = [np.flatnonzero(owners == expert) for expert in range(experts)]
    steps = -(-max(map(len, mine)) // size)

    def by_owner(epoch: int) -> Lists:
        random = np.random.default_rng((seed, epoch))
        shape = (steps, size, experts)
        places, shares = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        for expert, examples in enumerate(mine):
            parts = np.array_split(random.permutation(examples), steps)
            for step, part in enumerate(parts):
                places[step, : len(part), expert] = part
                # A step has the same weight for all experts, however few examples one has in it.
                shares[step, : len(part), expert] = size / max(1, len(part))
        return places.reshape(-1, experts), shares.reshape(-1, experts)

    return Batches(steps, epochs, by_owner, _gather(inputs, targets, size, 2, (experts,)))


def _gather(
    inputs: Mapping[str, np.ndarray], targets: np.ndarray, size: int, kinds: int, inner: tuple
) -> Callable[[Callable[[], Iterator[Lists]]], tf.data.Dataset]:
    """Build a function from lists of rows (and weights) to batches of their examples.

    Args:
        kinds: 1 for rows alone; 2 for rows and weights.
        inner: shape of a row's entry in the lists.
    """
    arrays = {name: tf.constant(array) for name, array in inputs.items()}
    answers = tf.constant(targets)
    types = (tf.int64, tf.float32)[:kinds]
    signature = tuple(tf.TensorSpec((None, *inner), kind) for kind in types)

    def batch(rows: tf.Tensor, *weights: tf.Tensor) -> tuple[object, ...]:
        taken = {name: tf.gather(array, rows) for name, array in arrays.items()}
        return taken, tf.gather(answers, rows), *weights

    def gathered(epochs: Callable[[], Iterator[Lists]]) -> tf.data.Dataset:
        slices = tf.data.Dataset.from_tensor_slices
        if tf.distribute.has_strategy():  # a strategy cannot distribute the output of a generator
            rows = slices(tuple(map(np.concatenate, zip(*epochs(), strict=True))))
        else:
            lists = tf.data.Dataset.from_generator(epochs, output_signature=signature)
            rows = lists.flat_map(lambda *each: slices(each))
        batches = rows.batch(size, drop_remainder=True)
        return batches.map(batch, num_parallel_calls=2).prefetch(2)

    return gathered
