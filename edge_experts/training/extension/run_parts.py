"""Parts of a run and of new data that training further starts from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tf_keras

from ... import run_folder
from ...datasets import Dataset, Split
from ...errors import DataError, RunFolderError, UsageError
from ...features import Features, encode_all
from ..backbone import features
from ..leaving import KEPT_EXAMPLES
from ..model import SparseExperts
from ..model_files import load_model
from ..objectives.routed_task import RoutedTask
from .teaching import Part

SPLITS = tuple(KEPT_EXAMPLES)


def fitting(
    task: RoutedTask, dataset: Dataset, run: Path, earlier: run_folder.Run
) -> dict[str, Split]:
    """Splits of the data, with the run's labels or outputs.

    Raises:
        DataError: the data has another kind or task, or labels that the run does not have.
    """
    if dataset.task_type != earlier.task_type:
        raise DataError(
            f"{dataset.name}: its targets are for {dataset.task_type}, and {run} was trained for "
            f"{earlier.task_type}; extend it with data of the same task"
        )
    kind = "array" if isinstance(dataset.train.inputs, np.ndarray) else "table"
    kind = dataset.kind if dataset.kind in ("text", "photo", "sound") else kind
    fitting = {kind, "tokens"} if kind == "array" else {kind}
    if earlier.feature_kind not in fitting:
        raise DataError(
            f"{dataset.name}: its examples are of kind {dataset.kind!r}, read as {kind!r}, and "
            f"those of {run} as {earlier.feature_kind!r}; extend it with data of the same kind"
        )
    splits = {name: getattr(dataset, name) for name in SPLITS}
    return {
        name: Split(
            split.inputs,
            task.matched(dataset.name, dataset.labels, split.targets, earlier.labels),
        )
        for name, split in splits.items()
    }


def encoded(used: Features, splits: Mapping[str, Split], name: str, run: Path) -> dict[str, Part]:
    try:
        return {
            split: Part(encode_all(used, examples.inputs), examples.targets)
            for split, examples in splits.items()
        }
    except UsageError as error:
        raise DataError(
            f"{name}: does not fit {run}: {error}; give its examples the shape or the columns "
            "that the run was trained with"
        ) from None


def features_of(body: tf_keras.Model, parts: Mapping[str, Part]) -> dict[str, Part]:
    """Parts whose inputs are the features of a backbone."""
    return {
        split: Part(features.features_of(body, part.inputs, f"Features, {split}"), part.targets)
        for split, part in parts.items()
    }


def read_model(run: Path) -> SparseExperts:
    try:
        return load_model(run / run_folder.MODEL)
    except UsageError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(
            f"{run / run_folder.MODEL}: cannot be loaded ({error}); train again"
        ) from None


def digest(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
