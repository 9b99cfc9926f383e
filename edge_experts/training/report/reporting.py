"""Progress of a training on stderr, and the use of the experts."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

from ...progress import Progress
from ..checkpoints import Snapshot
from ..model import SparseExperts
from .insight import entropy, softmax

_TOLD = 10  # largest number of experts whose use fits into a line


class Report(tf_keras.callbacks.Callback):
    """One step of progress for each epoch, with losses, accuracies and the experts' use.

    Args:
        trained: model in training, if it has a router.
        inputs: validation inputs, on which the use of its experts is counted.
        score: score that is first in a line, and that ends the stage if it does not improve.
        patience: epochs without a better score before the stage ends.
    """

    def __init__(
        self,
        what: str,
        epochs: int,
        trained: SparseExperts | None = None,
        inputs: Any = None,
        *,
        score: str = "accuracy",
        patience: int = 0,
    ):
        super().__init__()
        self.what, self.epochs, self.trained, self.inputs = what, epochs, trained, inputs
        self.score, self.patience = score, patience

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.progress = Progress(self.what, self.epochs)
        self.done = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {} if logs is None else logs
        note = ", ".join(
            f"{_in_words(name)} {logs[name]:.4f}" for name in _shown(logs, f"val_{self.score}")
        )
        if self.trained is not None and self.trained.router is not None:
            gate = softmax(self.trained.gate(self.inputs))
            usage = _shares(gate.argmax(axis=1), len(self.trained.experts))
            used = sum(share > 0 for share in usage)
            note += (
                ", experts used " + " ".join(f"{share:.0%}" for share in usage)
                if len(usage) <= _TOLD
                else f", {used} of {len(usage)} experts used, the most {max(usage):.0%}"
            )
            # TensorBoard, a later callback, logs all entries.
            logs.update({f"expert_usage/{index}": share for index, share in enumerate(usage)})
            logs["router_entropy"] = float(entropy(gate).mean())
        self.progress.step(note)
        self.done = epoch + 1

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        done = self.progress.done
        if self.model.stop_training and done < self.epochs:
            self.progress.stop(
                f"stopped after {done} of {self.epochs} epochs: validation "
                f"{self.score.replace('_', ' ')} no better for {self.patience}"
            )
        self.progress.close()

    def state(self) -> Snapshot:
        return Snapshot({}, {"done": self.done})

    def resume(self, snapshot: Snapshot) -> None:
        self.done = snapshot.values["done"]
        self.progress.skip(self.done)


def _shown(logs: dict[str, float], score: str) -> list[str]:
    """Names of the figures of a line, in order: val_accuracy, loss, val_cross_entropy."""
    others = [name for name in logs if name.startswith("val_") and name != "val_loss"]
    names = [score, "loss", *sorted(others)]
    return [name for name in dict.fromkeys(names) if name in logs]


def _in_words(name: str) -> str:
    return name.replace("val_", "validation ").replace("_", " ")


def expert_usage(model: SparseExperts, inputs: Any) -> list[float]:
    """Share of inputs that are routed to each expert."""
    if model.router is None:
        return [1.0] * len(model.experts)
    return _shares(model.route(inputs), len(model.experts))


def _shares(owner: np.ndarray, experts: int) -> list[float]:
    counts = np.bincount(owner, minlength=experts)
    return [round(float(share), 4) for share in counts / counts.sum()]
