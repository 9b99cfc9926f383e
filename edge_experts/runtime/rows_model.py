"""Model of rows: (rows, units) in, as many rows out, with any number of rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import ModelError
from ..format.manifest import TRUNK
from .interpreter import Delegate, Model, package, reason


class RowsModel(Model):
    """A model whose only input and whose outputs have one row for each token.

    The rows of a result do not depend on each other, nor on their number. Threads may share it.

    Attributes:
        given: name of its input.

    Args:
        see `Model`.

    Raises:
        ModelError: the interpreter refuses the file, or it has another form.
    """

    def __init__(self, content: bytes, name: str, threads: int = 1, delegate: Delegate = "xnnpack"):
        super().__init__(content, name, threads, delegate)
        outputs = [self.output, *([] if self.second_output is None else [self.second_output])]
        if len(self.inputs) != 1 or self._forget is not None:
            raise ModelError(f"{name}: must have one input and no state")
        for shape, kind, is_quantized in (self.inputs[0][1:], *outputs):
            if len(shape) != 2 or shape[0] != 1 or kind != np.float32 or is_quantized:
                raise ModelError(
                    f"{name}: must take and give rows of float32, (1, units); got {shape!s:.80}"
                )
        self.given, self._rows = self.inputs[0][0], 1
        self._first_input = self._inputs[0][0]
        # Its mean of one row and of many is not the same to the bit, and many are not faster.
        self._one_by_one = package() == "tflite_runtime"
        # The package's methods check for views of the tensors, which nothing here creates; the
        # check takes a tenth of a small file's time.
        bare = self._interpreter._interpreter
        self._set, self._invoke, self._read = bare.SetTensor, bare.Invoke, bare.GetTensor
        self._resize, self._allocate = bare.ResizeInputTensor, bare.AllocateTensors

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Run the model on rows, (rows, units); returns its first output, (rows, outputs) float32.

        Raises:
            ModelError: an operator fails.
        """
        return self.run(arrays[self.given])

    def run(self, rows: np.ndarray) -> np.ndarray:
        """Run the model on rows, as `__call__`."""
        if self._one_by_one and len(rows) > 1:
            return np.concatenate([self.run(row[None]) for row in rows])
        with self._lock:
            self._compute(rows)
            made: np.ndarray = self._read(self._output, 0)
        return made

    def with_trunk(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Run the model and add its second output to the arrays as TRUNK."""
        rows = arrays[self.given]
        if self._one_by_one and len(rows) > 1:
            parts = [{self.given: row[None]} for row in rows]
            whole: np.ndarray = np.concatenate([self.with_trunk(part) for part in parts])
            arrays[TRUNK] = np.concatenate([part[TRUNK] for part in parts])
            return whole
        with self._lock:
            self._compute(rows)
            arrays[TRUNK] = self._read(self._second, 0)
            made: np.ndarray = self._read(self._output, 0)
        return made

    def trunk(self) -> np.ndarray:
        made: np.ndarray = self._get(self._second)
        return made

    def _compute(self, rows: np.ndarray) -> None:
        try:
            if len(rows) != self._rows:
                self._resize(self._first_input, np.array(rows.shape, np.int32), False)
                self._allocate()
                self._rows = len(rows)
            self._set(self._first_input, rows)
            self._invoke()
        except (RuntimeError, ValueError) as error:
            self._rows = 0  # unknown after a failure
            raise ModelError(
                f"{self.name}: {package()} cannot compute it: {reason(error)}"
            ) from None
