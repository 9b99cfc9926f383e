"""Sharing of equal weights between the functions of one file.

Imported only in the worker process: it needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_WORTH = 64  # bytes of a buffer, below which sharing it saves nothing
_GATHER, _DENSE = schema.BuiltinOperator.GATHER, schema.BuiltinOperator.FULLY_CONNECTED


def shared(content: bytes) -> bytes:
    """Return the same file, with equal weights of its functions stored once.

    In int8 the embedding table of the tokens is also the one of the logits (Press and Wolf, 2017,
    https://arxiv.org/abs/1608.05859): with one scale for all of it, instead of one for each token.
    """
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    _tie(model)
    first: dict[bytes, int] = {}
    kept: dict[int, int] = {}
    for place, buffer in enumerate(model.buffers):
        raw = _raw(buffer)
        kept[place] = first.setdefault(raw, place) if len(raw) >= _WORTH else place
    used = {one.buffer for one in model.metadata or ()}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = kept[tensor.buffer]
            used.add(tensor.buffer)
    for place, buffer in enumerate(model.buffers):
        if place not in used:
            buffer.data = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _tie(model: Any) -> None:
    """Let int8 layers whose weights equal a table's use the table, if it has no zero point."""
    tables = [one for one in _int8(model, _GATHER, 0) if not one.quantization.zeroPoint[0]]
    for tensor in _int8(model, _DENSE, 1):
        for table in tables[:1]:
            if list(tensor.shape) != list(table.shape):
                continue
            theirs, ours = (_numbers(model, one) for one in (tensor, table))
            if np.abs(theirs - ours).max() <= table.quantization.scale[0]:  # both are rounded
                tensor.buffer = table.buffer
                tensor.quantization.scale = np.asarray(table.quantization.scale)
                tensor.quantization.zeroPoint = np.zeros(1, np.int64)


def _int8(model: Any, code: int, place: int) -> Iterator[Any]:
    """Yield the constant int8 tensors at one input of all operators of one kind."""
    codes = [one.builtinCode for one in model.operatorCodes]
    for graph in model.subgraphs:
        for operator in graph.operators:
            if codes[operator.opcodeIndex] == code:
                tensor = graph.tensors[operator.inputs[place]]
                is_int8 = tensor.type == schema.TensorType.INT8
                if is_int8 and _raw(model.buffers[tensor.buffer]):
                    yield tensor


def _numbers(model: Any, tensor: Any) -> np.ndarray:
    """Dequantize an int8 tensor of rows, (rows, columns) float32."""
    raw = np.frombuffer(_raw(model.buffers[tensor.buffer]), np.int8).reshape(tensor.shape)
    return raw * np.asarray(tensor.quantization.scale, np.float32)[:, None]


def _raw(buffer: Any) -> bytes:
    return b"" if buffer.data is None else bytes(np.asarray(buffer.data, np.uint8))
