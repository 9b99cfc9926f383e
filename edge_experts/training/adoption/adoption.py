"""Conversion of trained networks and data to a run folder, without a training."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import run_folder
from ...datasets import Dataset, Split
from ...errors import DataError, UsageError
from ...features import (
    ArrayFeatures,
    Features,
    PhotoFeatures,
    SoundFeatures,
    TableFeatures,
    TokenFeatures,
    encode_all,
)
from ...format.atomic import refuse_existing, staged
from .. import cost
from ..encoding import fit_features
from ..leaving import leave
from ..model import SparseExperts
from ..networks import Shapes, user_networks
from ..objectives.routed_task import RoutedTask
from ..report.reporting import expert_usage
from ..saved_networks import keras_file
from ..tasks import training_of
from . import checkpoint_files
from .endings import OF_OUTPUTS, SOFTMAX
from .fitted import fitted, refuse_changed, table_rows

_COMPARED = 64  # examples on which the answers of a network are compared


def adopt(
    networks: str | Path,
    dataset: Dataset,
    out: str | Path,
    *,
    standardize: bool = False,
    combine: str = "top",
    labels: Sequence[str] | None = None,
    seed: int = 0,
    name: str | None = None,
    force: bool = False,
) -> run_folder.Run:
    """Write the run folder `out` with trained networks.

    `convert`, `evaluate` and other commands treat it like any run folder. The networks keep their
    weights. Each gets one input called `x`, and a softmax at its end, or a sigmoid of several
    labels, is removed, because the runtime computes it. Its answers are checked to be unchanged on
    examples.

    Args:
        networks: a folder with `experts/*.keras` or `expert_*.keras`, in the order of their names
            and numbers, and `router.keras`, whose outputs are in that order; or the file of one
            network. Files of Keras 3 are rebuilt in tf_keras.
        dataset: training examples for the calibration of a conversion, validation examples for its
            comparison with Keras, and test examples for the accuracy.
        standardize: standardize inputs by the training examples, as `train` does. Otherwise numbers
            are unchanged.
        combine: "top", or "sum" for experts whose outputs are added, without a router.
        labels: the data's labels in the order of the networks' outputs; sorted by default.
        seed: seed of the samples of the data in the run folder.
        name: name of the bundle; that of the folder or file by default.

    Raises:
        UsageError: a file is not supported, or does not fit the others or the data.
        DataError: the data has texts, another task, or other labels.
    """
    networks, out = Path(networks), Path(out)
    refuse_existing(out, force=force)
    task = training_of(dataset.task_type).adopted(dataset)
    found = checkpoint_files.find(networks)
    _refuse_without_router(networks, found, combine)
    if labels is not None:
        dataset = _in_order(task, dataset, labels)
        task = training_of(dataset.task_type).adopted(dataset)
    read = {
        path: keras_file.read(path) for path in (found.router, *found.experts) if path is not None
    }
    features = _features(dataset, read, standardize)
    data = {
        split: encode_all(features, getattr(dataset, split).inputs)
        for split in ("validation", "test")
    }
    x = data["validation"]["x"]
    shapes = Shapes(
        dataset.kind,
        {"x": (x.shape[1:], str(x.dtype))},
        len(dataset.labels),
        features.settings,
    )
    ours = {}
    for path, network in read.items():
        is_router = path == found.router
        ending = SOFTMAX if is_router else OF_OUTPUTS[task.output_kind]
        made = fitted(network, path, x.shape[1:], str(x.dtype), ending)
        outputs = (len(found.experts), "expert") if is_router else None
        user_networks.checked(made, str(path), shapes, outputs)
        refuse_changed(network, made, x[:_COMPARED], path, ending)
        ours[path] = made
    router = None if found.router is None else ours[found.router]
    model = SparseExperts(router, [ours[path] for path in found.experts], combine=combine)
    task = task.fitted(model, data, dataset)
    metrics = _metrics(model, task, dataset, data)
    _warn(task, dataset, metrics[f"test_{task.primary}"])
    with staged(out, force=force) as folder:
        return leave(
            folder,
            model,
            features,
            dataset,
            name=name or (networks.stem if networks.is_file() else networks.resolve().name),
            seed=seed,
            config={"seed": seed, "experts": len(model.experts), "adopted": networks.name},
            metrics=metrics,
            origin=f"{dataset.origin}; networks trained elsewhere, {networks.name}",
            task_spec=task.task_spec,
        )


def _refuse_without_router(folder: Path, found: checkpoint_files.Found, combine: str) -> None:
    if combine == "sum" and found.router is not None:
        raise UsageError(f"{found.router}: experts that are summed have no router; remove it")
    if combine == "top" and len(found.experts) > 1 and found.router is None:
        raise UsageError(
            f"{folder}: {len(found.experts)} experts and no router.keras; "
            "add one with an output for each expert, or use --combine sum to add their outputs"
        )
    if found.router is not None and len(found.experts) == 1:
        raise UsageError(f"{found.router}: there is one expert only; remove the router")


def _in_order(task: RoutedTask, dataset: Dataset, labels: Sequence[str]) -> Dataset:
    """Reorder the data's labels to the order of the networks' outputs."""
    if sorted(labels) != sorted(dataset.labels):
        raise DataError(
            f"{dataset.name}: --labels must be {', '.join(dataset.labels)} in the order of the "
            f"networks' outputs, got {', '.join(labels)}"
        )

    def renumbered(split: Split) -> Split:
        targets = task.matched(dataset.name, dataset.labels, split.targets, list(labels))
        return Split(split.inputs, targets)

    return replace(
        dataset,
        labels=tuple(labels),
        train=renumbered(dataset.train),
        validation=renumbered(dataset.validation),
        test=renumbered(dataset.test),
    )


def _features(dataset: Dataset, networks: dict[Path, Any], standardize: bool) -> Features:
    """Ids unchanged; other numbers unchanged or standardized."""
    if dataset.kind == "text":
        raise DataError(
            f"{dataset.name}: holds texts, and the encoding of texts for adopted networks is not "
            "known; give an .npz of token ids, x_train of whole numbers (examples, "
            "length), or train with --model"
        )
    train = dataset.train.inputs
    tables = [rows for network in networks.values() if (rows := table_rows(network)) is not None]
    if tables and isinstance(train, np.ndarray):
        return TokenFeatures(train.shape[1:], min(tables), contract=True)
    if standardize:
        return fit_features(dataset)
    if dataset.resizing is not None and isinstance(train, np.ndarray):
        return PhotoFeatures.of_photos(train, dataset.resizing, scale=(0.0, 1.0))
    if dataset.log_mel is not None and isinstance(train, np.ndarray):
        return SoundFeatures.of_windows(train, dataset.log_mel, standardize=False)
    if isinstance(train, np.ndarray):
        return ArrayFeatures.scaled(train, (0.0, 1.0), kind=dataset.kind)
    return TableFeatures.unscaled(train, dataset.types)


def _answers(model: SparseExperts, inputs: Any) -> np.ndarray:
    answers: np.ndarray = model.predict(inputs, batch_size=1024, verbose=0)
    return answers


def _metrics(
    model: SparseExperts, task: RoutedTask, dataset: Dataset, data: dict[str, Any]
) -> dict[str, Any]:
    scores = {
        f"{split}_{name}": value
        for split, inputs in data.items()
        for name, value in task.scores(
            _answers(model, inputs), getattr(dataset, split).targets
        ).items()
    }
    return {
        **scores,
        "expert_usage": expert_usage(model, data["validation"]),
        "macs": cost.active(model),
        "parameters": int(model.count_params()),
    }


def _warn(task: RoutedTask, dataset: Dataset, score: float) -> None:
    """Warn if one answer for all examples scores as much: inputs or labels may differ."""
    same = task.same_answer_score(dataset.test.targets)
    if score <= same:
        print(
            f"Warning: the {task.primary_words} on test examples is {score:.4f}, and "
            f"{same:.4f} with the same answer for all. Are the labels "
            f"({', '.join(dataset.labels[:10])}) in the order of the networks' outputs (--labels), "
            "and were the networks trained on standardized inputs (--standardize)?",
            file=sys.stderr,
        )
