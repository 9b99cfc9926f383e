"""Operators that an interpreter supports, and their highest versions, by measurement.

`python -m edge_experts.converters.targets.operator_support PACKAGE`, with tflite_runtime,
ai_edge_litert or tflite_micro, prints lines "OPERATOR VERSION". It made the tables in this folder,
and a test makes them again.
Each operator and version is written to a file of its own, which the interpreter opens: it looks up
all operators of a file before anything else.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from .target import ANY_VERSION
from .tflite_reader import builtin_operators, schema

_HIGHEST = 20  # highest version tried; the highest of any operator in LiteRT 2.3 is 14
_NOT_BUILT_IN = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")


def operators(package: str) -> dict[str, int]:
    """Find the highest version of each operator that this interpreter package supports."""
    names = {name: code for name, code in builtin_operators().items() if name not in _NOT_BUILT_IN}
    if package == "tflite_micro":  # it ignores versions
        return {name: ANY_VERSION for name, code in sorted(names.items()) if _micro(code)}
    knows = _tflite(package)
    found = {}
    for name, number in sorted(names.items()):
        versions = [version for version in range(1, _HIGHEST) if knows(number, version)]
        if versions:
            found[name] = max(versions)
    return found


def _tflite(package: str) -> Callable[[int, int], bool]:
    interpreter = importlib.import_module(f"{package}.interpreter").Interpreter

    def knows(number: int, version: int) -> bool:
        try:
            interpreter(model_content=_file(number, version, used=False))
        except ValueError:
            return False
        return True

    return knows


def _micro(number: int, version: int = 1) -> bool:
    """Test an operator in TensorFlow Lite Micro, which looks it up when it reaches it.

    It may crash on this one, which has no inputs; it prints a message before if it is unknown.
    """
    from tflite_micro import runtime

    content = _file(number, version, used=True)
    with tempfile.TemporaryFile() as log:
        child = os.fork()
        if child == 0:
            os.dup2(log.fileno(), 2)
            try:
                runtime.Interpreter.from_bytes(content, arena_size=2**16)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        log.seek(0)
        said = log.read()
    return b"Didn't find op" not in said and b"not supported" not in said


def _file(number: int, version: int, *, used: bool) -> bytes:
    """Build a model with one operator, which is not used, or used with no inputs."""
    import flatbuffers

    kinds = schema()
    tensor = kinds.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = "x", [1], kinds.TensorType.FLOAT32, 0
    graph = kinds.SubGraphT()
    graph.name, graph.tensors, graph.inputs, graph.outputs = "main", [tensor], [0], [0]
    graph.operators = [_operator(kinds)] if used else []
    code = kinds.OperatorCodeT()
    code.builtinCode, code.version = number, version
    code.deprecatedBuiltinCode = min(number, kinds.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    model = kinds.ModelT()
    model.version, model.operatorCodes = 3, [code]
    model.subgraphs, model.buffers = [graph], [kinds.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _operator(kinds: Any) -> Any:
    operator = kinds.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [], []
    return operator


if __name__ == "__main__":
    for name, version in operators(sys.argv[1]).items():
        print(name, version)
