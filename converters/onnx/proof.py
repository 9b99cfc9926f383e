"""What ONNX Runtime answers and how long it takes, measured in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

import numpy as np

from edge_experts.benchmarking import onnx

from .forms import FLOAT, FORMS

_TIMED, _ROUNDS = 100, 5


@dataclass(frozen=True)
class Proof:
    """How the files do.

    Attributes:
        fastest: the quantized file that answers sooner on this machine.
        microseconds: the median answer of each.
        accuracy: of `fastest`, on the test inputs.
        float_accuracy: of the network before quantization.
    """

    fastest: str
    microseconds: dict[str, float]
    accuracy: float
    float_accuracy: float
    examples: int


def prove(folder: Path) -> Proof:
    """Time the quantized files in turn, and ask the faster one, and the float one, everything.

    A rival that is made slower than it need be would be no rival: which form is the faster differs
    from network to network, by up to twenty times.

    Args:
        folder: with the files, and test.npz: targets, and inputs by name.
    """
    test = dict(np.load(folder / "test.npz"))
    targets = test.pop("targets")
    asked = {name: onnx.session(folder / name) for name in (FLOAT, *FORMS)}
    rows = [_row(test, row) for row in range(min(_TIMED, len(targets)))]
    times: dict[str, list[float]] = {name: [] for name in FORMS}
    for turn in range(1 + _ROUNDS):
        for name, kept in times.items():
            taken = [_microseconds(asked[name], row) for row in rows]
            if turn:  # the first round warms up
                kept.append(float(np.median(taken)))
    medians = {name: float(np.median(kept)) for name, kept in times.items()}
    fastest = min(medians, key=medians.__getitem__)
    right = dict.fromkeys((FLOAT, fastest), 0)
    for place, target in enumerate(targets):
        row = _row(test, place)
        for name in right:
            right[name] += int(asked[name](row).argmax() == target)
    return Proof(
        fastest=fastest,
        microseconds={name: round(value, 2) for name, value in medians.items()},
        accuracy=right[fastest] / len(targets),
        float_accuracy=right[FLOAT] / len(targets),
        examples=len(targets),
    )


def _row(inputs: dict[str, np.ndarray], place: int) -> dict[str, np.ndarray]:
    return {name: array[place : place + 1] for name, array in inputs.items()}


def _microseconds(ask: onnx.Ask, row: dict[str, np.ndarray]) -> float:
    start = perf_counter_ns()
    ask(row)
    return (perf_counter_ns() - start) / 1000
