"""Conversion of request tensors to examples, and of answers to tensors.

The Open Inference Protocol, version 2, has named tensors whose first axis is the batch
(https://github.com/kserve/open-inference-protocol). The tensors of a request are the features'
fields: a text is one tensor `text`, with `to` beside it where it is translated, an array one tensor
`x`, and a row of a table one tensor for each column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from ..features import Features
from ..features.array_input import numbers
from ..runtime import Answer
from ..runtime.tasks import Task

_NUMBERS = {
    **{
        f"{kind}{bits}": f"{name}{bits}"
        for kind, name in (("INT", "int"), ("UINT", "uint"))
        for bits in (8, 16, 32, 64)
    },
    "FP16": "float16",
    "FP32": "float32",
    "FP64": "float64",
    "BOOL": "bool",
}
_DATATYPES: dict[type, str] = {
    str: "BYTES",
    np.bool_: "BOOL",
    np.uint8: "UINT8",
    np.int32: "INT32",
    np.float32: "FP32",
    np.float64: "FP64",
}
Tensor = Mapping[str, Any]  # "name", "datatype", "shape" and "data", as in JSON


def inputs_of(features: Features) -> list[dict[str, Any]]:
    """Input tensors of a model with these features: name, datatype, shape, and contract.

    -1 stands for the batch; `parameters` has the tensor's constraints, such as its range.
    """
    contracts = {one["name"]: one for one in features.inputs}
    found = []
    for name, (kind, shape) in features.fields.items():
        tensor = _described(name, _DATATYPES[kind], shape)
        told = {
            key: value
            for key, value in contracts.get(name, {}).items()
            if key not in ("name", "shape") and value not in (None, "", [])
        }
        # A bundle without a contract has no parameters but the datatype.
        found.append({**tensor, "parameters": told} if set(told) - {"dtype"} else tensor)
    return found


def outputs_of(task: Task) -> list[dict[str, Any]]:
    """Output tensors of a model, its main result first, such as a label or a text."""
    return [_described(*output) for output in task.outputs()]


def examples_of(features: Features, inputs: Any, most: int) -> list[Any]:
    """Convert the inputs of a request to examples.

    Args:
        inputs: "inputs" of the request, as parsed from JSON.
        most: largest number of examples in a request.

    Raises:
        UsageError: a tensor is missing, unknown, or does not match the model's input.
    """
    wanted = {one["name"]: one for one in inputs_of(features)}
    named = [(str(tensor.get("name")), tensor) for tensor in _objects(inputs, "inputs")]
    given = dict(named)
    missing, unknown = sorted(set(wanted) - set(given)), sorted(set(given) - set(wanted))
    if missing or unknown:
        raise UsageError(
            f"inputs must be {', '.join(wanted)}"
            + (f"; missing: {', '.join(missing)}" if missing else "")
            + (f"; unknown: {', '.join(unknown)}" if unknown else "")
        )
    if len(given) < len(named):
        raise UsageError("inputs: a name stands twice; give each tensor once, with all examples")
    columns = {name: _read(given[name], one) for name, one in wanted.items()}
    counts = {len(column) for column in columns.values()}
    if len(counts) != 1:
        raise UsageError(f"all inputs must have the same first axis, got {sorted(counts)}")
    if counts.pop() > most:
        raise UsageError(f"a request may hold at most {most} examples; send several requests")
    rows = zip(*columns.values(), strict=True)
    return [features.put_together(dict(zip(columns, row, strict=True))) for row in rows]


def outputs_from(answers: Sequence[Answer], task: Task, asked: Any) -> list[dict[str, Any]]:
    """Requested tensors of all answers; all tensors if the request names none.

    Raises:
        UsageError: a requested tensor does not exist.
    """
    described = {one["name"]: one for one in outputs_of(task)}
    wanted = [str(one.get("name")) for one in _objects(asked or [], "outputs")]
    names = wanted or list(described)
    for name in names:
        if name not in described:
            raise UsageError(f"outputs: must be of {', '.join(described)}, got {name!r:.40}")
    return [
        {
            **described[name],
            "shape": [len(answers), *described[name]["shape"][1:]],
            "data": task.tensor(name, answers),
        }
        for name in names
    ]


def _described(name: str, datatype: str, shape: Sequence[int]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [-1, *shape]}


def _objects(content: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise UsageError(f"{what} must be a list of objects")
    return content


def _read(tensor: Tensor, wanted: Tensor) -> Any:
    """Data of a tensor, one entry for each example."""
    name, datatype, shape = wanted["name"], tensor.get("datatype"), tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise UsageError(f"input {name}: shape must be a list of whole numbers, got {shape!r:.60}")
    expected = wanted["shape"][1:]
    if expected and datatype in _NUMBERS:
        return _arrays(tensor, wanted)
    # Many clients send a column as (batch, 1).
    if shape[1:] not in (expected, [*expected, 1]):
        raise UsageError(f"input {name}: shape must be {wanted['shape']}, got {shape}")
    data = tensor.get("data")
    if not isinstance(data, list):
        raise UsageError(f"input {name}: data must be a list; binary data is not supported")
    if wanted["datatype"] == "BYTES" and datatype == "BYTES":
        values = _flat(data)
        if len(values) != shape[0] or not all(isinstance(value, str) for value in values):
            raise UsageError(f"input {name}: data must be {shape[0]} texts")
        return values
    if datatype not in _NUMBERS or wanted["datatype"] == "BYTES":
        allowed = "BYTES" if wanted["datatype"] == "BYTES" else ", ".join(_NUMBERS)
        raise UsageError(f"input {name}: datatype must be {allowed}, got {datatype!r:.40}")
    try:
        # None, a missing value, becomes NaN. The values decide, not the stated datatype.
        array = np.array(data, np.float64).reshape(shape[0], *expected)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"input {name}: data must be numbers that fill {shape}") from None
    if "parameters" not in wanted:  # without a contract, all are floats
        return array
    values = _flat(data)
    if datatype == "BOOL":
        values = [None if value is None else bool(value) for value in values]
    # A column of numbers refuses booleans, which an array of floats would hide.
    return values if any(isinstance(value, bool) for value in values) else array


def _arrays(tensor: Tensor, wanted: Tensor) -> np.ndarray:
    """Arrays, (batch, ...), in the given shape; the features check it."""
    name, datatype, shape = wanted["name"], tensor["datatype"], tensor["shape"]
    if not isinstance(tensor.get("data"), list):
        raise UsageError(f"input {name}: data must be a list; binary data is not supported")
    array = numbers(tensor["data"], f"input {name}", booleans=datatype == "BOOL")
    expected = wanted["shape"][1:]
    if len(shape) < 2:
        raise UsageError(f"input {name}: shape must be {wanted['shape']}, got {shape}")
    if math.prod(shape) != array.size:
        raise UsageError(f"input {name}: data must be numbers that fill {shape}")
    array = array.reshape(shape[0], *(expected if shape[1:] == [*expected, 1] else shape[1:]))
    if datatype.startswith("FP"):
        return array.astype(np.float64)
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int64) if array.dtype.kind == "f" else array
    return whole if np.array_equal(whole, array) else array


def _flat(data: list[Any]) -> list[Any]:
    """Flatten texts of shape (batch, 1) to (batch,)."""
    return [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data]
