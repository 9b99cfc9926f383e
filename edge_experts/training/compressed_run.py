"""A dense run folder to another: the network made smaller, see `compression`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from .. import run_folder
from ..datasets import Dataset
from ..errors import UsageError
from ..features import encode_all
from ..folders import staged
from . import batches
from .config import TrainConfig
from .inference import predict
from .losses import Answers
from .model import SparseExperts

_QUARTER = 4
_TUNING = 1 / 3  # of the learning rate, as for experts that have learned before


def compress(
    dataset: Dataset,
    run: Path,
    out: Path,
    method: str,
    *,
    nonzero: int,
    teacher: Path | None = None,
    force: bool = False,
) -> run_folder.Run:
    """Fine-tune a finished dense training while it is made smaller.

    For a quarter as many epochs more, with a third of the learning rate: a network that is pruned
    at once, or learns its ranges in one epoch, would be a rival that is easy to beat.

    Args:
        method: "pruning" or "quantization-aware".
        nonzero: how many parameters pruning leaves.
        teacher: a run folder, after whose answers the network is tuned as well.

    Raises:
        UnsuitableError: the method does not hold for this network.
    """
    from . import compression  # tensorflow-model-optimization takes seconds to import

    base = run_folder.read_run(run)
    if base.experts != 1:
        raise UsageError(f"{run}: only dense networks are compressed, this one has experts")
    features = run_folder.read_features(run, base)
    data = {
        name: encode_all(features, getattr(dataset, name).inputs)
        for name in ("train", "validation", "test")
    }
    config = base.config
    network = _load(run).experts[0]
    tuning = compression.Tuning(
        **_lessons(dataset, data, None if teacher is None else _load(teacher), config),
        epochs=max(1, TrainConfig(**config).all_epochs // _QUARTER),
        learning_rate=_TUNING * _rate(config),
        batch_size=batches.batch_size(len(dataset.train), config["batch_size"]),
    )
    tf_keras.utils.set_random_seed(config["seed"])
    if method == "pruning":
        made = compression.prune(network, tuning, nonzero=nonzero)
    else:
        made = compression.quantization_aware(network, tuning)
    model = SparseExperts(None, [made])
    accuracies = {
        f"{name}_accuracy": _accuracy(model, data[name], getattr(dataset, name).targets)
        for name in ("validation", "test")
    }
    with staged(out, force=force) as folder:
        model.save(folder / run_folder.MODEL)
        for name in (run_folder.FEATURES, run_folder.EXAMPLES):
            if (run / name).exists():
                shutil.copyfile(run / name, folder / name)
        compressed = replace(
            base,
            config={**config, "compress": method},
            metrics={
                **base.metrics,
                **accuracies,
                "nonzero": sum(int(np.count_nonzero(array)) for array in made.get_weights()),
            },
        )
        compressed.write(folder)
    return compressed


def _lessons(
    dataset: Dataset,
    data: Mapping[str, Mapping[str, np.ndarray]],
    teacher: SparseExperts | None,
    config: Mapping[str, Any],
) -> dict[str, Any]:
    """What is learned from: labels, and a teacher's answers where there is one."""
    targets = {}
    for name in ("train", "validation"):
        parts = [getattr(dataset, name).targets[:, None]]
        parts += [] if teacher is None else [predict(teacher, data[name])]
        targets[name] = np.concatenate(parts, axis=1).astype(np.float32)
    answers = Answers(config["distillation"], config["distillation_temperature"])
    return {
        "inputs": data["train"],
        "targets": targets["train"],
        "validation": (data["validation"], targets["validation"]),
        "loss": lambda truth, logits: answers.of(logits, truth),
    }


def _rate(config: Mapping[str, Any]) -> float:
    return config["wide_learning_rate" if config["dense"] == "all" else "learning_rate"]


def _load(run: Path) -> SparseExperts:
    return tf_keras.models.load_model(run / run_folder.MODEL, compile=False)


def _accuracy(model: SparseExperts, inputs: Any, targets: np.ndarray) -> float:
    return round(float(np.mean(predict(model, inputs).argmax(axis=1) == targets)), 5)
