"""LiteRT's CompiledModel with XNNPACK's cache of packed weights. No other module uses it.

Its wheel loads a library for GPUs with the first model, which ends the process on some processors
(Cortex-A72): only a child process may open the first one on a machine, see `packing`.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import os
import re
import sys
from typing import Any

import numpy as np

from ...errors import ModelError
from ...native_stderr import held_back
from ..interpreter import reason

_ABSENT = "/nonexistent"  # where LiteRT finds no plugins for accelerators
_CHATTER = re.compile(r"(INFO|WARNING): |└ Could not load shared library ")


def _is_chatter(line: str) -> bool:
    return _CHATTER.match(line) is not None


@functools.cache
def _litert() -> Any:
    from ai_edge_litert import compiled_model  # slow to import

    return compiled_model


@functools.cache
def _environment() -> Any:
    litert = _litert()
    paths = dict.fromkeys(
        ("runtime_path", "compiler_plugin_path", "dispatch_library_path"), _ABSENT
    )
    found = litert.Environment.create(options=litert.EnvironmentOptions(**paths))
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(found))  # never destroyed, which it would report
    atexit.register(_end_silently)
    return found


def _end_silently() -> None:
    """Drop what is written to stderr from here on.

    LiteRT's own environments are destroyed after all Python code, and report it.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


class CompiledRows:
    """A model of rows of float32, as `RowsModel`, whose packed weights are in a file.

    It takes the weights from the file as they are: nothing tells whether they are those of
    `content`, or whether an empty file, or one of another processor, was packed anew and replaced.
    Callers compare its results. One thread at a time may use it.

    Args:
        content: a checked .tflite file; models may share it.
        path: file of the packed weights; an empty one is filled.
        units, outputs: numbers in a row that it takes and gives.

    Raises:
        ModelError: LiteRT refuses the file.
    """

    def __init__(
        self, content: bytes, path: str, name: str, *, units: int, outputs: int, threads: int = 1
    ):
        self.name, self._content, self._rows = name, content, 1
        self._units, self._outputs = units, outputs
        with held_back(_is_chatter):
            litert = _litert()
            cpu = litert.CpuOptions(num_threads=threads, xnnpack_weight_cache_path=path)
            try:
                self._model = litert.CompiledModel.from_buffer(
                    content, environment=_environment(), options=litert.Options(cpu_options=cpu)
                )
                self._use_buffers()
                self._model.run_by_index(0, [self._given], [self._made])  # reports the first time
            except (RuntimeError, ValueError) as error:
                raise ModelError(f"{name}: CompiledModel refuses it: {reason(error)}") from None

    def run(self, rows: np.ndarray) -> np.ndarray:
        """Run the model on rows, (rows, units); returns (rows, outputs) float32.

        Raises:
            ModelError: an operator fails.
        """
        try:
            if len(rows) != self._rows:
                self._model.resize_input_tensor(0, [len(rows), self._units], strict=False)
                self._use_buffers()
                self._rows = len(rows)
            self._given.write(rows)
            self._model.run_by_index(0, [self._given], [self._made])
            made: np.ndarray = self._made.read(len(rows) * self._outputs, np.float32)
        except (RuntimeError, ValueError) as error:
            self._rows = 0  # unknown after a failure
            raise ModelError(
                f"{self.name}: CompiledModel cannot compute it: {reason(error)}"
            ) from None
        return made.reshape(len(rows), self._outputs)

    def _use_buffers(self) -> None:
        (self._given,) = self._model.create_input_buffers(0)
        (self._made,) = self._model.create_output_buffers(0)


def packed_weights(content: bytes, name: str, *, units: int, outputs: int) -> bytes:
    """Pack a model's weights for this processor and version of LiteRT: the bytes of XNNPACK's file.

    Raises:
        ModelError: LiteRT refuses the file, or packs nothing.
    """
    file = os.memfd_create("packing", os.MFD_CLOEXEC)
    try:
        path = f"/proc/self/fd/{file}"
        CompiledRows(content, path, name, units=units, outputs=outputs)
        size = os.fstat(file).st_size
        if not size:
            raise ModelError(f"{name}: XNNPACK has no packed weights for it")
        return os.pread(file, size, 0)
    finally:
        os.close(file)
