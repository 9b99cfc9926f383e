"""One stage's fit: optimizer, averaged weights, the best of them, and what is reported."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from .batches import Batches
from .learner import Learner

_RISING = 0.05  # of the steps: the learning rate rises
_AVERAGED, _SHARE = 100, 0.05  # steps that weights are averaged over, at most and of all


@dataclass(frozen=True)
class Fit:
    """How a stage is fitted.

    Args:
        weight_decay: share of each weight, biases aside, that a step takes away, times the
            learning rate (Loshchilov & Hutter, 2019, Decoupled weight decay regularization).
        averaging: whether weights are averages over the last steps.
        patience: epochs without a better validation score before it ends; 0: it does not.
        logs, backup: folders of TensorBoard, and of the state after each epoch.
    """

    epochs: int
    learning_rate: float
    weight_decay: float
    averaging: bool
    patience: int
    logs: Path
    backup: Path

    def run(
        self,
        learner: Learner,
        drawn: Batches,
        validation: tuple[Any, np.ndarray],
        callbacks: Sequence[tf_keras.callbacks.Callback],
    ) -> dict[str, list[float]]:
        """Train; the learner ends with the weights that did best on the validation examples."""
        steps = drawn.steps * self.epochs
        rising = max(1, round(_RISING * steps))
        schedule = tf_keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - rising), warmup_target=self.learning_rate, warmup_steps=rising
        )
        optimizer = tf_keras.optimizers.AdamW(
            schedule, self.weight_decay, use_ema=self.averaging, ema_momentum=_momentum(steps)
        )
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        learner.compile(optimizer)
        made = learner.fit(
            drawn.dataset.repeat(),
            epochs=self.epochs,
            steps_per_epoch=drawn.steps,
            verbose=0,
            validation_data=validation,
            validation_batch_size=1024,
            callbacks=[
                Best(
                    self.patience,
                    f"val_{learner.answers.best}",
                    # An early epoch that is better by chance has the gate of a half-way training.
                    None
                    if self.patience
                    else partial(learner.answers.chance, examples=len(validation[1])),
                ),
                *callbacks,
                tf_keras.callbacks.TensorBoard(str(self.logs), write_graph=False, profile_batch=0),
                tf_keras.callbacks.BackupAndRestore(str(self.backup)),
            ],
        )
        return {
            key: [round(float(value), 5) for value in values]
            for key, values in made.history.items()
        }


def _momentum(steps: int) -> float:
    """Of the average: a long one would lag behind a short training."""
    return 1 - 1 / max(1.0, min(_AVERAGED, _SHARE * steps))


class Best(tf_keras.callbacks.Callback):
    """Validates the average of the weights over the last steps, and ends with the best of them.

    Averages answer better than the weights at any one step (Polyak & Juditsky, 1992), most of all
    while the learning rate is high. The best is by accuracy, or R2: overfitting first makes scores
    too sure of themselves, which the calibration after conversion takes back, and costs right
    answers only later.

    Args:
        patience: epochs without a better one before the training ends; 0: it does not.
        score: the name of a validation score.
        chance: by how much a later epoch may be worse than the best score and still be taken.
    """

    def __init__(self, patience: int, score: str, chance: Callable[[float], float] | None = None):
        super().__init__()
        self.patience, self.score = patience, score
        self.chance = chance or (lambda score: 0.0)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.best, self.best_epoch = -math.inf, 0
        self.best_weights = self.model.get_weights()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        self.current = self.model.get_weights()
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        score = (logs or {})[self.score]
        slack = self.chance(self.best) if math.isfinite(self.best) else 0.0
        if not score < self.best - slack:  # NaN is kept, so that the end of the training sees it
            self.best, self.best_epoch = max(score, self.best), epoch
            self.best_weights = self.model.get_weights()
        self.model.set_weights(self.current)
        if self.patience and epoch - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.model.set_weights(self.best_weights)
