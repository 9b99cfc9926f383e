"""Microcontrollers: TensorFlow Lite Micro, and the arena that each file needs there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts.errors import MissingExtraError, ModelError, UnsuitableError
from edge_experts.progress import Progress
from edge_experts.runtime.interpreter import quantize

from ..process.child_process import run_module
from .target import Target, table
from .tflite_reader import Port, read

# `python -m edge_experts.converters.targets.operator_support tflite_micro`, 0.dev20261023182759. A
# firmware chooses its operators itself; these are those of the Python wheel.
OPERATORS = table(
    """
    ABS, ADD, ADD_N, ARG_MAX, ARG_MIN, ASSIGN_VARIABLE, AVERAGE_POOL_2D, BATCH_MATMUL,
    BATCH_TO_SPACE_ND, BROADCAST_ARGS, BROADCAST_TO, CALL_ONCE, CAST, CEIL, CONCATENATION,
    CONV_2D, COS, CUMSUM, DEPTHWISE_CONV_2D, DEPTH_TO_SPACE, DEQUANTIZE, DIV,
    DYNAMIC_UPDATE_SLICE, ELU, EMBEDDING_LOOKUP, EQUAL, EXP, EXPAND_DIMS, FILL, FLOOR,
    FLOOR_DIV, FLOOR_MOD, FULLY_CONNECTED, GATHER, GATHER_ND, GREATER, GREATER_EQUAL,
    HARD_SWISH, IF, L2_NORMALIZATION, L2_POOL_2D, LEAKY_RELU, LESS, LESS_EQUAL, LOG,
    LOGICAL_AND, LOGICAL_NOT, LOGICAL_OR, LOGISTIC, LOG_SOFTMAX, MAXIMUM, MAX_POOL_2D, MEAN,
    MINIMUM, MIRROR_PAD, MUL, NEG, NOT_EQUAL, PACK, PAD, PADV2, PRELU, QUANTIZE, READ_VARIABLE,
    REDUCE_ALL, REDUCE_MAX, REDUCE_MIN, RELU, RELU6, RESHAPE, RESIZE_BILINEAR,
    RESIZE_NEAREST_NEIGHBOR, REVERSE_V2, ROUND, RSQRT, SELECT_V2, SHAPE, SIN, SLICE, SOFTMAX,
    SPACE_TO_BATCH_ND, SPACE_TO_DEPTH, SPLIT, SPLIT_V, SQRT, SQUARE, SQUARED_DIFFERENCE,
    SQUEEZE, STRIDED_SLICE, SUB, SUM, SVDF, TANH, TRANSPOSE, TRANSPOSE_CONV,
    UNIDIRECTIONAL_SEQUENCE_LSTM, UNPACK, VAR_HANDLE, WHILE, ZEROS_LIKE
    """
)

MICROCONTROLLER = Target(
    name="microcontroller",
    what="microcontrollers with TensorFlow Lite Micro: int8 only",
    package="tflite_micro",
    version="0.dev20261023182759",
    operators=OPERATORS,
    refused_types=frozenset({("FLOOR_MOD", "INT32")}),  # in hashed text: it supports only floats
    recipes=("int8",),
    remedy="use another kind of network, or another --target",
)
_INTEGERS = {"INT8": np.dtype(np.int8), "INT16": np.dtype(np.int16)}


@dataclass(frozen=True)
class MicroResult:
    """Result of a file in TensorFlow Lite Micro.

    Attributes:
        arena_bytes: the smallest arena in which it starts and answers correctly, in steps of 16, on
            this 64-bit machine; with 32-bit pointers it needs less.
        answers: (examples, outputs), in the file's own type.
        here: those of this machine's interpreter, tflite-runtime or LiteRT.
        scale: size of a step of these integers; 1 for floats.
    """

    arena_bytes: int
    answers: np.ndarray
    here: np.ndarray
    scale: float

    @property
    def equal_labels(self) -> float:
        """Share of the examples with the same label from both."""
        return float(np.mean(self.answers.argmax(axis=1) == self.here.argmax(axis=1)))

    @property
    def largest_difference(self) -> float:
        """Largest difference between both outputs, in real numbers."""
        steps = np.abs(self.answers.astype(np.float64) - self.here)
        return float(steps.max() * self.scale)


@dataclass(frozen=True)
class MicroMeasurement:
    """All files of a bundle, by path; `version` is tflite-micro's."""

    files: Mapping[str, MicroResult]
    version: str


def require() -> None:
    """Raise MissingExtraError if TensorFlow Lite Micro is not installed."""
    if not MICROCONTROLLER.installed:
        raise MissingExtraError("TensorFlow Lite Micro (the package tflite-micro)", "train")


def measure(
    folder: Path, paths: Mapping[str, str], examples: Mapping[str, np.ndarray], job: Path
) -> MicroMeasurement:
    """Run files in TensorFlow Lite Micro, in a child process; see arena.py.

    Args:
        folder: the folder of the files.
        paths: their paths in it, each with the name of its network, for errors.
        examples: inputs by the features' names, (examples, ...), at least one.
        job: a folder for the child process's files.

    Raises:
        MissingExtraError: TensorFlow Lite Micro is not installed.
        UnsuitableError: it refuses a file, or crashes on it.
    """
    require()
    files: dict[str, dict[str, object]] = {}
    arrays: dict[str, np.ndarray] = {}
    for path in paths:
        taken = {
            f"{path} {port.name}": _as_taken(port, examples[port.name])
            for port in read((folder / path).read_bytes()).inputs
        }
        arrays |= taken
        files[path] = {"path": str(folder / path), "inputs": list(taken)}
    (job / "micro.json").write_text(json.dumps({"files": files}))
    np.savez(job / "micro.npz", **arrays)
    with Progress("Measuring arenas", len(files)) as progress:
        run_module("edge_experts.converters.targets.arena", job, progress.step, _failure)
    found = json.loads((job / "arenas.json").read_text())
    answers, here = np.load(job / "answers.npz"), np.load(job / "here.npz")
    for path, network in paths.items():
        reason = found["files"][path]["failed"]
        if reason:
            raise UnsuitableError(
                f"{network}: {MICROCONTROLLER.name} (TensorFlow Lite Micro {found['version']}) "
                f"cannot run it: {reason}; {MICROCONTROLLER.remedy}"
            )
    measured = {
        path: MicroResult(
            found["files"][path]["arena_bytes"],
            answers[path],
            here[path],
            read((folder / path).read_bytes()).outputs[0].scale or 1.0,
        )
        for path in paths
    }
    return MicroMeasurement(measured, found["version"])


def _as_taken(port: Port, values: np.ndarray) -> np.ndarray:
    """Convert values to the type of the file's input."""
    if port.type in _INTEGERS and port.scale is not None:
        return quantize(values, np.float32(port.scale), port.zero_point, _INTEGERS[port.type])
    return values


def _failure(last: str, reason: str) -> ModelError:
    return ModelError(f"TensorFlow Lite Micro failed (at {last}): {reason}")
