"""Interpreters without the runtime: the outputs of model files, with nothing checked."""

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
    """Files of a bundle, and how its inputs become arrays."""

    folder: Path
    manifest: Manifest
    features: Any  # of `edge_experts.features`
    threads: int

    @property
    def router(self) -> Ask | None:
        """The router's outputs for named inputs; None without one."""
        entry = self.manifest.router
        return None if entry is None else bare(self.folder / entry.path, self.threads)

    @property
    def expert_paths(self) -> list[Path]:
        """The experts' files."""
        return [self.folder / entry.path for entry in self.manifest.experts]

    @property
    def experts(self) -> list[Ask]:
        """The outputs of each expert for named inputs."""
        return [bare(path, self.threads) for path in self.expert_paths]


def bare(path: Path, threads: int = 1, **options: Any) -> Ask:
    """A file's outputs for named inputs, by an interpreter that is built with these options."""
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
    """An interpreter of a file, its tensors allocated."""
    interpreter = interpreter_class()(model_path=str(path), num_threads=threads, **options)
    interpreter.allocate_tensors()
    return interpreter
