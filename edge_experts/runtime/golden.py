"""Golden examples: inputs with the answers that a bundle was published with.

A device that gives the same answers has the right files, the right features and an interpreter that
computes correctly. Integer kernels of different processors may differ in the last bits, hence a
tolerance; the examples were selected for clear answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BundleError, GoldenError, UsageError
from ..features import Features, read_features
from ..features.fields import ANY
from ..format.checked_files import read_arrays
from ..format.limits import LIMITS
from ..format.manifest import Manifest
from ..format.manifest_parser import read_manifest
from .engine import ExpertRuntime
from .tasks import Task, open_task
from .tasks.base import GoldenAnswer

_FEATURE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Golden:
    inputs: Sequence[Any]
    scores: np.ndarray  # (examples, labels)
    experts: np.ndarray  # (examples,), -1 where all experts are summed
    arrays: dict[str, np.ndarray]  # the features' arrays, (examples, ...)
    of_task: Mapping[str, np.ndarray]  # the task's own arrays, (examples, ...)


def read(folder: Path) -> Golden:
    """Read a bundle's golden examples and check them against its manifest."""
    manifest = read_manifest(folder)
    features = read_features(folder, manifest.features)
    return _read(folder, manifest, features, open_task(manifest, features, folder))


def _read(folder: Path, manifest: Manifest, made: Features, task: Task) -> Golden:
    """Raise BundleError if the arrays are not golden examples of this bundle."""
    stored = read_arrays(folder, manifest.golden)
    prefix, path = "features_", folder / manifest.golden.path
    arrays = {key.removeprefix(prefix): stored[key] for key in stored if key.startswith(prefix)}
    try:
        inputs = made.unpack(stored["inputs"])
        count = len(inputs) if isinstance(inputs, list) else 0
        of_task = task.read_golden(stored, count)
        golden = Golden(inputs, stored["scores"], stored["experts"], arrays, of_task)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not golden examples of {made.kind!r}: {error!s:.80}") from None
    shapes = {
        name: _sized((count, *shape[1:]), arrays.get(name))
        for name, (shape, _) in made.shapes.items()
    }
    if not 0 < count <= LIMITS.golden_examples or {
        "scores": golden.scores.shape,
        "experts": golden.experts.shape,
        **{name: array.shape for name, array in arrays.items()},
    } != {"scores": (count, len(manifest.labels)), "experts": (count,), **shapes}:
        raise BundleError(
            f"{path}: must hold 1 to {LIMITS.golden_examples} examples, and as many scores, "
            "experts and arrays of features"
        )
    return golden


def _sized(shape: tuple[int, ...], array: np.ndarray | None) -> tuple[int, ...]:
    """Return a shape in which sizes that differ between examples are those of an array."""
    if array is None or array.ndim != len(shape):
        return shape
    return tuple(
        found if size == ANY else size for size, found in zip(shape, array.shape, strict=True)
    )


def check(runtime: ExpertRuntime) -> int:
    """Answer the golden examples and compare the answers; return the number of examples.

    Raises:
        GoldenError: features or answers differ on this machine.
    """
    golden = _read(runtime.folder, runtime.manifest, runtime.features, runtime.task)
    for row, example in enumerate(golden.inputs):
        for name, array in _encoded(runtime, row, example).items():
            if not np.allclose(array[0], golden.arrays[name][row], atol=_FEATURE_TOLERANCE):
                raise GoldenError(
                    f"{runtime.folder}: golden example {row}: its features ({name}) are not those "
                    "of the machine that made the bundle; use the same edge-experts version there"
                )
        answer = runtime.predict(example)
        if answer.reason is not None:
            raise GoldenError(f"{runtime.folder}: golden example {row}: {answer.reason}")
        of_task = {name: array[row] for name, array in golden.of_task.items()}
        wanted = GoldenAnswer(golden.scores[row], golden.experts[row], of_task)
        difference = runtime.task.golden_difference(answer, wanted)
        if difference is not None:
            raise GoldenError(
                f"{runtime.folder}: golden example {row}: {difference}; do not use this bundle here"
            )
    return len(golden.inputs)


def _encoded(runtime: ExpertRuntime, row: int, example: Any) -> dict[str, np.ndarray]:
    try:
        return runtime.features.encode(example)
    except (UsageError, RecursionError) as error:
        raise GoldenError(f"{runtime.folder}: golden example {row}: {error}") from None


def by_turns(experts: np.ndarray) -> list[int]:
    """Order rows so that the expert changes each time, as far as possible."""
    rank = np.zeros(len(experts), int)
    for expert in np.unique(experts):
        rows = np.flatnonzero(experts == expert)
        rank[rows] = np.arange(len(rows))
    order: list[int] = np.lexsort((experts, rank)).tolist()
    return order
