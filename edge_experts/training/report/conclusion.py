"""Report at the end of a training: figures, charts and summaries for TensorBoard."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ... import run_folder
from ...datasets import Dataset
from ...errors import MissingExtraError, UsageError
from ...features import Features
from ..config import TrainConfig
from ..expert_batching import bank_of
from ..inference import predict
from ..model import SparseExperts, asked
from ..objectives.routed_task import Findings, RoutedTask
from .insight import softmax
from .ownership import Owned, column_names

_MOST = 10_000  # largest number of validation examples

Arrays = Mapping[str, np.ndarray]


def conclude(
    model: SparseExperts,
    task: RoutedTask,
    dataset: Dataset,
    features: Features,
    arrays: Arrays,
    config: TrainConfig,
    folder: Path,
    *,
    pictures: bool = True,
) -> dict[str, Any]:
    """Analyse a trained model on the validation split: print, draw and return the findings.

    Args:
        arrays: encoded validation split.
        folder: run folder for the charts and TensorBoard's summaries.

    Returns:
        Metrics for run.json; none for a dense network.

    Raises:
        UsageError: the training diverged to numbers that are not finite.
    """
    arrays = {name: array[:_MOST] for name, array in arrays.items()}
    gate, outputs = _outputs(model, arrays, config)
    found = task.findings(gate, outputs, dataset.validation.targets[:_MOST])
    metrics, text, surety = found.to_json(), found.as_text(config.to_json()), found.surety()
    if text:
        print(text, file=sys.stderr)
    owned = None
    if gate is not None and surety is not None:
        owned = _owned(task, dataset, features, arrays, gate.argmax(axis=1), surety, gate.shape[1])
    board = tf.summary.create_file_writer(str(folder / run_folder.LOGS / "conclusion"))
    with board.as_default(step=0):
        for name, value in metrics.items():
            if isinstance(value, float):
                tf.summary.scalar(name, value)
        if pictures:
            _draw(folder / run_folder.PICTURES, found, owned)
    board.close()
    return metrics


def _outputs(
    model: SparseExperts, arrays: Arrays, config: TrainConfig
) -> tuple[np.ndarray | None, np.ndarray]:
    """The gate's probabilities (examples, experts), and outputs (experts, examples, outputs)."""
    bank = bank_of(model.experts)

    def answer(inputs: Arrays, training: bool) -> list[tf.Tensor]:
        outputs = []
        if model.router is not None:
            gate, inputs = asked(model.router, inputs)
            outputs = [gate]
        return [*outputs, tf.transpose(bank(inputs), (1, 0, 2))]

    outputs = predict(answer, arrays)
    if not all(np.isfinite(output).all() for output in outputs):
        # The argmax of NaNs is the first one, which would look like an answer.
        raise UsageError(
            "the training diverged: a network has outputs that are not finite. Try a "
            f"smaller learning_rate (it is {config.learning_rate}) and mixture_learning_rate "
            f"({config.mixture_learning_rate}) in a --config file, and check a custom network "
            "for divisions and logarithms"
        )
    each = np.swapaxes(outputs[-1], 0, 1)
    return None if model.router is None else softmax(outputs[0]), each


def _owned(
    task: RoutedTask,
    dataset: Dataset,
    features: Features,
    arrays: Arrays,
    owner: np.ndarray,
    surety: np.ndarray,
    experts: int,
) -> Owned:
    table = dataset.kind == "table"
    drawn = dataset.validation.inputs
    if table:
        drawn = arrays["x"]
    elif dataset.kind == "sound":  # a spectrum, from below, with the time from left to right
        drawn = arrays["x"].swapaxes(1, -1)[:, ::-1]
    return Owned(
        kind=dataset.kind,
        examples=drawn,
        columns=column_names(features, arrays["x"].shape[1]) if table else (),
        labels=task.class_names(),
        targets=task.classes(dataset.validation.targets[: len(owner)]),
        owner=owner,
        surety=surety,
        experts=experts,
    )


def _draw(folder: Path, found: Findings, owned: Owned | None) -> None:
    """Write the charts as files, and as summaries of the default writer."""
    if importlib.util.find_spec("matplotlib") is None:
        # Missing matplotlib must not discard a training of an hour.
        print(f"No pictures: {MissingExtraError('matplotlib', 'train')}", file=sys.stderr)
        return
    for path in found.draw(folder, owned):
        image = tf.io.decode_png(path.read_bytes(), channels=3)
        tf.summary.image(f"{folder.name}/{path.stem}", image[None])
