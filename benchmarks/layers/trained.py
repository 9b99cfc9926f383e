"""A case as `--model` and as `--router-model`: trained, converted, and compared with Keras."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import tf_keras
from edge_experts.converters.trial import ConversionTrial, TrialProcesses, TriedConversion

from edge_experts import run_folder
from edge_experts.features import encode_all
from edge_experts.format.manifest import ROUTER, expert_path
from edge_experts.training import train
from edge_experts.training.default_settings import config_for
from edge_experts.training.model_files import load_model

from .cases import Case
from .matrix_data import dataset
from .outcome import Outcome, attempt

WAYS: Mapping[str, str] = {"--model": expert_path(0), "--router-model": ROUTER}
SETTINGS = {"epochs": 1, "choice_epochs": 0, "tune_epochs": 0, "warm_epochs": 0, "trunk": False}
NO_INT8 = re.compile(r"cannot be converted to int8, the default: (.*); convert with")
_LOOP = re.compile(r"called one after the other \((.*)\); each")
_ASKED = 12  # examples


def trained(
    case: Case, ways: Sequence[str], folder: Path, processes: TrialProcesses
) -> list[Outcome]:
    """Train the case as expert and router at once; where that is refused, each on its own."""
    together = _attempt(case, tuple(ways), folder / "all.run", processes)
    if len(ways) == 1 or together[0].outcome != "refused":
        return together
    return [
        outcome
        for number, way in enumerate(ways)
        for outcome in _attempt(case, (way,), folder / f"{number}.run", processes)
    ]


def _attempt(
    case: Case, ways: tuple[str, ...], run: Path, processes: TrialProcesses
) -> list[Outcome]:
    found = attempt(case.name, ways[0], partial(_trained, case, ways, run, processes))
    share = round(found.seconds / len(ways), 2)
    return [replace(found, way=way, seconds=share) for way in ways]


def _trained(case: Case, ways: tuple[str, ...], run: Path, processes: TrialProcesses) -> Outcome:
    data = dataset(case.data)
    begun: list[bool] = []
    trial = ConversionTrial()

    def tried(*arguments: Any) -> None:
        trial.run(*arguments, processes)
        begun.append(True)  # an error from here on is late

    networks: dict[str, Callable[..., Any]] = {
        "--model": lambda shapes: _network(case, shapes, shapes.labels),
        "--router-model": lambda shapes, experts: _network(case, shapes, experts),
    }
    settings: dict[str, Any] = {
        way.removeprefix("--").replace("-", "_"): networks[way] for way in ways
    }
    config = config_for(data.kind, experts=2, teacher_epochs=0, trial=tried, **SETTINGS, **settings)
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            train(data, run, config, pictures=False)
        no_int8 = NO_INT8.search(told.getvalue())
        failed = failure_after(run, {WAYS[way]: way for way in ways}, trial.recipe, processes)
    except Exception as error:  # the matrix is there to find them
        if begun:
            return Outcome(case.name, ways[0], "late", f"{type(error).__name__}: {error}"[:400])
        raise
    if failed:
        return Outcome(case.name, ways[0], "late", failed)
    loop = _LOOP.search(told.getvalue())
    return Outcome(
        case.name,
        ways[0],
        "falls back" if loop else "works",
        loop[1] if loop else "",
        no_int8[1] if no_int8 else "works",
    )


def failure_after(
    run: Path, options: Mapping[str, str], recipe: str, processes: TrialProcesses
) -> str:
    """Convert the trained networks of a run as `train` says, and run them; return a failure.

    Args:
        options: name of each network to convert, by its path in a bundle.
    """
    described = run_folder.read_run(run)
    features = run_folder.read_features(run, described)
    examples = run_folder.read_examples(run, features)["train"].inputs[:_ASKED]
    model = load_model(run / run_folder.MODEL)
    folder = run / "converted"
    folder.mkdir()
    converted = TriedConversion(folder, model, encode_all(features, examples), options, processes)
    found = converted.failures((recipe,))
    return next((f"{file.path}, {file.recipe}: {why}" for file, why in found.items()), "")


def _network(case: Case, shapes: Any, outputs: int) -> Any:
    return case.network(tf_keras, shapes.keras_inputs(), outputs)
