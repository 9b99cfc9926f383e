"""Classification: experts output logits of labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...format.manifest import TRUNK
from ..bare import Files
from .recording import record as record

AGREEMENT = "edge_experts.benchmarking.expected"


def reference_loop(files: Files) -> Callable[[Any], str]:
    encode, router, experts = files.features.encode, files.router, files.experts
    labels = files.manifest.labels

    def answer(example: Any) -> str:
        arrays = encode(example)
        pick = 0
        if router:
            gate, *trunk = router(arrays)
            pick = int(gate.argmax())
            if trunk:
                arrays[TRUNK] = trunk[0]
        label: str = labels[experts[pick](arrays)[0].argmax()]
        return label

    return answer


def spelled(files: Files, answer: str) -> str:
    return answer


def choices(recorded: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the indices of labels, (examples,)."""
    places: np.ndarray = recorded["output"].argmax(axis=1)
    return places
