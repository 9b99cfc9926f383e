"""Outcome of a case in one way, and the attempts that lead to it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import tensorflow as tf
import tf_keras

from edge_experts.errors import EdgeExpertsError

from .cases import DATA, Case
from .matrix_data import LABELS


@dataclass(frozen=True)
class Outcome:
    """Result of one case in one way.

    Attributes:
        outcome: one of `matrix.OUTCOMES`. "falls back": works, with experts in a loop. "refused":
            an error before the first epoch, or of `adopt` or the conversion after it. "late": an
            error after the first epoch, or adopted answers that are not Keras's.
        reason: of the refusal or failure, or of the loop.
        int8: "works", or the reason that `train` gives before the first epoch for not converting to
            int8.
        seconds: of the process that tries the cases, without those of its children.
    """

    case: str
    way: str
    outcome: str
    reason: str = ""
    int8: str = ""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def attempt(case: str, way: str, work: Callable[[], Outcome | None]) -> Outcome:
    """Run the work; an error becomes the outcome."""
    begin = time.process_time()
    try:
        found = work() or Outcome(case, way, "works")
    except EdgeExpertsError as error:
        found = Outcome(case, way, "refused", str(error))
    except Exception as error:  # the matrix is there to find them
        traceback.print_exc()
        found = Outcome(case, way, "traceback", f"{type(error).__name__}: {error}"[:400])
    return replace(found, seconds=round(time.process_time() - begin, 2))


def inputs_of(case: Case, *, ids: bool = False) -> dict[str, Any]:
    """Inputs of tf_keras for a case."""
    if case.data == "text":
        return {
            "ids": tf_keras.Input((64,), dtype="int32", name="ids"),
            "weights": tf_keras.Input((64,), name="weights"),
        }
    kind = "int32" if ids else "float32"
    return {"x": tf_keras.Input(DATA[case.data], dtype=kind, name="x")}


def plainly_converted(case: Case) -> None:
    """Convert a case as TensorFlow's documentation shows, without this package.

    Raises:
        UsageError: TensorFlow's converter refuses it.
    """
    network = case.network(tf_keras, inputs_of(case), LABELS)
    try:
        tf.lite.TFLiteConverter.from_keras_model(network).convert()
    except Exception as error:  # the converter raises many classes
        raise EdgeExpertsError(f"{type(error).__name__}: {str(error)[:200]}") from None
