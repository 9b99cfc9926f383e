"""Trial of packed experts on this machine, with a tiny model, in a process of its own."""

from __future__ import annotations

import struct
from importlib import resources

import numpy as np

from ... import subprocesses
from ...errors import BundleError, EdgeExpertsError, InterpreterError
from ..interpreter import installed
from . import sidecars
from .compiled import packed_weights
from .memory_file import MemoryFile
from .slot_pool import Template

_ROWS = np.array([[5, 7]], np.float32)


def problem() -> str:
    """Say why experts cannot be used packed here; empty if they can.

    LiteRT's CompiledModel ends the process on some processors.
    """
    if not installed(sidecars.LITERT):
        return "ai-edge-litert is not installed"
    try:
        return subprocesses.call(trial)
    except (BundleError, OSError) as error:
        return str(error)


def trial() -> str:
    """Overwrite the weights of a live model by another one's, and put them back."""
    first = resources.files(__package__).joinpath("../tiny.tflite").read_bytes()
    # x @ [[1, 2], [3, 4]], and the same with 5 in place of 4.
    second = first.replace(struct.pack("<f", 4.0), struct.pack("<f", 5.0))
    wanted = {first: [26.0, 38.0], second: [26.0, 45.0]}
    try:
        packed = {one: packed_weights(one, "tiny", units=2, outputs=2) for one in wanted}
        memory = MemoryFile(len(packed[first]))
        memory.view[:] = packed[first]
        model = Template(first, "x", 2, 2).opened(memory, "tiny")
        for one in (first, second, first):
            memory.view[:] = packed[one]
            found = model.run(_ROWS)[0].tolist()
            if found != wanted[one]:
                raise InterpreterError(f"a slot computes {found}, not {wanted[one]}")
    except (EdgeExpertsError, ImportError, AttributeError, TypeError) as error:
        return str(error)
    return ""
