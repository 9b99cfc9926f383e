"""The article's training step: pick an expert, and copy its parameters to the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from .model import SparseExperts


class ExpertSelection(tf_keras.callbacks.Callback):
    """At the end of every selection epoch, copy one expert's parameters to all others.

    A bare copy leaves nothing that tells the experts apart, and erases what each had specialized
    in; the copies are therefore perturbed, and selection ends well before training does.

    Args:
        kind: "greedy" copies the expert with the lowest loss on the validation examples that are
            asked of every expert; "random" copies any.
        inputs, targets: those validation examples.
        epochs: how many epochs, from the first, end with a selection.
        perturb: standard deviation of the noise on each copied parameter, as a share of the
            parameters' own standard deviation; 0 is the literal copy.
    """

    def __init__(
        self, kind: str, inputs: Any, targets: Any, *, epochs: int, perturb: float, seed: int
    ):
        super().__init__()
        if kind not in ("greedy", "random"):
            raise ValueError(f"kind must be 'greedy' or 'random', got {kind!r}")
        self.kind, self.epochs, self.perturb = kind, epochs, perturb
        self.inputs, self.targets = inputs, targets
        self.random = np.random.default_rng(seed)
        self.chosen: list[int] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch >= self.epochs:
            return
        experts = self.model.experts
        if self.kind == "greedy":
            chosen = int(np.argmin(expert_losses(self.model, self.inputs, self.targets)))
        else:
            chosen = int(self.random.integers(len(experts)))
        self.chosen.append(chosen)
        others = [expert for index, expert in enumerate(experts) if index != chosen]
        copy_parameters(experts[chosen], others, self.perturb, self.random)


def copy_parameters(
    source: tf_keras.Model,
    others: Sequence[tf_keras.Model],
    perturb: float,
    random: np.random.Generator,
) -> None:
    """Give `others` the parameters of `source`, each with noise of its own."""

    def near(weight: np.ndarray) -> np.ndarray:
        noise = random.standard_normal(weight.shape).astype(weight.dtype)
        return weight + perturb * weight.std() * noise

    for other in others:
        other.set_weights([near(weight) for weight in source.get_weights()])


def expert_losses(model: SparseExperts, inputs: Any, targets: Any) -> list[float]:
    """Every expert's mean cross-entropy on all the examples, whoever they would be routed to."""
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return [
        float(loss(tf.constant(targets), expert.predict(inputs, batch_size=1024, verbose=0)))
        for expert in model.experts
    ]
