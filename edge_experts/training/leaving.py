"""Output of a training for conversion: the files of a run folder."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from .. import run_folder
from ..datasets import Dataset, Split
from ..datasets.row_hashes import trained_rows
from ..features import Features
from ..format.manifest import TaskSpec
from ..format.trained_rows import MOST_ROWS

CALIBRATION_ROWS = 300  # of the examples to train on, the first: they calibrate int8 files
KEPT_EXAMPLES = {"train": 2000, "validation": 5000, "test": 10000}


def leave(
    folder: Path,
    model: tf_keras.Model,
    features: Features,
    dataset: Dataset,
    *,
    name: str,
    seed: int,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    origin: str | None = None,
    task_spec: TaskSpec | None = None,
    given: Dataset | None = None,
) -> run_folder.Run:
    """Write a run folder's files.

    Args:
        model: has `experts`, `combine` and `top_k`.
        seed: seed of the sample of examples in the folder.
        origin: origin of the data and the networks; that of the data set by default.
        task_spec: None for classification and translation.
        given: the data set whose rows are recorded as trained; `dataset` by default.
    """
    model.save(folder / run_folder.MODEL)
    run_folder.write_features(folder, features)
    run_folder.write_examples(folder, features, _kept(dataset, seed))
    if len(dataset.train) + len(dataset.validation) <= MOST_ROWS:
        run_folder.write_trained_rows(folder, [trained_rows(features, given or dataset).to_bytes()])
    run = run_folder.Run(
        name=name,
        task=dataset.task,
        labels=dataset.labels,
        combine=model.combine,
        top_k=model.top_k,
        experts=len(model.experts),
        origin=origin or dataset.origin,
        feature_kind=features.kind,
        feature_settings=features.settings,
        config=dict(config),
        metrics=dict(metrics),
        versions=versions(),
        task_spec=task_spec,
        columns=dataset.columns.to_json() or None,
    )
    run.write(folder)
    return run


def versions() -> dict[str, str]:
    packages = ("edge-experts", "tensorflow", "tf-keras", "numpy")
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }


def _kept(dataset: Dataset, seed: int) -> dict[str, Split]:
    """Sample of every split in random order, so that a conversion needs the run folder only.

    The first examples are the calibration set. In the order of the data, with rising prices or
    sorted labels, they would not be representative.
    """
    random = np.random.default_rng(seed)
    kept = {}
    for name, most in KEPT_EXAMPLES.items():
        split: Split = getattr(dataset, name)
        rows = random.permutation(len(split))[:most]
        kept[name] = Split([split.inputs[row] for row in rows], split.targets[rows])
    return kept
