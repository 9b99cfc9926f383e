"""Answers and latency of ONNX Runtime, measured in a separate process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from edge_experts.benchmarking import onnx

from .forms import FLOAT, FORMS

_TIMED, _ROUNDS = 100, 5


@dataclass(frozen=True)
class OnnxAnswers:
    """Answers of the files, and their latency.

    Attributes:
        fastest: the quantized file that answers faster on this machine.
        microseconds: the median answer of each.
        outputs: of `fastest` for the test inputs, (examples, labels).
        float_outputs: of the network before quantization.
    """

    fastest: str
    microseconds: dict[str, float]
    outputs: np.ndarray
    float_outputs: np.ndarray


def prove(folder: Path) -> OnnxAnswers:
    """Time the quantized files in turn, and run the faster one and the float one on all inputs.

    The baseline must be as fast as possible: which form is faster differs between networks, by up
    to twenty times.

    Args:
        folder: with the files, and test.npz: inputs by name.
    """
    test = dict(np.load(folder / "test.npz"))
    count = len(next(iter(test.values())))
    asked = {name: onnx.session(folder / name) for name in (FLOAT, *FORMS)}
    rows = [_row(test, row) for row in range(min(_TIMED, count))]
    times: dict[str, list[float]] = {name: [] for name in FORMS}
    for turn in range(1 + _ROUNDS):
        for name, kept in times.items():
            taken = [_microseconds(asked[name], row) for row in rows]
            if turn:  # the first round is the warm-up
                kept.append(float(np.median(taken)))
    medians = {name: float(np.median(kept)) for name, kept in times.items()}
    fastest = min(medians, key=medians.__getitem__)
    outputs = {
        name: np.stack([asked[name](_row(test, row)).ravel() for row in range(count)])
        for name in (FLOAT, fastest)
    }
    return OnnxAnswers(
        fastest=fastest,
        microseconds={name: round(value, 2) for name, value in medians.items()},
        outputs=outputs[fastest],
        float_outputs=outputs[FLOAT],
    )


def _row(inputs: dict[str, np.ndarray], place: int) -> dict[str, np.ndarray]:
    return {name: array[place : place + 1] for name, array in inputs.items()}


def _microseconds(ask: onnx.Ask, row: dict[str, np.ndarray]) -> float:
    start = perf_counter_ns()
    ask(row)
    return (perf_counter_ns() - start) / 1000
