"""Model of rows: (rows, units) in, as many rows out, with any number of rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from ..errors import ModelError
from ..format.manifest import TRUNK
from . import copied_weights
from .interpreter import Delegate, Model, package, reason

_Opened = TypeVar("_Opened")
_PROOF_ROWS = 2
_reads_weights: list[str] = []  # models whose kernels still read what was thought to be copied


def open_once_copied(read: Callable[[], Any], opened: Callable[[Any], _Opened]) -> _Opened:
    """Open a model, and give up the bytes of its file that its kernels have copied.

    Args:
        read: reads the file's bytes, which nothing else may use.
    """
    model = opened(read())
    if isinstance(model, RowsModel) and not model.give_up_weights():
        model = opened(read())
    return model


def given_up_bytes(model: object) -> int:
    """Return the bytes of a model's file that the system took back."""
    return model.given_up if isinstance(model, RowsModel) else 0


@functools.lru_cache(8)
def proof_rows(rows: int, units: int) -> np.ndarray:
    """Return rows whose answers tell models apart: (rows, units) float32, from -1 to 1.

    The same on every machine; no number is 0, which would hide a weight.
    """
    steps = np.arange(1, rows * units + 1, dtype=np.uint64) * np.uint64(2654435761)
    spread = (steps % np.uint64(2**32)).astype(np.float64) / 2**31 - 1
    made = spread.reshape(rows, units).astype(np.float32)
    made.flags.writeable = False
    return made


class RowsModel(Model):
    """A model whose only input and whose outputs have one row for each token.

    The rows of a result do not depend on each other, nor on their number. Threads may share it.

    Attributes:
        given: name of its input.
        given_up: bytes of its file that the system took back.

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
        self._first_input, self._delegate, self.given_up = self._inputs[0][0], delegate, 0
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

    def give_up_weights(self) -> bool:
        """Give back the memory of weights that XNNPACK has copied, and compare an answer.

        The bytes that the model was opened with have zeros in their place: nothing else may use
        them. Where the answer is another one, no later model of this process tries it.

        Returns:
            False if the kernels still read them: the model must be opened again.
        """
        # tflite-runtime copies float32 only, and a language model on it has few of these.
        if _reads_weights or self._delegate != "xnnpack" or self._one_by_one:
            return True
        pages = copied_weights.pages(self._interpreter, self.content, self.name)
        if not pages:
            return True
        rows = proof_rows(_PROOF_ROWS, self.inputs[0][1][1])
        before = self._answers(rows)
        if all((made == made[0, 0]).all() for made in before):  # it tells nothing
            return True
        self.content = b""
        self.given_up = copied_weights.give_back(pages)
        after = self._answers(rows[:1])  # with another number of rows, for which kernels prepare
        if all(
            one.tobytes() == made[:1].tobytes() for one, made in zip(after, before, strict=True)
        ):
            return True
        _reads_weights.append(self.name)
        return False

    def _answers(self, rows: np.ndarray) -> list[np.ndarray]:
        with self._lock:
            self._compute(rows)
            outputs = (self._output, *(() if self._second is None else (self._second,)))
            return [self._read(output, 0) for output in outputs]

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
