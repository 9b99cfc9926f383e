"""Dense layers in int8, modified so that every kernel of tflite-runtime 2.14 computes them.

For such a layer with a scale for each unit:

- the default kernel on ARM crashes if it has several rows and no bias (a null pointer), so it gets
  a bias of zeros;
- the reference kernel takes the first two dimensions of the result for all dimensions, reads beyond
  the weights, or omits units, so the layer outputs (rows, units), and a reshape follows it.
  Otherwise the exact answers of a file could not be determined.

Imported only in the worker process: it needs TensorFlow.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

_DENSE, _RESHAPE = schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.RESHAPE


def mended(content: bytes) -> bytes:
    """Return the same file, with such layers modified for these kernels."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    codes = [code.builtinCode for code in model.operatorCodes]
    zeros: dict[int, int] = {}
    changed = False
    for graph in model.subgraphs:
        operators = []
        for operator in graph.operators:
            operators.append(operator)
            if codes[operator.opcodeIndex] != _DENSE or not _is_such(graph, operator):
                continue
            rows = np.prod(graph.tensors[operator.outputs[0]].shape[:-1])
            if rows > 1 and (len(operator.inputs) < 3 or operator.inputs[2] < 0):
                changed = True
                _add_bias(model, graph, operator, zeros)
            if len(graph.tensors[operator.outputs[0]].shape) != 2:
                changed = True
                operators.append(_flatten(graph, operator, _code(model, codes)))
        graph.operators = operators
    # Files that need no change stay the same to the byte.
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)) if changed else content


def _is_such(graph: Any, operator: Any) -> bool:
    given, weights = (graph.tensors[index] for index in operator.inputs[:2])
    by_unit = weights.quantization is not None and np.size(weights.quantization.scale) > 1
    return bool(given.type == weights.type == schema.TensorType.INT8 and by_unit)


def _add_bias(model: Any, graph: Any, operator: Any, zeros: dict[int, int]) -> None:
    """Give a layer a bias of zeros, shared with other layers of as many units."""
    given, weights = (graph.tensors[index] for index in operator.inputs[:2])
    units = int(weights.shape[0])
    if units not in zeros:
        zeros[units] = len(model.buffers)
        model.buffers.append(schema.BufferT())
        model.buffers[-1].data = np.zeros(4 * units, np.uint8)
    bias = schema.TensorT()
    bias.name, bias.type, bias.shape = b"bias", schema.TensorType.INT32, [units]
    bias.buffer = zeros[units]
    bias.quantization = schema.QuantizationParametersT()
    scale = np.float32(given.quantization.scale[0])
    bias.quantization.scale = scale * np.asarray(weights.quantization.scale, np.float32)
    bias.quantization.zeroPoint = np.zeros(units, np.int64)
    graph.tensors.append(bias)
    operator.inputs = [*operator.inputs[:2], len(graph.tensors) - 1]


def _flatten(graph: Any, operator: Any, reshape: int) -> Any:
    """Make an operator's output (rows, units), and return the RESHAPE to its shape before."""
    output = operator.outputs[0]
    shape = [int(size) for size in graph.tensors[output].shape]
    flat = copy.deepcopy(graph.tensors[output])
    flat.name, flat.shape, flat.shapeSignature = (
        b"flat",
        [int(np.prod(shape[:-1])), shape[-1]],
        None,
    )
    graph.tensors.append(flat)
    operator.outputs = [len(graph.tensors) - 1]
    operator.builtinOptions.keepNumDims = False
    after = schema.OperatorT()
    after.opcodeIndex, after.inputs, after.outputs = reshape, operator.outputs, [output]
    after.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    after.builtinOptions = schema.ReshapeOptionsT()
    after.builtinOptions.newShape = shape
    return after


def _code(model: Any, codes: list[int]) -> int:
    """Return the index of RESHAPE among the model's operators, and add it if necessary."""
    if _RESHAPE not in codes:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = _RESHAPE
        code.version = 1
        model.operatorCodes.append(code)
        codes.append(_RESHAPE)
    return codes.index(_RESHAPE)
