"""Expert selection, the article's training step: copy one expert's parameters to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ..checkpoints import Snapshot
from ..config import TrainConfig
from ..expert_batching import bank_of
from ..inference import predict
from ..model import SparseExperts
from ..objectives.losses import AnswerLoss

_UNUSED = 0.1  # an expert with less than this fraction of an even share is unused


class ExpertSelection(tf_keras.callbacks.Callback):
    """Copies one expert's parameters to others at the end of every selection epoch.

    A plain copy to all makes the experts equal, and erases their specialization. So copies can be
    perturbed, or be limited to some experts, and selection ends before training does. With
    `select_into="all"` and `perturb=0` it is the method of the article.

    It is a callback of a `Learner`, and gets the `model` of that.

    Args:
        config: `select` is "greedy" for the expert with the lowest loss on all validation examples,
            or "random". Selection is in the first `select_epochs` epochs. The copies are into "all"
            others, the "weakest" one, or those that are "unused" by the router, with noise of
            `perturb` times the standard deviation of the parameters.
        inputs, targets: the validation examples; targets as for `answers`.
        answers: loss of an expert's outputs.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: SparseExperts,
        inputs: Mapping[str, np.ndarray],
        targets: np.ndarray,
        answers: Any = None,
    ):
        super().__init__()
        self.config, self.experts_of = config, model
        self.inputs, self.targets, self.answers = inputs, targets, answers
        self.random = np.random.default_rng(config.seed)
        self.chosen: list[int] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch >= self.config.select_epochs:
            return
        experts, bank = self.experts_of.experts, self.model.bank
        bank.write(experts)
        losses = expert_losses(self.experts_of, self.inputs, self.targets, self.answers)
        if self.config.select == "greedy":
            chosen = int(np.argmin(losses))
        else:
            chosen = int(self.random.integers(len(experts)))
        self.chosen.append(chosen)
        others = [experts[index] for index in self._others(losses) if index != chosen]
        copy_parameters(experts[chosen], others, self.config.perturb, self.random)
        bank.read(experts)

    def state(self) -> Snapshot:
        return Snapshot({}, {"random": self.random.bit_generator.state, "chosen": self.chosen})

    def resume(self, snapshot: Snapshot) -> None:
        """Restore the random state and the experts chosen so far."""
        self.random.bit_generator.state = snapshot.values["random"]
        self.chosen = list(snapshot.values["chosen"])

    def _others(self, losses: np.ndarray) -> Sequence[int]:
        """Experts that get the copy."""
        if self.config.select_into == "all":
            return range(len(losses))
        if self.config.select_into == "weakest":
            return [int(np.argmax(losses))]
        counts = np.bincount(self.experts_of.route(self.inputs), minlength=len(losses))
        unused: list[int] = np.flatnonzero(counts < _UNUSED * counts.mean()).tolist()
        return unused


def copy_parameters(
    source: tf_keras.Model,
    others: Sequence[tf_keras.Model],
    perturb: float,
    random: np.random.Generator,
) -> None:
    """Copy the parameters of `source` to `others`, each with separate noise."""

    def near(weight: np.ndarray) -> np.ndarray:
        noise = random.standard_normal(weight.shape).astype(weight.dtype)
        return weight + perturb * weight.std() * noise

    for other in others:
        other.set_weights([near(weight) for weight in source.get_weights()])


def expert_losses(
    model: SparseExperts,
    inputs: Mapping[str, np.ndarray],
    targets: np.ndarray,
    answers: Any = None,
) -> np.ndarray:
    """Mean loss of every expert on all examples, independent of their routing.

    Args:
        targets: labels, (examples,), or (examples, columns) as for `answers`.
        answers: loss of the outputs; cross-entropy if None.
    """
    bank, answers = bank_of(model.experts), answers or AnswerLoss(share=0.0)
    targets = targets.reshape(len(targets), -1)
    logits = predict(
        lambda batch, training: tf.transpose(bank(batch), (1, 0, 2)), model.expert_inputs(inputs)
    )
    return np.array(
        [
            float(np.mean(answers.of(logits[:, expert], targets)))
            for expert in range(len(model.experts))
        ]
    )
