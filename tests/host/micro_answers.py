"""A bundle's C source on this machine, its files run by the real TensorFlow Lite Micro.

`python -m tests.host.micro_answers BUNDLE LIBRARY EXAMPLES.npz OUT.npz`, in a separate process,
without TensorFlow. LIBRARY is the C source, compiled for this machine; EXAMPLES has `examples` of
arrays or of windows of sound (int16), or `numbers` and `categories` of a table. OUT gets what the
C source makes of them, what the runtime does, and each file's answers by three interpreters.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from edge_experts.converters.targets.tflite_reader import read
from tflite_micro import runtime as micro

from edge_experts import ExpertRuntime
from edge_experts.format.manifest import ROUTER, TRUNK
from edge_experts.runtime.interpreter import interpreter_class, quantize

ARENA = 2**20
FLOATS, POINTER = ctypes.POINTER(ctypes.c_float), ctypes.c_void_p


class Tensor(ctypes.Structure):
    """edge_experts_tensor"""

    _fields_ = (
        ("type", ctypes.c_int),
        ("place", ctypes.c_int),
        ("numbers", ctypes.c_int),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int),
    )


class File(ctypes.Structure):
    """edge_experts_model"""

    _fields_ = (
        ("data", POINTER),
        ("bytes", ctypes.c_size_t),
        ("arena_bytes", ctypes.c_size_t),
        ("x", Tensor),
        ("trunk", Tensor),
        ("output", Tensor),
        ("trunk_output", Tensor),
    )


RUN = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, ctypes.POINTER(File), FLOATS, FLOATS, FLOATS)
TYPES = {1: np.float32, 2: np.int8}


class Dispatch:
    """The compiled C source."""

    def __init__(self, library: Path, experts: int, labels: int, inputs: int):
        self.c = ctypes.CDLL(str(library))
        self.labels, self.inputs = labels, inputs
        self.files = {
            ROUTER: File.in_dll(self.c, "edge_experts_router"),
            **{
                f"experts/{index:03d}.tflite": file
                for index, file in enumerate(
                    (File * experts).in_dll(self.c, "edge_experts_experts")
                )
            },
        }
        self._interpreters: dict[int, Any] = {}
        self._run = RUN(self.run)
        answer = [("expert", ctypes.c_int), ("label", ctypes.c_int), ("score", ctypes.c_float)]
        answer += [("abstained", ctypes.c_int), ("scores", ctypes.c_float * labels)]
        self._answer = type("Answer", (ctypes.Structure,), {"_fields_": answer})

    def content(self, path: str) -> bytes:
        file = self.files[path]
        return ctypes.string_at(file.data, file.bytes) if file.data else b""

    def encode(self, *example: np.ndarray) -> np.ndarray:
        """Encode an array, a window of sound, or a table's numbers and categories."""
        x = np.empty(self.inputs, np.float32)
        is_sound = example[0].dtype == np.int16
        encode = self.c.edge_experts_sound_encode if is_sound else self.c.edge_experts_encode
        encode(*(one.ctypes.data_as(POINTER) for one in example), pointer(x))
        return x

    def ask(self, x: np.ndarray) -> Any:
        answer = self._answer()
        assert self.c.edge_experts_ask(pointer(x), self._run, None, ctypes.byref(answer)) == 0
        return answer

    def run(self, context: Any, file: Any, x: Any, trunk: Any, output: Any) -> int:
        """edge_experts_run: edge_experts_tflm.hpp in Python, in an arena of the size it states."""
        file = file.contents
        if file.data not in self._interpreters:
            self._interpreters[file.data] = micro.Interpreter.from_bytes(
                ctypes.string_at(file.data, file.bytes), arena_size=file.arena_bytes
            )
        interpreter = self._interpreters[file.data]
        for tensor, values in ((file.x, x), (file.trunk, trunk)):
            if tensor.type:
                shape = interpreter.get_input_details(tensor.place)["shape"]
                given = np.empty(shape, TYPES[tensor.type])
                self.c.edge_experts_write(ctypes.byref(tensor), values, pointer(given))
                interpreter.set_input(given, tensor.place)
        interpreter.invoke()
        for tensor, values in ((file.output, output), (file.trunk_output, trunk)):
            if tensor.type:
                got = np.ascontiguousarray(interpreter.get_output(tensor.place))
                self.c.edge_experts_read(ctypes.byref(tensor), pointer(got), values)
        return 0


def pointer(array: np.ndarray) -> Any:
    return array.ctypes.data_as(POINTER)


def on_micro(content: bytes) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    interpreter = micro.Interpreter.from_bytes(content, arena_size=ARENA)
    outputs = len(read(content).outputs)

    def ask(arrays: list[np.ndarray]) -> list[np.ndarray]:
        for place, array in enumerate(arrays):
            interpreter.set_input(array, place)
        interpreter.invoke()
        return [interpreter.get_output(place) for place in range(outputs)]

    return ask


def on_lite(content: bytes, **options: Any) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    interpreter = interpreter_class()(model_content=content, num_threads=1, **options)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()

    def ask(arrays: list[np.ndarray]) -> list[np.ndarray]:
        for one, array in zip(inputs, arrays, strict=True):
            interpreter.set_tensor(one["index"], array)
        interpreter.invoke()
        return [interpreter.get_tensor(one["index"]) for one in outputs]

    return ask


def taken(content: bytes, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """One example as the file takes it."""
    return [
        arrays[port.name]
        if port.scale is None
        else quantize(arrays[port.name], np.float32(port.scale), port.zero_point, np.dtype(np.int8))
        for port in read(content).inputs
    ]


def file_answers(
    contents: Mapping[str, bytes], encoded: list[dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """All outputs of each file, (examples, numbers), by "INTERPRETER PATH".

    The router comes first; `encoded` gets the trunk that the reference kernels leave.
    """
    kinds = importlib.import_module(interpreter_class().__module__).OpResolverType
    found: dict[str, np.ndarray] = {}
    for path, content in contents.items():
        interpreters = {
            "micro": on_micro(content),
            "lite": on_lite(content),
            "reference": on_lite(content, experimental_op_resolver_type=kinds.BUILTIN_REF),
        }
        inputs = [taken(content, arrays) for arrays in encoded]
        for name, ask in interpreters.items():
            outputs = [np.concatenate([out.ravel() for out in ask(arrays)]) for arrays in inputs]
            found[f"{name} {path}"] = np.array(outputs)
        if path == ROUTER and len(read(content).outputs) > 1:
            port = read(content).outputs[1]
            trunk = found[f"reference {path}"][:, -math.prod(port.shape) :]
            if port.scale is not None:
                trunk = (trunk.astype(np.float32) - port.zero_point) * np.float32(port.scale)
            for arrays, row in zip(encoded, trunk, strict=True):
                arrays[TRUNK] = row[None]
    return found


def main(bundle: Path, library: Path, examples: Path, out: Path) -> None:
    given = dict(np.load(examples))
    with ExpertRuntime(bundle) as runtime:
        manifest = runtime.manifest
        rows = range(len(next(iter(given.values()))))
        columns = manifest.features.config.get("columns")
        raw = [tuple(np.ascontiguousarray(array[row]) for array in given.values()) for row in rows]
        inputs = [one[0] if columns is None else as_row(columns, *one) for one in raw]
        encoded = [runtime.features.encode(one) for one in inputs]
        answers = [runtime.predict(one) for one in inputs]
    paths = [entry.path for entry in (manifest.router, *manifest.experts) if entry is not None]
    contents = {path: (bundle / path).read_bytes() for path in paths}
    c = Dispatch(library, len(manifest.experts), len(manifest.labels), encoded[0]["x"].size)
    asked = [c.ask(c.encode(*one)) for one in raw]
    np.savez(
        out,
        same_bytes=[c.content(path) == content for path, content in contents.items()],
        encoded=[arrays["x"].ravel() for arrays in encoded],
        c_encoded=[c.encode(*one) for one in raw],
        experts=[answer.expert for answer in answers],
        c_experts=[answer.expert for answer in asked],
        labels=[manifest.labels.index(answer.label) for answer in answers],
        c_labels=[answer.label for answer in asked],
        scores=[answer.scores for answer in answers],
        c_scores=[list(answer.scores) for answer in asked],
        abstained=[answer.abstained for answer in answers],
        c_abstained=[bool(answer.abstained) for answer in asked],
        **file_answers(contents, encoded),
    )


def as_row(columns: list[Any], numbers: np.ndarray, categories: np.ndarray) -> dict[str, Any]:
    """A table's row of numbers and of indices of values, as the runtime takes it."""
    row, number, category = {}, iter(numbers.tolist()), iter(categories.tolist())
    for column in columns:
        if "values" in column:
            place = next(category)
            row[column["name"]] = "elsewhere" if place < 0 else column["values"][place]
        else:
            row[column["name"]] = next(number)
    return row


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
