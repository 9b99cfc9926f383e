"""Golden examples: inputs with the answers that a bundle was published with.

A device that gives the same answers has the right files, the right features and an interpreter
that computes what it should. Integer kernels of different processors may differ in the last bits,
hence the tolerance; the examples were chosen for clear answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BundleError, GoldenError, UsageError
from ..features import Features, read_features
from ..format.checked_files import read_arrays
from ..format.limits import LIMITS
from ..format.manifest import Manifest, read_manifest
from .answer import Answer
from .engine import ExpertRuntime
from .translation.writer import Written

SCORE_TOLERANCE = 0.05
_FEATURE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Golden:
    inputs: Sequence[Any]
    scores: np.ndarray  # (examples, labels)
    experts: np.ndarray  # (examples,), -1 where all experts are summed
    arrays: dict[str, np.ndarray]  # the features' arrays, (examples, ...)
    pieces: np.ndarray | None = None  # that experts wrote, (examples, most), padded with -1


def pieces_of(answers: Sequence[Answer]) -> np.ndarray | None:
    """What experts wrote, (examples, most) with -1 behind it; None where they choose."""
    written = [answer.pieces for answer in answers if isinstance(answer, Written)]
    if not written:
        return None
    pieces = np.full((len(written), max(map(len, written))), -1, np.int32)
    for row, one in enumerate(written):
        pieces[row, : len(one)] = one
    return pieces


def read(folder: Path) -> Golden:
    """The golden examples of a bundle, checked against its manifest."""
    manifest = read_manifest(folder)
    return _read(folder, manifest, read_features(folder, manifest.features))


def _read(folder: Path, manifest: Manifest, made: Features) -> Golden:
    """Raises BundleError where the arrays are not those of golden examples of this bundle."""
    stored = read_arrays(folder, manifest.golden)
    prefix, path = "features_", folder / manifest.golden.path
    arrays = {key.removeprefix(prefix): stored[key] for key in stored if key.startswith(prefix)}
    try:
        written = stored["pieces"] if manifest.generation is not None else None
        inputs = made.unpack(stored["inputs"])
        golden = Golden(inputs, stored["scores"], stored["experts"], arrays, written)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not golden examples of {made.kind!r}: {error!s:.80}") from None
    count = len(golden.inputs) if isinstance(golden.inputs, list) else 0
    shapes = {name: (count, *shape[1:]) for name, (shape, _) in made.shapes.items()}
    if golden.pieces is not None and (golden.pieces.ndim != 2 or len(golden.pieces) != count):
        raise BundleError(f"{path}: must hold the pieces of each of its examples")
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


def check(runtime: ExpertRuntime) -> int:
    """Answer the golden examples and compare; the number of examples.

    Raises:
        GoldenError: this machine makes other features, or gives other answers.
    """
    golden = _read(runtime.folder, runtime.manifest, runtime.features)
    labels = runtime.manifest.labels
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
        expected = labels[int(golden.scores[row].argmax())]
        difference = float(np.abs(answer.scores - golden.scores[row]).max())
        same = answer.expert == golden.experts[row] and answer.label == expected
        if golden.pieces is not None:
            _same_pieces(runtime, row, answer, golden.pieces[row])
        if not same or not difference <= SCORE_TOLERANCE:  # nor NaN
            raise GoldenError(
                f"{runtime.folder}: golden example {row}: {answer.label!r} from expert "
                f"{answer.expert}, {expected!r} from expert {golden.experts[row]} was expected "
                f"(scores differ by up to {difference:.3f}); do not use this bundle here"
            )
    return len(golden.inputs)


def _same_pieces(runtime: ExpertRuntime, row: int, answer: Answer, expected: np.ndarray) -> None:
    assert isinstance(answer, Written)
    wanted = expected[expected >= 0]
    if not np.array_equal(answer.pieces, wanted):
        raise GoldenError(
            f"{runtime.folder}: golden example {row}: expert {answer.expert} writes "
            f"{answer.text!r:.80}, and something else was expected; do not use this bundle here"
        )


def _encoded(runtime: ExpertRuntime, row: int, example: Any) -> dict[str, np.ndarray]:
    try:
        return runtime.features.encode(example)
    except (UsageError, RecursionError) as error:
        raise GoldenError(f"{runtime.folder}: golden example {row}: {error}") from None


def by_turns(experts: np.ndarray) -> list[int]:
    """Rows in such an order that another expert answers each time, for as long as there are."""
    rank = np.zeros(len(experts), int)
    for expert in np.unique(experts):
        rows = np.flatnonzero(experts == expert)
        rank[rows] = np.arange(len(rows))
    order: list[int] = np.lexsort((experts, rank)).tolist()
    return order
