"""A stream through a bundle's C source, its files run by the real TensorFlow Lite Micro.

`python -m tests.host.micro_stream BUNDLE LIBRARY GIVEN.npz`, in a separate process, without
TensorFlow. GIVEN has `samples` of sound, or `rows` and `times` of a sensor. Prints JSON: a label
and a score for each window of rows, or place, label and score of each detection.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.format.manifest_parser import read_manifest

from .micro_answers import Dispatch, pointer

_STATE = 2**18  # bytes, more than any state here


def detections(
    c: Dispatch, labels: tuple[str, ...], samples: np.ndarray
) -> Iterator[tuple[int, str, float]]:
    state, score = ctypes.create_string_buffer(_STATE), ctypes.c_float()
    x = np.empty(c.inputs, np.float32)
    c.c.edge_experts_listen(state)
    for place, sample in enumerate(samples.tolist(), 1):
        if c.c.edge_experts_hear(state, ctypes.c_int16(sample), pointer(x)):
            scores = c.ask(x).scores
            label = c.c.edge_experts_detect(state, scores, ctypes.byref(score))
            if label >= 0:
                yield place, labels[label], score.value


def windows(
    c: Dispatch, labels: tuple[str, ...], rows: np.ndarray, times: np.ndarray
) -> Iterator[tuple[str, float]]:
    state, x = ctypes.create_string_buffer(_STATE), np.empty(c.inputs, np.float32)
    for row, time in zip(np.ascontiguousarray(rows, np.float32), times.tolist(), strict=True):
        assert c.c.edge_experts_push(state, pointer(row), ctypes.c_double(time)) == 0
        while c.c.edge_experts_next(state, pointer(x)):
            answer = c.ask(x)
            yield labels[answer.label], answer.score


def main(bundle: Path, library: Path, given: Path) -> None:
    manifest, arrays = read_manifest(bundle), dict(np.load(given))
    inputs = int(np.prod(manifest.features.config["shape"]))
    c = Dispatch(library, len(manifest.experts), len(manifest.labels), inputs)
    found: Iterator[Any]
    if "samples" in arrays:
        found = detections(c, manifest.labels, arrays["samples"])
    else:
        found = windows(c, manifest.labels, arrays["rows"], arrays["times"])
    print(json.dumps(list(found)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
