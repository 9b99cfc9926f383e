"""Measurements that differ between tasks: the reference loop, and answers expected to the bit."""

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
    },
)


class Measurements(Protocol):
    """Module of one task."""

    def reference_loop(self, files: Files) -> Callable[[Any], Any]:
        """The shortest function from an example to its answer, which is timed.

        Only for bundles that ask one expert.
        """

    def spelled(self, files: Files, answer: Any) -> str:
        """An answer of that loop as a text, as `Answer.text` has it."""

    def record(
        self, runtime: ExpertRuntime, arrays: Mapping[str, np.ndarray], delegate: Delegate
    ) -> dict[str, np.ndarray]:
        """Everything that models give for encoded examples, by name, (examples, ...).

        The runtime was opened with the delegate.

        Among it `expert`, and `output` or `chances`, the numbers that kernels may round otherwise;
        `gate` where there is a router; and `bits`, a digest, where that is not everything.
        """

    def choices(self, recorded: Mapping[str, np.ndarray]) -> np.ndarray:
        """The choices in a record as whole numbers, such as labels, (examples, ...)."""


def measurements_of(name: str) -> Measurements:
    """The module of a task by its name.

    Raises:
        MissingPartError: no installed package has it.
    """
    found: Measurements = MEASUREMENTS.get(name)
    return found
