"""Bare interpreters without the runtime: outputs of model files, without any checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..format.manifest import Manifest
from ..runtime.interpreter import interpreter_class, quantize, real, remembers, tensors

Arrays = dict[str, np.ndarray]
Ask = Callable[[Arrays], list[np.ndarray]]


class Files(NamedTuple):
    """Files of a bundle, and the features of its inputs."""

    folder: Path
    manifest: Manifest
    features: Any  # of `edge_experts.features`
    threads: int

    @property
    def router(self) -> Ask | None:
        """Function from named inputs to the router's outputs; None without a router."""
        entry = self.manifest.router
        return None if entry is None else bare(self.folder / entry.path, self.threads)

    @property
    def expert_paths(self) -> list[Path]:
        """Paths of the experts' files."""
        return [self.folder / entry.path for entry in self.manifest.experts]

    @property
    def experts(self) -> list[Ask]:
        """Functions from named inputs to the outputs of each expert."""
        return [bare(path, self.threads) for path in self.expert_paths]


def bare(path: Path, threads: int = 1, **options: Any) -> Ask:
    """Create a function from named inputs to a file's outputs, with these interpreter options."""
    interpreter = built(path, threads, options)
    inputs, outputs = tensors(interpreter)
    names = [(one.number, one.name) for one in inputs]
    numbers = [one.number for one in outputs]
    recurrent = remembers(interpreter)

    def ask(arrays: Arrays) -> list[np.ndarray]:
        for index, name in names:
            interpreter.set_tensor(index, arrays[name])
        if recurrent:
            interpreter.reset_all_variables()
        interpreter.invoke()
        return [interpreter.get_tensor(number) for number in numbers]

    def ask_in_integers(arrays: Arrays) -> list[np.ndarray]:
        given = {
            one.name: arrays[one.name]
            if one.quantization is None
            else quantize(arrays[one.name], *one.quantization)
            for one in inputs
        }
        answered = zip(ask(given), outputs, strict=True)
        return [real(value, one.quantization) for value, one in answered]

    # A file of floats is asked without a look at quantization: this is the baseline of benchmarks.
    is_quantized = any(one.quantization is not None for one in (*inputs, *outputs))
    return ask_in_integers if is_quantized else ask


def built(path: Path, threads: int, options: dict[str, Any]) -> Any:
    """Build an interpreter of a file and allocate its tensors."""
    interpreter = interpreter_class()(model_path=str(path), num_threads=threads, **options)
    interpreter.allocate_tensors()
    return interpreter
