"""Calibration of int8 ranges, measured on tensors that are not overwritten.

TensorFlow's calibrator (2.19) reads an operator's inputs again after it has run. ADD, MUL and
others may write their result over an input, which then counts as the input: an input to which a
residual connection adds a little gets the range of the sum, and loses up to four of its eight bits.

Imported only in the worker process: it needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.optimize.calibrator import Calibrator

# Indices in a fused LSTM: the inputs that are its states, and the intermediate that is its output
# before a projection, which Keras's LSTMs never have.
_STATE, _CELL, _HIDDEN = 18, 19, 4
_SMALLEST_CELL = 1.0
# Limit for the steps of a layer's result that one step of its products may be: XNNPACK accepts less
# than 256 (`requantization_scale`), and LiteRT 2.3 ends the process if it refuses a layer.
_MOST_STEPS = 128

Arrays = Mapping[str, np.ndarray]  # (1, ...) each
Sample = Arrays | tuple[str, Arrays]


@contextmanager
def exact() -> Iterator[None]:
    """Quantize by the ranges that are measured here, in this context."""
    calibrate: Callable[[Calibrator, Any], bytes] = Calibrator.calibrate

    def again(calibrator: Calibrator, samples: Callable[[], Iterable[Any]]) -> bytes:
        return measured(calibrate(calibrator, samples), samples())

    with mock.patch.object(Calibrator, "calibrate", again):
        yield


def measured(content: bytes, samples: Iterable[Sample]) -> bytes:
    """Measure the ranges of the tensors that a calibrated model's functions compute again.

    Tensors that are not visible (inside fused operators and loops, states) keep the calibrator's
    ranges.

    Args:
        content: a float model whose tensors have a smallest and a largest number.
        samples: the calibration set; with the name of the function, if there are several.
    """
    model = bytearray(content)  # ranges are views of it, and are written in place
    root = schema.Model.GetRootAsModel(model, 0)
    functions = {
        root.SignatureDefs(place).SignatureKey().decode(): root.SignatureDefs(place).SubgraphIndex()
        for place in range(root.SignatureDefsLength())
    }
    ranges = {place: dict(_computed(root.Subgraphs(place))) for place in functions.values()}
    for (place, index), found in _extremes(content, samples, functions, ranges).items():
        _set(ranges[place][index], *found)
    for place, computed in ranges.items():
        _widen_tables(root, root.Subgraphs(place), computed)
        _mend_lstms(root, root.Subgraphs(place), computed)
        _widen_dead(root, root.Subgraphs(place), computed)
    return bytes(model)


def _widen_tables(root: Any, graph: Any, ranges: Mapping[int, Any]) -> None:
    """Set the range of looked-up values to that of the whole table, for any samples.

    It then has no zero point, and is the same in all functions of a file.
    """
    for operator in _of_kind(root, graph, schema.BuiltinOperator.GATHER):
        table, output = graph.Tensors(operator.Inputs(0)), ranges.get(operator.Outputs(0))
        buffer = root.Buffers(table.Buffer()).DataAsNumpy()
        if output is not None and isinstance(buffer, np.ndarray):
            largest = float(np.abs(buffer.view(np.float32)).max())
            _set(output, -largest * 128 / 127, largest)


def _mend_lstms(root: Any, graph: Any, ranges: Mapping[int, Any]) -> None:
    """Set ranges that the kernel of a fused LSTM requires beyond the measured ones."""
    for operator in _of_kind(root, graph, schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM):
        output = ranges.get(operator.Outputs(0))
        for same in (operator.Inputs(_STATE), operator.Intermediates(_HIDDEN)):
            if output is not None and _range(graph, same) is not None:
                # The kernel writes one number to all three, whatever their scales.
                _set(_range(graph, same), output.Min(0), output.Max(0))
        cell = _range(graph, operator.Inputs(_CELL))
        if cell is not None:
            # Below this the kernel omits a tanh, and answers with the contents of its memory: it
            # has one for integer numbers of bits before the point (`ApplyTanh`).
            _set(cell, min(cell.Min(0), -_SMALLEST_CELL), max(cell.Max(0), _SMALLEST_CELL))


def _widen_dead(root: Any, graph: Any, ranges: Mapping[int, Any]) -> None:
    """Set a small range for a layer that outputs only zeros for all samples, and has none."""
    for kind in (
        schema.BuiltinOperator.FULLY_CONNECTED,
        schema.BuiltinOperator.CONV_2D,
        schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    ):
        for operator in _of_kind(root, graph, kind):
            source, output = _range(graph, operator.Inputs(0)), ranges.get(operator.Outputs(0))
            weights = root.Buffers(graph.Tensors(operator.Inputs(1)).Buffer()).DataAsNumpy()
            if source is None or output is None or not isinstance(weights, np.ndarray):
                continue
            largest = float(np.abs(weights.view(np.float32)).max())
            # The integers of a tanh represent -1 to 1, whatever its values.
            span = max(2.0, source.Max(0) - source.Min(0))
            smallest, least = output.Min(0), span * largest / 127 / _MOST_STEPS
            _set(output, smallest, max(output.Max(0), smallest + least))


def _computed(graph: Any) -> Iterator[tuple[int, Any]]:
    """Yield the operators' outputs that have a range, and the range."""
    for place in range(graph.OperatorsLength()):
        for index in graph.Operators(place).OutputsAsNumpy():
            found = _range(graph, index)
            if found is not None and not graph.Tensors(index).IsVariable():
                yield int(index), found


def _of_kind(root: Any, graph: Any, kind: int) -> Iterator[Any]:
    for place in range(graph.OperatorsLength()):
        operator = graph.Operators(place)
        code = root.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        if code == kind:
            yield operator


def _set(quantization: Any, smallest: float, largest: float) -> None:
    quantization.MinAsNumpy()[0], quantization.MaxAsNumpy()[0] = smallest, largest


def _range(graph: Any, index: int) -> Any:
    quantization = graph.Tensors(index).Quantization()
    known = quantization is not None and quantization.MinLength() == quantization.MaxLength() == 1
    return quantization if known else None


def _extremes(
    content: bytes,
    samples: Iterable[Sample],
    functions: Mapping[str, int],
    tensors: Mapping[int, Iterable[int]],
) -> dict[tuple[int, int], tuple[float, float]]:
    """Find the smallest and the largest number of each tensor, by subgraph and index.

    Args:
        functions: the subgraph of each, by name.
        tensors: of each subgraph.
    """
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_preserve_all_tensors=True,  # each in a buffer of its own
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    runners = {name: interpreter.get_signature_runner(name) for name in functions}
    found: dict[tuple[int, int], tuple[float, float]] = {}
    for sample in samples:
        name, arrays = sample if isinstance(sample, tuple) else (next(iter(functions)), sample)
        interpreter.reset_all_variables()
        runners[name](**arrays)
        place = functions[name]
        for index in tensors[place]:
            value = interpreter.get_tensor(index, place)
            smallest, largest = found.get((place, index), (np.inf, -np.inf))
            found[place, index] = min(smallest, value.min()), max(largest, value.max())
    return found
