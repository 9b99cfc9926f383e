"""Outputs of experts that return one row of numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...runtime import ExpertRuntime
from ...runtime.interpreter import Delegate


def record(
    runtime: ExpertRuntime, arrays: Mapping[str, np.ndarray], delegate: Delegate
) -> dict[str, np.ndarray]:
    """Record by name: the gate, (examples, experts), the expert, and its output."""
    seen: list[tuple[np.ndarray | None, np.ndarray]] = []
    runtime.observer = lambda gate, output: seen.append((gate, output))
    experts = runtime.predict_arrays(arrays).experts
    gates = [gate for gate, _ in seen if gate is not None]
    output = np.array([output for _, output in seen])
    return {"gate": np.array(gates), "expert": experts, "output": output}
