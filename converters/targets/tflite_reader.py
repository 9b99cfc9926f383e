"""Reader of .tflite files by TensorFlow's own schema, which does not import TensorFlow."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from edge_experts.errors import MissingExtraError

_SCHEMA = "lite/python/schema_py_generated.py"


@dataclass(frozen=True)
class Operator:
    """Kind of operator in one version, and the number of its uses in the file.

    Attributes:
        name: as in the schema; "custom NAME" for an operator that TFLite has only with code of the
            user's, or TensorFlow's (flex).
        types: of its first inputs.
    """

    name: str
    version: int
    count: int
    types: tuple[str, ...]


@dataclass(frozen=True)
class Port:
    """Input or output: its name, its type's name in the schema, and its quantization."""

    name: str
    type: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int


@dataclass(frozen=True)
class Function:
    """One of several functions of a file, a signature by its name."""

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class Weight:
    """Constant: the operator that reads it, its layer, its type, shape and size."""

    operator: str
    layer: str
    type: str
    shape: tuple[int, ...]
    bytes: int


@dataclass(frozen=True)
class Structure:
    """Contents of a file.

    Attributes:
        inputs, outputs: of its main function.
        functions: all of them, if there are several.
        tensors: the number in all its subgraphs.
        weights: its constants, the largest first.
        metadata_bytes: of the description of the file.
        graph_bytes: all the rest: operators, tensors, names, scales, alignment.
    """

    operators: tuple[Operator, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    functions: tuple[Function, ...]
    tensors: int
    weights: tuple[Weight, ...]
    metadata_bytes: int
    graph_bytes: int


def read(content: bytes) -> Structure:
    """Read the structure of a file.

    Args:
        content: output of TensorFlow's converter: a damaged file raises errors of any kind.

    Raises:
        MissingExtraError: the schema is missing, because TensorFlow is not installed.
    """
    model = schema().ModelT.InitFromObj(schema().Model.GetRootAs(content, 0))
    weights = sorted(_weights(model), key=lambda one: -one.bytes)
    metadata = sum(_size(model, entry.buffer) for entry in model.metadata or [])
    main = model.subgraphs[0]
    return Structure(
        operators=_operators(model),
        inputs=tuple(_port(main.tensors[index]) for index in main.inputs),
        outputs=tuple(_port(main.tensors[index]) for index in main.outputs),
        functions=tuple(_functions(model)),
        tensors=sum(len(graph.tensors) for graph in model.subgraphs),
        weights=tuple(weights),
        metadata_bytes=metadata,
        graph_bytes=len(content) - metadata - sum(one.bytes for one in weights),
    )


def _functions(model: Any) -> Iterator[Function]:
    if len(model.signatureDefs or ()) < 2:
        return
    for one in model.signatureDefs:
        tensors = model.subgraphs[one.subgraphIndex].tensors
        inputs, outputs = (
            tuple(replace(_port(tensors[it.tensorIndex]), name=it.name.decode()) for it in ports)
            for ports in (one.inputs, one.outputs)
        )
        yield Function(one.signatureKey.decode(), inputs, outputs)


def _operators(model: Any) -> tuple[Operator, ...]:
    types: dict[int, list[str]] = {}
    for graph in model.subgraphs:
        for operator in graph.operators or []:
            first = graph.tensors[operator.inputs[0]].type if len(operator.inputs) else -1
            types.setdefault(operator.opcodeIndex, []).append(_names("TensorType").get(first, ""))
    return tuple(
        Operator(_operator_name(code), code.version, len(used), tuple(sorted(set(used))))
        for index, code in enumerate(model.operatorCodes)
        for used in [types.get(index, [])]
    )


def _operator_name(code: Any) -> str:
    """Name an operator code; see the schema's deprecated_builtin_code for the maximum."""
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _names("BuiltinOperator").get(number, f"number {number}")
    return f"custom {code.customCode.decode()}" if name == "CUSTOM" else name


def builtin_operators() -> dict[str, int]:
    """Return all operators that the schema knows, by name."""
    return {name: number for number, name in _names("BuiltinOperator").items()}


def _weights(model: Any) -> Iterator[Weight]:
    seen = set()  # a shared buffer is stored once
    layers: dict[str, str] = {}
    for graph in model.subgraphs:
        operators = graph.operators or []
        readers = {index: one for one in operators for index in one.inputs}
        for operator in operators:
            user = operator
            if _name_of(model, operator) == "DEQUANTIZE":  # of a float16 weight: follow its reader
                user = readers.get(operator.outputs[0], operator)
            layer = _layer(graph.tensors[user.outputs[0]].name, layers) if len(user.outputs) else ""
            for index in operator.inputs:
                tensor = graph.tensors[index]
                size = _size(model, tensor.buffer) if index >= 0 else 0
                if size and tensor.buffer not in seen:
                    seen.add(tensor.buffer)
                    kind = _names("TensorType")[tensor.type]
                    yield Weight(_name_of(model, user), layer, kind, _shape(tensor), size)


def _name_of(model: Any, operator: Any) -> str:
    return _operator_name(model.operatorCodes[operator.opcodeIndex])


def _size(model: Any, buffer: int) -> int:
    data = model.buffers[buffer].data
    return 0 if data is None else len(data)


def _port(tensor: Any) -> Port:
    found = tensor.quantization
    quantized = found is not None and found.scale is not None and len(found.scale) == 1
    return Port(
        name=tensor.name.decode().removeprefix("serving_default_").split(":")[0],
        type=_names("TensorType")[tensor.type],
        shape=_shape(tensor),
        scale=float(found.scale[0]) if quantized else None,
        zero_point=int(found.zeroPoint[0]) if quantized else 0,
    )


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(map(int, tensor.shape))


def _layer(tensor_name: bytes, layers: dict[str, str]) -> str:
    """Find the layer in a tensor's name: 'expert_3/dense_17/MatMul;...' is in 'dense'.

    The next layer of this kind is 'dense_1': Keras counts on over all networks of a process, and
    equal experts would look different. The last layer has lost its name in the converter.
    """
    parts = tensor_name.decode(errors="replace").split(";")[0].split("/")
    if len(parts) < 3:
        return "output" if parts[0].startswith("StatefulPartitionedCall") else ""
    if parts[1] not in layers:
        kind = parts[1].rstrip("0123456789").rstrip("_")
        before = sum(re.fullmatch(rf"{re.escape(kind)}(_\d+)?", one) is not None for one in layers)
        layers[parts[1]] = f"{kind}_{before}" if before else kind
    return layers[parts[1]]


@cache
def _names(kind: str) -> dict[int, str]:
    """Return the names in an enumeration of the schema."""
    return {
        number: name
        for name, number in vars(getattr(schema(), kind)).items()
        if isinstance(number, int)
    }


@cache
def schema() -> Any:
    """Load TensorFlow's generated schema by its path.

    Importing it by its name would start TensorFlow, which takes seconds and half a gigabyte.
    """
    name = "edge_experts_tflite_schema"
    package = importlib.util.find_spec("tensorflow")
    if package is None or not package.submodule_search_locations:
        raise MissingExtraError("TensorFlow", "train")
    path = Path(package.submodule_search_locations[0]) / _SCHEMA
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module
