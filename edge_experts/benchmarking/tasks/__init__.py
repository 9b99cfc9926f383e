"""Measurements that differ between tasks: reference loops, and answers expected to the bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from ...registry import Registry
from ...runtime import ExpertRuntime
from ...runtime.interpreter import Delegate
from ..bare import Files

MEASUREMENTS = Registry(
    "edge_experts.measurements",
    {
        "classification": f"{__name__}.classification",
        "translation": f"{__name__}.translation",
        "regression": f"{__name__}.regression",
        "language-model": f"{__name__}.language_model",
        "multi-label": f"{__name__}.multi_label",
        "anomaly": f"{__name__}.anomaly",
    },
)


class Measurements(Protocol):
    """Interface of one task's module.

    Attributes:
        AGREEMENT: module that compares answers of two machines, run with `--data` and `--out` on
            one of them and `--check` on the other.
    """

    AGREEMENT: str

    def reference_loop(self, files: Files) -> Callable[[Any], Any]:
        """Create the shortest function from an example to its answer, which is timed.

        Only for bundles that run one expert.
        """

    def spelled(self, files: Files, answer: Any) -> str:
        """Format an answer of that loop as a text, as `Answer.text` does."""

    def record(
        self, runtime: ExpertRuntime, arrays: Mapping[str, np.ndarray], delegate: Delegate
    ) -> dict[str, np.ndarray]:
        """Record all outputs of the models for encoded examples, by name, (examples, ...).

        The runtime was opened with the delegate.

        They include `expert`, and `output` or `chances`, numbers that kernels may round
        differently; `gate` if there is a router; and `bits`, a digest, if these are not all
        outputs.
        """

    def choices(self, recorded: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the choices in a record as integers, such as labels, (examples, ...)."""


def measurements_of(name: str) -> Measurements:
    """Return the module of a task by its name.

    Raises:
        MissingPartError: no installed package provides it.
    """
    found: Measurements = MEASUREMENTS.get(name)
    return found
