"""Multi-label classification: experts output a logit of each label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...format.manifest import TRUNK
from ...runtime.tasks.multi_label import NONE, SEPARATOR, thresholds_of
from ..bare import Files
from .recording import record as record

AGREEMENT = "edge_experts.benchmarking.expected"


def reference_loop(files: Files) -> Callable[[Any], str]:
    encode, router, experts = files.features.encode, files.router, files.experts
    labels, thresholds = files.manifest.labels, thresholds_of(files.manifest)

    def answer(example: Any) -> str:
        arrays = encode(example)
        pick = 0
        if router:
            gate, *trunk = router(arrays)
            pick = int(gate.argmax())
            if trunk:
                arrays[TRUNK] = trunk[0]
        present = 1 / (1 + np.exp(-experts[pick](arrays)[0][0])) >= thresholds
        return SEPARATOR.join(labels[place] for place in present.nonzero()[0]) or NONE

    return answer


def spelled(files: Files, answer: str) -> str:
    return answer


def choices(recorded: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return no choices, (examples, 0): an output is compared as numbers."""
    return np.empty((len(recorded["output"]), 0), int)
