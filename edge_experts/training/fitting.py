"""Fit of one stage: optimizer, averaged weights, selection of the best, and reports."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from . import loop
from .batches import Batches
from .checkpoints import Snapshot, Snapshots
from .learner import Learner

_RISING = 0.05  # share of the steps with a rising learning rate
_AVERAGED, _SHARE = 100, 0.05  # steps over which weights are averaged: most, and share of all


@dataclass(frozen=True)
class Fit:
    """Settings of the fit of a stage.

    Args:
        weight_decay: share of each weight, except biases, that a step removes, times the learning
            rate (Loshchilov & Hutter, 2019, Decoupled weight decay regularization).
        averaging: True if weights are averages over the last steps.
        patience: epochs without a better validation score before the stage ends; 0: unlimited.
        logs: folder of TensorBoard.
        backup: state of the running stage.
    """

    epochs: int
    learning_rate: float
    weight_decay: float
    averaging: bool
    patience: int
    logs: Path
    backup: Snapshots

    def run(
        self,
        learner: Learner,
        drawn: Batches,
        validation: tuple[Any, np.ndarray],
        callbacks: Sequence[tf_keras.callbacks.Callback],
    ) -> dict[str, list[float]]:
        """Train; the learner ends with the best weights by the validation examples."""
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
        # An early epoch that is better by chance would leave a half-trained gate.
        chance = partial(learner.answers.chance, examples=len(validation[1]))
        history = loop.fit(
            learner,
            drawn,
            validation,
            [
                Best(
                    f"val_{learner.answers.best}",
                    self.patience,
                    chance=None if self.patience else chance,
                ),
                *callbacks,
                tf_keras.callbacks.TensorBoard(str(self.logs), write_graph=False, profile_batch=0),
            ],
            self.backup,
        )
        return {key: [round(value, 5) for value in values] for key, values in history.items()}


def _momentum(steps: int) -> float:
    """Momentum of the average: a long average would lag behind in a short training."""
    return 1 - 1 / max(1.0, min(_AVERAGED, _SHARE * steps))


class Best(tf_keras.callbacks.Callback):
    """Restores the weights of the best epoch; validates averaged weights if there are any.

    Averaged weights are better than those of a single step (Polyak & Juditsky, 1992), most of all
    while the learning rate is high. The best epoch is that of the best accuracy or R2: overfitting
    first makes scores overconfident, which the calibration after conversion corrects, and only
    later costs correct answers.

    Args:
        score: name of a validation score.
        patience: epochs without a better score before the training ends; 0: unlimited.
        first: first epoch that counts.
        lower: True if lower scores are better.
        chance: difference to the best score within which a later epoch is preferred.
    """

    def __init__(
        self,
        score: str,
        patience: int = 0,
        *,
        first: int = 0,
        lower: bool = False,
        chance: Callable[[float], float] | None = None,
    ):
        super().__init__()
        self.score, self.patience, self.first = score, patience, first
        self.sign = -1 if lower else 1
        self.chance = chance or (lambda score: 0.0)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.best, self.best_epoch = -math.inf, self.first
        self.best_weights = self._weights()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        if self.model.optimizer.use_ema:
            self.current = self._weights()
            self.model.optimizer.finalize_variable_values(self.model.trainable_variables)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        score = self.sign * (logs or {})[self.score]
        slack = self.chance(self.best) if math.isfinite(self.best) else 0.0
        # NaN counts as best, so that the end of the training sees it
        if epoch >= self.first and not score < self.best - slack:
            self.best, self.best_epoch = max(score, self.best), epoch
            self.best_weights = self._weights()
        if self.model.optimizer.use_ema:
            self._assign(self.current)
        if self.patience and epoch - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._assign(self.best_weights)

    def state(self) -> Snapshot:
        arrays = {str(place): array for place, array in enumerate(self.best_weights)}
        return Snapshot(arrays, {"best": self.best, "best_epoch": self.best_epoch})

    def resume(self, snapshot: Snapshot) -> None:
        self.best, self.best_epoch = snapshot.values["best"], snapshot.values["best_epoch"]
        self.best_weights = [snapshot.arrays[str(place)] for place in range(len(snapshot.arrays))]

    def _weights(self) -> list[np.ndarray]:
        # `get_weights` of a clustered layer lacks its centroids.
        return [variable.numpy() for variable in self.model.variables]

    def _assign(self, values: Sequence[np.ndarray]) -> None:
        for variable, value in zip(self.model.variables, values, strict=True):
            variable.assign(value)
