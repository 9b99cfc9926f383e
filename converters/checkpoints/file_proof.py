"""Proof of converted files: their outputs beside those of the checkpoint's weights in numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_experts.progress import Progress

from .backends import NumpyOperations
from .file_networks import GATE
from .file_plan import BundlePlan, FilePlan

_ROWS = 2  # that each compared file computes
_COMPARED = 512  # files, at most


@dataclass(frozen=True)
class CheckpointParity:
    """The bundle's files beside the checkpoint's weights.

    Attributes:
        files: number of files, all of which ran on the interpreter.
        compared: number of those whose outputs were compared.
        file_off: largest root mean square of a difference, as a share of the output's own.
    """

    files: int
    compared: int
    file_off: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compared_files(plan: BundlePlan) -> list[str]:
    """Choose the files to compare: all, or all but experts and as many of these, evenly spread."""
    experts = [path for path in plan.files if path.startswith("experts/")]
    others = [path for path in plan.files if not path.startswith("experts/")]
    most = max(1, _COMPARED - len(others))
    if len(experts) > most:
        places = np.linspace(0, len(experts) - 1, most).round().astype(int)
        experts = [experts[place] for place in dict.fromkeys(places.tolist())]
    return [*others, *experts]


def inputs_of(plan: BundlePlan, paths: Iterable[str]) -> dict[str, np.ndarray]:
    """Draw rows for each file, (rows, inputs) float32, by path."""
    random = np.random.default_rng(0)
    return {
        path: random.normal(size=(_ROWS, plan.files[path].network.inputs)).astype(np.float32)
        for path in paths
    }


def expected_outputs(plan: BundlePlan, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute the first output of each file from the checkpoint's weights in float32, by path."""
    found = {}
    with Progress("Computing the checkpoint's own outputs", len(given)) as progress:
        for path, rows in given.items():
            found[path] = expected(plan.files[path], rows)
            progress.step(path)
    return found


def expected(file: FilePlan, rows: np.ndarray) -> np.ndarray:
    """Compute one file's first output for rows (rows, inputs)."""
    weights, values = file.network.weights, file.parameters
    parameters = {
        name: one if name in weights else one.read().reshape(-1) for name, one in values.items()
    }
    made: Any = file.network.compute(NumpyOperations(), parameters, rows)
    output: np.ndarray = made[GATE] if isinstance(made, dict) else made
    return output
