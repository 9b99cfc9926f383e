"""Anomaly detection: experts reconstruct inputs, and their errors are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..bare import Files
from .recording import record as record

AGREEMENT = "edge_experts.benchmarking.expected"


def reference_loop(files: Files) -> Callable[[Any], float]:
    encode, router, experts = files.features.encode, files.router, files.experts
    spec = files.manifest.task_spec
    assert spec is not None
    errors = np.array(spec.config["errors"], np.float32)
    thresholds = np.array(spec.config["thresholds"], np.float32)

    def answer(example: Any) -> float:
        arrays = encode(example)
        pick = int(router(arrays)[0].argmax()) if router else 0
        apart = (arrays["x"].reshape(-1) - experts[pick](arrays)[0][0]) / errors[pick]
        return float(np.sqrt((apart**2).mean()) / thresholds[pick])

    return answer


def spelled(files: Files, answer: float) -> str:
    return "normal" if answer <= 1 else "anomalous"


def choices(recorded: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return no choices, (examples, 0): an output is compared as a number."""
    return np.empty((len(recorded["output"]), 0), int)
