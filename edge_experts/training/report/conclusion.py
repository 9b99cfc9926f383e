"""The end of a training: what came of it, in numbers, in pictures and for TensorBoard."""

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
from ..bank import ExpertBank
from ..config import TrainConfig
from ..inference import predict
from ..model import SparseExperts, asked
from . import insight
from .ownership import Owned, column_names

_MOST = 10_000  # validation examples that are looked at

Arrays = Mapping[str, np.ndarray]


def conclude(
    model: SparseExperts,
    dataset: Dataset,
    features: Features,
    arrays: Arrays,
    config: TrainConfig,
    folder: Path,
    *,
    pictures: bool = True,
) -> dict[str, Any]:
    """Look at a trained model on the validation split: tell, draw and return what is seen.

    Args:
        arrays: the encoded validation split.
        folder: the run folder, which the pictures and TensorBoard's summaries go to.

    Returns:
        Metrics for run.json; none of a dense network.

    Raises:
        UsageError: the training ended in numbers that are not finite.
    """
    arrays = {name: array[:_MOST] for name, array in arrays.items()}
    targets, labels = dataset.validation.targets[:_MOST], dataset.labels
    gate, logits = _outputs(model, arrays, config)
    answers, found, owned = logits.argmax(axis=2), None, None
    if gate is None:
        # All experts answer together; a single one, a dense network, needs no more words.
        together, everyone = logits.sum(axis=0).argmax(axis=1), np.zeros(len(targets), np.int64)
        matrices = insight.confusion(everyone, targets, together, 1, len(labels))
        metrics = _tell_of_sum(answers, targets) if len(answers) > 1 else {}
    else:
        found = insight.measure(gate, answers, targets, len(labels))
        matrices, metrics = found.confusion, found.to_json()
        _tell(found, config)
        owned = _owned(dataset, features, arrays, gate, logits)
    board = tf.summary.create_file_writer(str(folder / run_folder.LOGS / "conclusion"))
    with board.as_default(step=0):
        for name, value in metrics.items():
            if isinstance(value, float):
                tf.summary.scalar(name, value)
        if pictures:
            _draw(folder / run_folder.PICTURES, labels, matrices, found, owned)
    board.close()
    return metrics


def _outputs(
    model: SparseExperts, arrays: Arrays, config: TrainConfig
) -> tuple[np.ndarray | None, np.ndarray]:
    """The gate's probabilities (examples, experts), and logits (experts, examples, labels)."""
    bank = ExpertBank(model.experts)

    def answer(inputs: Arrays, training: bool) -> list[tf.Tensor]:
        outputs = []
        if model.router is not None:
            gate, inputs = asked(model.router, inputs)
            outputs = [gate]
        return [*outputs, tf.transpose(bank(inputs), (1, 0, 2))]

    outputs = predict(answer, arrays)
    if not all(np.isfinite(output).all() for output in outputs):
        # The greatest of NaNs is the first, which would look like an answer.
        raise UsageError(
            "the training diverged: a network answers with numbers that are not finite. Try a "
            f"smaller learning_rate (it is {config.learning_rate}) and mixture_learning_rate "
            f"({config.mixture_learning_rate}) in a --config file, and look into a network of "
            "your own for divisions and logarithms"
        )
    logits = np.swapaxes(outputs[-1], 0, 1)
    return None if model.router is None else insight.softmax(outputs[0]), logits


def _tell(found: insight.Insight, config: TrainConfig) -> None:
    print(insight.as_text(found), file=sys.stderr)
    warning = insight.warning(found, config.to_json())
    if warning:
        print(f"Warning: {warning}.", file=sys.stderr)


def _tell_of_sum(answers: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    found = insight.alone(answers, targets)
    print(
        f"Alone, the best expert is right on {found['best_expert_accuracy']:.4f} of the validation "
        f"examples, some expert on {found['oracle_accuracy']:.4f}",
        file=sys.stderr,
    )
    return {name: round(value, 5) for name, value in found.items()}


def _owned(
    dataset: Dataset, features: Features, arrays: Arrays, gate: np.ndarray, logits: np.ndarray
) -> Owned:
    owner, places = gate.argmax(axis=1), np.arange(len(gate))
    table = dataset.kind == "table"
    return Owned(
        kind=dataset.kind,
        examples=arrays["x"] if table else dataset.validation.inputs,
        columns=column_names(features, arrays["x"].shape[1]) if table else (),
        labels=dataset.labels,
        targets=dataset.validation.targets[: len(gate)],
        owner=owner,
        surety=gate.max(axis=1) * insight.softmax(logits[owner, places]).max(axis=1),
        experts=len(logits),
    )


def _draw(
    folder: Path,
    labels: tuple[str, ...],
    matrices: np.ndarray,
    found: insight.Insight | None,
    owned: Owned | None,
) -> None:
    """The pictures as files, and as summaries of the writer that is the default one."""
    if importlib.util.find_spec("matplotlib") is None:
        # A training of an hour is not thrown away for its pictures.
        print(f"No pictures: {MissingExtraError('matplotlib', 'train')}", file=sys.stderr)
        return
    from .pictures import draw

    for path in draw(folder, labels, matrices, found, owned):
        image = tf.io.decode_png(path.read_bytes(), channels=3)
        tf.summary.image(f"{folder.name}/{path.stem}", image[None])
