"""Self-check of the installed interpreter: runs a tiny model, because importing proves nothing.

tiny.tflite is x @ [[1, 2], [3, 4]] for x of shape (1, 2), as TensorFlow 2.19's converter writes it.
"""

from __future__ import annotations

from importlib import resources

import numpy as np

from ..errors import InterpreterError
from .interpreter import Model, description


def run_tiny_model() -> dict[str, str]:
    """Build an interpreter and run a model on it; return the interpreter's name and version.

    Raises:
        MissingExtraError: no interpreter is installed.
        InterpreterError: it cannot be built, or its result is wrong.
    """
    content = resources.files(__package__).joinpath("tiny.tflite").read_bytes()
    output = Model(content, "tiny.tflite")({"x": np.array([[5, 7]], np.float32)})
    if output.tolist() != [26.0, 38.0]:
        raise InterpreterError(f"{description()} computes {output.tolist()}, not [26.0, 38.0]")
    return description()
