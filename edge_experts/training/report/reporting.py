"""What a user sees of a training: progress on stderr, and the use of the experts."""

from __future__ import annotations

from typing import Any

import numpy as np
import tf_keras

from ...progress import Progress
from ..checkpoints import Snapshot
from ..model import SparseExperts
from .insight import entropy, softmax

_TOLD = 10  # experts whose use fits into a line


class Report(tf_keras.callbacks.Callback):
    """One step of progress for each epoch, with losses, accuracies and the experts' use.

    Args:
        trained: the model in training, if it has a router.
        inputs: validation inputs, on which the use of its experts is counted.
    """

    def __init__(
        self, what: str, epochs: int, trained: SparseExperts | None = None, inputs: Any = None
    ):
        super().__init__()
        self.what, self.epochs, self.trained, self.inputs = what, epochs, trained, inputs

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.progress = Progress(self.what, self.epochs)
        self.done = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {} if logs is None else logs
        note = ", ".join(
            f"{name.replace('val_', 'validation ').replace('_', ' ')} {logs[name]:.4f}"
            for name in ("loss", *_scores(logs))
            if name in logs
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
            # TensorBoard, which comes after, logs whatever is in here.
            logs.update({f"expert_usage/{index}": share for index, share in enumerate(usage)})
            logs["router_entropy"] = float(entropy(gate).mean())
        self.progress.step(note)
        self.done = epoch + 1

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.progress.close()

    def state(self) -> Snapshot:
        return Snapshot({}, {"done": self.done})

    def resume(self, snapshot: Snapshot) -> None:
        self.done = snapshot.values["done"]
        self.progress.skip(self.done)


def _scores(logs: dict[str, float]) -> list[str]:
    """Names of the validation scores, such as val_cross_entropy and val_accuracy."""
    names = [name for name in logs if name.startswith("val_") and name != "val_loss"]
    return sorted(names, reverse=True)


def expert_usage(model: SparseExperts, inputs: Any) -> list[float]:
    """The share of inputs that the router sends to each expert."""
    if model.router is None:
        return [1.0] * len(model.experts)
    return _shares(model.route(inputs), len(model.experts))


def _shares(owner: np.ndarray, experts: int) -> list[float]:
    counts = np.bincount(owner, minlength=experts)
    return [round(float(share), 4) for share in counts / counts.sum()]
