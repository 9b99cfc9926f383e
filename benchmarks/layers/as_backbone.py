"""A case as `--backbone`: converted with a gate, whose experts are trained on its features."""

from __future__ import annotations

import contextlib
import io
from functools import partial
from pathlib import Path
from typing import Any

import tf_keras
from edge_experts.converters.trial import ConversionTrial, TrialProcesses

from edge_experts.training import train
from edge_experts.training.default_settings import config_of

from .cases import DATA, Case
from .matrix_data import LABELS, dataset
from .outcome import Outcome, attempt
from .trained import NO_INT8, SETTINGS

_COLUMN = ("row", "ids")  # a backbone takes no tables; these become windows of one channel


def on_backbone(case: Case, folder: Path, processes: TrialProcesses) -> Outcome:
    """Save a case's network, and train a gate and experts on its features."""
    return attempt(case.name, "--backbone", partial(_on_backbone, case, folder, processes))


def _on_backbone(case: Case, folder: Path, processes: TrialProcesses) -> Outcome:
    path, run = folder / "backbone.keras", folder / "backbone.run"
    _save(case, path)
    begun: list[bool] = []
    trial = ConversionTrial()

    def tried(*arguments: Any) -> None:
        trial.run(*arguments, processes)
        begun.append(True)  # an error from here on is late

    data = dataset(case.data, column=case.data in _COLUMN)
    config = config_of(
        data,
        backbone=str(path),
        backbone_input="unchanged",
        experts=2,
        trial=tried,
        augment=False,
        **SETTINGS,
    )
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            train(data, run, config, pictures=False)
        no_int8 = NO_INT8.search(told.getvalue())
    except Exception as error:  # the matrix is there to find them
        if begun:
            reason = f"{type(error).__name__}: {error}"[:400]
            return Outcome(case.name, "--backbone", "late", reason)
        raise
    # The trial converted the backbone with its gate, and only the gate has been trained since.
    return Outcome(case.name, "--backbone", "works", int8=no_int8[1] if no_int8 else "works")


def _save(case: Case, path: Path) -> None:
    shape = DATA[case.data]
    if case.data in _COLUMN:
        inputs = tf_keras.Input((*shape, 1), name="x")
        network = case.network(
            tf_keras, {"x": tf_keras.layers.Reshape(shape)(inputs)}, LABELS, inputs
        )
    else:
        inputs = tf_keras.Input(shape, name="x")
        network = case.network(tf_keras, {"x": inputs}, LABELS)
    network.save(path)
