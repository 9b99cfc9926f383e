"""One TFLite model in an interpreter: tflite_runtime, else ai_edge_litert; never TensorFlow."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from ..errors import InterpreterError, MissingExtraError, ModelError, UsageError
from ..format.manifest import TRUNK
from . import xnnpack_greeting

CHOICE = "EDGE_EXPERTS_INTERPRETER"  # environment variable that names one of these packages
_PACKAGES = {
    "tflite_runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
    "ai_edge_litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
}


_preferred: Sequence[str] = ()


def prefer(names: Sequence[str]) -> None:
    """Take one of these packages if the process has imported none, and no variable names one.

    A process has one interpreter: a second one beside it may replace its kernels.
    """
    global _preferred
    _preferred = tuple(names)


@functools.cache
def _found() -> tuple[str, Any]:
    """Return the name of the installed interpreter package and its module."""
    broken = ""
    asked = os.environ.get(CHOICE)
    if asked and asked not in _PACKAGES:
        raise UsageError(f"{CHOICE} must be one of {tuple(_PACKAGES)}, got {asked!r}")
    for name in sorted(_PACKAGES, key=lambda name: name not in _preferred):
        if asked and name != asked:
            continue
        module = _PACKAGES[name][0]
        try:
            return name, importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        except ImportError as error:  # built for another Python, C library or numpy
            broken += f" ({name}: {error})"
    raise MissingExtraError(f"a TFLite interpreter{broken}", "device")


def description() -> dict[str, str]:
    """Return the interpreter and its version: {"interpreter": name, "version": version}."""
    name, _ = _found()
    version = getattr(importlib.import_module(name), "__version__", None)
    if version is None:  # in third-party builds
        from importlib import metadata  # slow to import

        version = metadata.version(_PACKAGES[name][1])
    return {"interpreter": name, "version": version}


def interpreter_class() -> Any:
    """Return the installed package's `Interpreter`."""
    return _found()[1].Interpreter


@functools.cache
def _lean_class() -> Any:
    """Return the interpreter class without its list of signatures.

    tflite-runtime 2.14 builds this list for every interpreter and never frees it: 0.7 KB for each
    load of an expert, 60 MB a day at one load a second.
    """

    class Lean(interpreter_class()):  # type: ignore[misc]
        def get_signature_list(self) -> dict[str, Any]:
            return {}

    return Lean


Delegate = Literal["xnnpack", "none", "reference"]
_RESOLVERS = {
    "xnnpack": "AUTO",
    "none": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}


def installed(name: str) -> bool:
    """Test if an interpreter package is installed."""
    return name in _PACKAGES and importlib.util.find_spec(name) is not None


def usable() -> list[str]:
    """Return the names of the installed interpreter packages, the one in use first."""
    return list(dict.fromkeys([package(), *filter(installed, _PACKAGES)]))


def package() -> str:
    """Return the name of the interpreter package in use."""
    return _found()[0]


def open_interpreter(content: bytes, name: str, threads: int, delegate: Delegate) -> Any:
    """Open an interpreter on a file's bytes and allocate its tensors; `name` is for errors.

    Raises:
        ModelError: the interpreter refuses the file.
        InterpreterError: the interpreter does not work with this version of numpy.
    """
    xnnpack_greeting.silence(interpreter_class())
    called, kind = package(), getattr(_found()[1].OpResolverType, _RESOLVERS[delegate])
    try:
        interpreter = _lean_class()(
            model_content=content, num_threads=threads, experimental_op_resolver_type=kind
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{name}: {called} refuses it: {reason(error)}") from None
    except SystemError:
        # Symptom of tflite-runtime 2.14 with numpy 2; importing the two together does not fail.
        raise InterpreterError(
            f"{called} does not work with numpy {np.__version__}: pip install 'numpy<2'"
        ) from None
    return interpreter


class Expert(Protocol):
    """Loaded expert that answers: a `Model` or a `Writer`."""

    name: str

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Any:
        """Run the expert: logits (labels,) float32, or a `beam_search.Text`."""

    def warm_up(self) -> None: ...


class Model:
    """A model with fixed shapes: named arrays in; one float32 array out, or two for some routers.

    Threads may share it; it runs one inference at a time.

    Attributes:
        inputs: name, shape, type, and True for quantized integers, of each input.
        output: shape, type, and True for quantized integers, of the first output.
        second_output: as `output`; None if there is no second output.

    Args:
        content: the bytes of a .tflite file, already checked against the manifest.
        name: the model's name in errors.
        threads: for the interpreter's kernels.
        delegate: "xnnpack", if the interpreter includes it and it supports the model; "none" for
            TFLite's own kernels; "reference" for its plain loops, which define the operators
            (tensorflow/lite/kernels/internal/reference) and are many times slower.

    Raises:
        ModelError: the interpreter refuses the file (for an unsupported operator, for instance).
    """

    def __init__(self, content: bytes, name: str, threads: int = 1, delegate: Delegate = "xnnpack"):
        self.name, self.content = name, content
        self._interpreter = open_interpreter(content, name, threads, delegate)
        inputs, outputs = tensors(self._interpreter)
        if not 1 <= len(outputs) <= 2:
            raise ModelError(f"{name}: must have one output or two, has {len(outputs)}")
        # Details are read once: reading them costs more than an inference.
        self._inputs = [(one.number, one.name, one.quantization) for one in inputs]
        self._output, self._scale = outputs[0].number, outputs[0].quantization
        self.inputs = [(one.name, *one.form) for one in inputs]
        self.output = outputs[0].form
        self.second_output = outputs[1].form if len(outputs) > 1 else None
        self._second = outputs[1].number if len(outputs) > 1 else None
        self._second_scale = outputs[-1].quantization
        self._set, self._get = self._interpreter.set_tensor, self._interpreter.get_tensor
        self._invoke = self._interpreter.invoke
        self._lock, self._trunk_lock = threading.Lock(), threading.Lock()
        self._forget = None
        if remembers(self._interpreter):
            self._forget = self._interpreter.reset_all_variables

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Run the model on one input: (outputs,) float32.

        Raises:
            ModelError: an operator fails; some operators detect errors only at this point.
        """
        with self._lock:
            if self._forget is not None:
                self._forget()
            for index, name, quantization in self._inputs:
                value = arrays[name]
                self._set(index, value if quantization is None else quantize(value, *quantization))
            try:
                self._invoke()
            except RuntimeError as error:
                raise ModelError(
                    f"{self.name}: {package()} cannot compute it: {reason(error)}"
                ) from None
            output: np.ndarray = self._get(self._output)[0]
        return real(output, self._scale)

    def with_trunk(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Run the model and add its trunk features to the arrays as TRUNK, (1, units) float32."""
        with self._trunk_lock:
            output = self(arrays)
            arrays[TRUNK] = self.trunk()
        return output

    @property
    def has_trunk(self) -> bool:
        """True if the model computes features that experts take as input."""
        return self._second is not None

    def trunk(self) -> np.ndarray:
        """Return the trunk features of the last input: (1, units) float32."""
        return real(self._get(self._second), self._second_scale)

    def warm_up(self) -> None:
        """Run twice on generated inputs: an interpreter defers work to its first two runs.

        The inputs are not zeros, for which some kernels skip their work.
        """
        details = self._interpreter.get_input_details()
        made_up = {_plain(d["name"]): _ones(d["shape"], d["dtype"]) for d in details}
        for _ in range(2):
            self(made_up)


_Quantization = tuple[np.float32, int, np.dtype[Any]]


class _Tensor(NamedTuple):
    """An input or output tensor.

    Attributes:
        form: shape, type, and True for quantized integers.
        quantization: scale, zero point and type of quantized integers, else None.
    """

    number: int
    name: str
    form: tuple[tuple[int, ...], np.dtype[Any], bool]
    quantization: _Quantization | None


def tensors(interpreter: Any) -> tuple[list[_Tensor], list[_Tensor]]:
    """List the inputs and the outputs."""
    # Not `get_input_details`: its further details take a tenth of a small expert's load time.
    wrapped = interpreter._interpreter

    def tensor(index: int) -> _Tensor:
        kind = np.dtype(wrapped.TensorType(index, 0))
        scale, zero_point = wrapped.TensorQuantization(index, 0)
        shape = tuple(wrapped.TensorSize(index, 0).tolist())
        quantization = (np.float32(scale), zero_point, kind) if scale != 0 else None
        return _Tensor(
            index, _plain(wrapped.TensorName(index, 0)), (shape, kind, scale != 0), quantization
        )

    inputs, outputs = wrapped.InputIndices().tolist(), wrapped.OutputIndices().tolist()
    return [tensor(index) for index in inputs], [tensor(index) for index in outputs]


_STATEFUL = {
    *("UNIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_LSTM", "LSTM", "SVDF"),
    *("UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN", "RNN", "VAR_HANDLE"),
}


def remembers(interpreter: Any) -> bool:
    """Test if a model keeps a state from one inference to the next.

    A fused recurrent operator continues from the last input's state (a variable tensor) and would
    answer every input but the first incorrectly: call `reset_all_variables` before each.
    """
    # Not `_get_ops_details`, which takes a quarter of a small expert's load time.
    wrapped = interpreter._interpreter
    return any(wrapped.NodeName(node) in _STATEFUL for node in range(wrapped.NumNodes()))


def _ones(shape: np.ndarray, kind: Any) -> np.ndarray:
    """Return ones for real numbers, and zeros for ids, which may have to be small."""
    return np.ones(shape, kind) if np.issubdtype(kind, np.floating) else np.zeros(shape, kind)


def quantize(value: np.ndarray, scale: np.float32, zero_point: int, kind: Any) -> np.ndarray:
    """Quantize: q = round(r / S) + Z, saturated.

    Jacob et al., 2018, https://arxiv.org/abs/1712.05877.
    """
    limits = np.iinfo(kind)
    steps: np.ndarray = np.clip(np.rint(value / scale) + zero_point, limits.min, limits.max)
    return steps.astype(kind)


def real(value: np.ndarray, quantization: _Quantization | None) -> np.ndarray:
    """Dequantize: r = S (q - Z); values without quantization are returned unchanged."""
    if quantization is None:
        return value
    scale, zero_point, _ = quantization
    real: np.ndarray = (value.astype(np.float32) - zero_point) * scale
    return real


def _plain(tensor_name: str) -> str:
    """Strip a tensor name to the network's name of the input: 'serving_default_ids:0' to 'ids'."""
    return tensor_name.removeprefix("serving_default_").split(":")[0]


def reason(error: Exception) -> str:
    """Format an error of TFLite on one line, without the sentence that ends every failure."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and line != "Registration failed.") or "unknown"
