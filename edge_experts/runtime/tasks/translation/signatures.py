"""Model file with several functions over the same weights: the signatures of a .tflite file."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....errors import ModelError
from ...interpreter import Delegate, open_interpreter, package, reason

Shapes = Mapping[str, tuple[int, ...]]  # shapes of arrays by name
Signatures = Mapping[str, Any]  # of a file, as its interpreter lists them


class Functions:
    """Functions of one file by name: named arrays in, named arrays out. Threads may share it.

    Args:
        content: the bytes of a .tflite file, already checked against the manifest.
        name: the file's name in errors.
        functions: the required signatures.
        threads: for the interpreter's kernels.
        delegate: as for `Model`.
        signatures: of the same bytes, from an earlier opening.

    Attributes:
        signatures: to be reused by the next opening: tflite-runtime 2.14 builds a list at each
            request and never frees it, 1.5 KB each.

    Raises:
        ModelError: the interpreter refuses the file, or it lacks a function.
    """

    def __init__(
        self,
        content: bytes,
        name: str,
        functions: Sequence[str],
        threads: int = 1,
        delegate: Delegate = "xnnpack",
        signatures: Signatures | None = None,
    ):
        self.name, self.content = name, content
        self._lock = threading.Lock()
        self._interpreter = open_interpreter(content, name, threads, delegate)
        self.signatures = found = signatures or self._interpreter._get_full_signature_list()
        self._interpreter._get_full_signature_list = lambda: found  # which every runner requests
        try:
            self._runners = {one: self._interpreter.get_signature_runner(one) for one in functions}
        except ValueError:
            raise ModelError(
                f"{name}: lacks one of its functions, {', '.join(functions)}"
            ) from None

    def __call__(self, function: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a function.

        Raises:
            ModelError: an operator cannot compute.
        """
        try:
            with self._lock:
                made: dict[str, np.ndarray] = self._runners[function](**arrays)
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self.name}: {package()} cannot compute {function}: {reason(error)}"
            ) from None
        return made

    def inputs(self, function: str) -> Shapes:
        return _shapes(self._runners[function].get_input_details())

    def outputs(self, function: str) -> Shapes:
        return _shapes(self._runners[function].get_output_details())


def _shapes(details: Mapping[str, Any]) -> Shapes:
    return {name: tuple(map(int, one["shape"])) for name, one in details.items()}
