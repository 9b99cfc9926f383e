"""One TFLite model in an interpreter: tflite_runtime, else ai_edge_litert; never TensorFlow."""

from __future__ import annotations

import functools
import importlib
import os
import threading
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from ..errors import InterpreterError, MissingExtraError, ModelError, UsageError
from ..format.manifest import TRUNK
from . import xnnpack_greeting

CHOICE = "EDGE_EXPERTS_INTERPRETER"  # the environment variable that names one of these packages
_PACKAGES = {
    "tflite_runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
    "ai_edge_litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
}


@functools.cache
def _found() -> tuple[str, Any]:
    """The name of the installed interpreter package and its module."""
    broken = ""
    asked = os.environ.get(CHOICE)
    if asked and asked not in _PACKAGES:
        raise UsageError(f"{CHOICE} must be one of {tuple(_PACKAGES)}, got {asked!r}")
    for name, (module, _) in _PACKAGES.items():
        if asked and name != asked:
            continue
        try:
            return name, importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        except ImportError as error:  # built for another Python, C library or numpy
            broken += f" ({name}: {error})"
    raise MissingExtraError(f"a TFLite interpreter{broken}", "device")


def description() -> dict[str, str]:
    """Which interpreter answers here: {"interpreter": name, "version": version}."""
    name, _ = _found()
    version = getattr(importlib.import_module(name), "__version__", None)
    if version is None:  # of packages that others built
        from importlib import metadata  # slow to import

        version = metadata.version(_PACKAGES[name][1])
    return {"interpreter": name, "version": version}


def interpreter_class() -> Any:
    """The installed package's `Interpreter`."""
    return _found()[1].Interpreter


@functools.cache
def _lean_class() -> Any:
    """The interpreter without its list of signatures.

    tflite-runtime 2.14 makes one for every interpreter and never frees it: 0.7 KB each time that an
    expert is loaded, 60 MB a day at one a second.
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


def package() -> str:
    """The name of the interpreter package that answers here."""
    return _found()[0]


def open_interpreter(content: bytes, name: str, threads: int, delegate: Delegate) -> Any:
    """An interpreter of a file's bytes, its tensors allocated; `name` is what errors call it.

    Raises:
        ModelError: the interpreter refuses the file.
        InterpreterError: it does not work beside this numpy.
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
        # What tflite-runtime 2.14 does beside numpy 2, which its import alone does not show.
        raise InterpreterError(
            f"{called} does not work with numpy {np.__version__}: pip install 'numpy<2'"
        ) from None
    return interpreter


class Expert(Protocol):
    """What answers, once it is loaded: a `Model`, or a `Writer`."""

    name: str
    content: bytes

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Any:
        """What it says: logits (labels,) float32, or a `search.Text`."""

    def warm_up(self) -> None: ...


class Model:
    """A model with fixed shapes: named arrays in, one float32 array out; a router's, maybe two.

    Threads may share it; it answers them one at a time.

    Attributes:
        inputs: name, shape, type, and whether integers stand for real numbers, of each.
        output: the same of the first output, without a name.
        second_output: likewise, where there is one.

    Args:
        content: the bytes of a .tflite file, already checked against the manifest.
        name: what errors call it.
        threads: for the interpreter's kernels.
        delegate: "xnnpack" where the interpreter comes with it and it fits the model; "none" for
            TFLite's own kernels; "reference" for its plain loops, which say what an operator means
            (tensorflow/lite/kernels/internal/reference) and take many times as long.

    Raises:
        ModelError: the interpreter refuses it (an operator it lacks, for instance).
    """

    def __init__(self, content: bytes, name: str, threads: int = 1, delegate: Delegate = "xnnpack"):
        self.name, self.content = name, content
        self._interpreter = open_interpreter(content, name, threads, delegate)
        inputs, outputs = tensors(self._interpreter)
        if not 1 <= len(outputs) <= 2:
            raise ModelError(f"{name}: must have one output or two, has {len(outputs)}")
        # Details are asked for once: a call for them costs more than an inference.
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
        """The model's output for one input: (outputs,) float32.

        Raises:
            ModelError: an operator cannot compute, which some find out only now.
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
        """The same; what experts build on is added to the arrays as TRUNK, (1, units) float32."""
        with self._trunk_lock:
            output = self(arrays)
            arrays[TRUNK] = self.trunk()
        return output

    @property
    def has_trunk(self) -> bool:
        """Whether it computes features that experts build on."""
        return self._second is not None

    def trunk(self) -> np.ndarray:
        """Those features of the last input: (1, units) float32."""
        return real(self._get(self._second), self._second_scale)

    def warm_up(self) -> None:
        """Run twice on made-up inputs: what an interpreter puts off, it does in its first two runs.

        Not on zeros, for which some kernels skip their work.
        """
        details = self._interpreter.get_input_details()
        made_up = {_plain(d["name"]): _ones(d["shape"], d["dtype"]) for d in details}
        for _ in range(2):
            self(made_up)


_Quantization = tuple[np.float32, int, np.dtype[Any]]


class _Tensor(NamedTuple):
    """An input or an output.

    Attributes:
        form: shape, type, and whether its integers stand for real numbers.
        quantization: scale, zero point and type of integers that do, else None.
    """

    number: int
    name: str
    form: tuple[tuple[int, ...], np.dtype[Any], bool]
    quantization: _Quantization | None


def tensors(interpreter: Any) -> tuple[list[_Tensor], list[_Tensor]]:
    """The inputs, and the outputs."""
    # Not `get_input_details`: what it tells besides takes a tenth of a small expert's loading.
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
    """Whether a model keeps a state from one inference to the next.

    A fused recurrent operator goes on where the last input has left it (its state is a variable
    tensor), and would answer every input but the first wrongly: `reset_all_variables` before each.
    """
    # Not `_get_ops_details`, which takes a quarter of the time in which a small expert is loaded.
    wrapped = interpreter._interpreter
    return any(wrapped.NodeName(node) in _STATEFUL for node in range(wrapped.NumNodes()))


def _ones(shape: np.ndarray, kind: Any) -> np.ndarray:
    """Ones where numbers are real; zeros where they are ids, which may have to be small."""
    return np.ones(shape, kind) if np.issubdtype(kind, np.floating) else np.zeros(shape, kind)


def quantize(value: np.ndarray, scale: np.float32, zero_point: int, kind: Any) -> np.ndarray:
    """q = round(r / S) + Z, saturated (Jacob et al., 2018, https://arxiv.org/abs/1712.05877)."""
    limits = np.iinfo(kind)
    steps: np.ndarray = np.clip(np.rint(value / scale) + zero_point, limits.min, limits.max)
    return steps.astype(kind)


def real(value: np.ndarray, quantization: _Quantization | None) -> np.ndarray:
    """r = S (q - Z); what is no integer that stands for a real number is left as it is."""
    if quantization is None:
        return value
    scale, zero_point, _ = quantization
    real: np.ndarray = (value.astype(np.float32) - zero_point) * scale
    return real


def _plain(tensor_name: str) -> str:
    """'serving_default_ids:0' is the input that the network calls 'ids'."""
    return tensor_name.removeprefix("serving_default_").split(":")[0]


def reason(error: Exception) -> str:
    """What TFLite says, on one line and without what it says of every failure."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and line != "Registration failed.") or "unknown"
