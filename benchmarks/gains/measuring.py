"""Trains the default experts and the dense network of equal active size on a public set."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from edge_experts import datasets, run_folder
from edge_experts.datasets import Dataset
from edge_experts.keras_setup import import_keras

import_keras()

import tf_keras  # noqa: E402

from edge_experts.experiments.comparison.contenders import (  # noqa: E402
    CONTENDERS,
    DENSE_ACTIVE,
    SPARSE,
)
from edge_experts.experiments.comparison.making import Maker  # noqa: E402
from edge_experts.experiments.tasks import ModelResult, comparison_of  # noqa: E402
from edge_experts.training.default_settings import config_of  # noqa: E402

from .measurement_records import Measurement, TrainedModel, code_digest  # noqa: E402


def measure(
    name: str, kind: str, file: Path, seed: int, folder: Path, deployed: bool
) -> Measurement:
    """Measure one set by one seed.

    The seed also draws the validation rows, as `train --seed` does. Where the recipe has a teacher,
    both models learn from the same one.

    Args:
        folder: of the runs; one that a killed program left is used, and it is deleted at the end.
        deployed: convert both to int8 and run them, instead of the Keras models.
    """
    dataset = datasets.load(str(file), seed)
    task = comparison_of(dataset, "gains")
    maker = Maker(
        dataset,
        {"name": name, "sha256": dataset.fingerprint()},
        folder,
        folder,
        config_of(dataset, seed=seed),
        "int8",
        task,
    )
    maker.prepare(force=False)
    models, outcomes = {}, {}
    for row in (SPARSE, DENSE_ACTIVE):
        begin = time.monotonic()
        maker.make_run(CONTENDERS[row])
        seconds = time.monotonic() - begin
        outcomes[row] = _outcome(maker, row, dataset, deployed)
        run = run_folder.read_run(maker.run_of(CONTENDERS[row]))
        models[row] = TrainedModel(
            score=outcomes[row].scores[task.score],
            experts=run.experts,
            macs=round(run.metrics["macs"]["active"]),
            seconds=round(seconds, 1),
        )
        tf_keras.backend.clear_session()
    losses = np.subtract(outcomes[DENSE_ACTIVE].losses, outcomes[SPARSE].losses)
    shutil.rmtree(folder)
    return Measurement(
        name=name,
        kind=kind,
        seed=seed,
        code=code_digest(),
        deployed=deployed,
        train_rows=len(dataset.train) + len(dataset.validation),
        test_rows=len(dataset.test),
        sparse=models[SPARSE],
        dense=models[DENSE_ACTIVE],
        losses=tuple(float(f"{loss:.4g}") for loss in losses),
    )


def _outcome(maker: Maker, row: str, dataset: Dataset, deployed: bool) -> ModelResult:
    contender = CONTENDERS[row]
    if not deployed:
        return maker.float_outcome(contender)
    maker.deploy(contender)
    return maker.task.answered(maker.deployed_of(contender), dataset)
