"""Answers of a bundle to inputs, recorded and compared: labels, experts, scores."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import ExpertRuntime

from .data import ANSWERS, is_recorded_interpreter, is_recorded_processor


@dataclass(frozen=True)
class Answers:
    """What a bundle says of many inputs, a row each.

    Attributes:
        texts: labels, or translations.
        experts: the first that answered; -1 where all are summed.
        scores: of all labels, (inputs, labels); of translations the one score, (inputs, 1).
    """

    texts: np.ndarray
    experts: np.ndarray
    scores: np.ndarray

    def write(self, path: Path, inputs: np.ndarray) -> None:
        """Write the answers with their inputs."""
        arrays = {"texts": self.texts, "experts": self.experts, "scores": self.scores}
        np.savez_compressed(path, inputs=inputs, **arrays)


def recorded(name: str) -> tuple[np.ndarray, Answers]:
    """The inputs of answers/NAME.npz and the answers of 0.1.0."""
    with np.load(ANSWERS / f"{name}.npz") as arrays:
        found = {key: arrays[key] for key in ("texts", "experts", "scores")}
        return arrays["inputs"], Answers(**found)


def examples(inputs: np.ndarray, kind: str) -> list[Any]:
    """Inputs as `predict` takes them: arrays, texts, rows, or a text and its language."""
    if inputs.dtype.kind != "U":
        return list(inputs)
    lines: list[str] = inputs.tolist()
    if kind == "text":
        return lines
    rows = [json.loads(line) for line in lines]
    return [tuple(row) for row in rows] if kind == "pieces" else rows


def ask(runtime: Any, inputs: np.ndarray) -> Answers:
    """Have a runtime answer all inputs."""
    writes = runtime.features.kind == "pieces"
    answers = [runtime.predict(one) for one in examples(inputs, runtime.features.kind)]
    return Answers(
        np.array([answer.text for answer in answers]),
        np.array([answer.expert for answer in answers], np.int16),
        np.array([[answer.score] if writes else answer.scores for answer in answers], np.float32),
    )


def ask_bundle(bundle: Path, inputs: np.ndarray) -> Answers:
    with ExpertRuntime(bundle, strict=True) as runtime:
        return ask(runtime, inputs)


def differences(wanted: Answers, given: Answers, inputs: np.ndarray, tolerance: float) -> list[str]:
    """Describe each input that is answered otherwise."""
    found = []
    for row, one in enumerate(inputs):
        at = f"input {row} ({str(one)[:60]!r})"
        for name in ("texts", "experts"):
            old, new = getattr(wanted, name)[row], getattr(given, name)[row]
            if old != new:
                found.append(f"{at}: {name} was {old!s}, is {new!s}")
        apart = float(np.abs(wanted.scores[row] - given.scores[row]).max())
        if not apart <= tolerance:
            found.append(f"{at}: scores are {apart:.2g} apart")
    return found


def refuse_other(wanted: Answers, given: Answers, inputs: np.ndarray, *, floats: bool) -> None:
    """Assert that inputs are answered as recorded.

    In int8 this is exact where interpreter and vector instructions are those of the recording.
    Others round by a step of int8 otherwise here and there: on an emulated processor without AVX
    scores of the same files moved by up to 0.009, in LiteRT's kernels by more. There an input near
    the edge between two labels, or two experts, may change sides.

    Args:
        floats: the model files are in float32, whose sums differ by their last bits only.
    """
    if is_recorded_interpreter() and (floats or is_recorded_processor()):
        tolerance = 5e-6 if floats else 1e-6
        found = differences(wanted, given, inputs, tolerance)
        shown = "\n".join(found[:20])
        assert not found, f"{len(found)} differences, such as:\n{shown}"
    else:
        refuse_unlike(wanted, given)


def refuse_unlike(
    wanted: Answers, given: Answers, share: float = 0.98, within: float = 0.05
) -> None:
    """Assert that a share of labels is the same, and as many scores no further than `within`."""
    alike = float(np.mean(wanted.texts == given.texts))
    assert alike >= share, f"only {alike:.1%} of the labels are as recorded"
    apart = np.abs(wanted.scores - given.scores).max(axis=1)
    near = float(np.mean(apart <= within))
    assert near >= share, f"only {near:.1%} of the scores are within {within} of the recorded ones"
