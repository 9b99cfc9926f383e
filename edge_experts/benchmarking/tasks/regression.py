"""Regression: experts output standardized values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...format.manifest import TRUNK
from ..bare import Files
from .recording import record as record

AGREEMENT = "edge_experts.benchmarking.expected"


def reference_loop(files: Files) -> Callable[[Any], np.ndarray]:
    encode, router, experts = files.features.encode, files.router, files.experts
    spec = files.manifest.task_spec
    assert spec is not None
    mean, scale = (np.array(spec.config[key], np.float32) for key in ("mean", "scale"))

    def answer(example: Any) -> np.ndarray:
        arrays = encode(example)
        pick = 0
        if router:
            gate, *trunk = router(arrays)
            pick = int(gate.argmax())
            if trunk:
                arrays[TRUNK] = trunk[0]
        values: np.ndarray = experts[pick](arrays)[0][0] * scale + mean
        return values

    return answer


def spelled(files: Files, answer: np.ndarray) -> str:
    told = [f"{one:.7g}" for one in answer.tolist()]
    if len(told) == 1:
        return told[0]
    names = files.manifest.labels
    return ", ".join(f"{name} {one}" for name, one in zip(names, told, strict=True))


def choices(recorded: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return no choices, (examples, 0): an output is compared as a number."""
    return np.empty((len(recorded["output"]), 0), int)
