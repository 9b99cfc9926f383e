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
    recurrent = remembers(interpreter)

    def ask(arrays: Arrays) -> list[np.ndarray]:
        for index, name, _, quantization in inputs:
            value = arrays[name]
            if quantization is not None:
                value = quantize(value, *quantization)
            interpreter.set_tensor(index, value)
        if recurrent:
            interpreter.reset_all_variables()
        interpreter.invoke()
        return [real(interpreter.get_tensor(one.number), one.quantization) for one in outputs]

    return ask


def built(path: Path, threads: int, options: dict[str, Any]) -> Any:
    """Build an interpreter of a file and allocate its tensors."""
    interpreter = interpreter_class()(model_path=str(path), num_threads=threads, **options)
    interpreter.allocate_tensors()
    return interpreter
